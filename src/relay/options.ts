// The command line of `spanmill rw-relay`. Flags are Go-style, `--name=value` or `--name value`, with one dash or two, as
// those of Prometheus; those of Prometheus that mean nothing to a relay are accepted and said.

import type { LabelPair } from 'remote-write-ts';
import { readConfigFile } from './config-file.ts';
import { readDuration } from './duration.ts';
import {
  DEFAULT_ACCEPT,
  DEFAULT_MAX_BYTES,
  DEFAULT_TIMEOUT_MS,
  type RelaySettings,
  SettingsError,
} from './settings.ts';

export interface RelayFlags {
  settings: RelaySettings;
  /** Undefined: no server. */
  listen: { host: string; port: number } | undefined;
  /** How long what is queued may take to be delivered at the end. */
  flushDeadlineMs: number;
  warnings: string[];
}

export const USAGE = `Usage: spanmill rw-relay --target URL --remote-write URL [options]
       spanmill rw-relay --config.file FILE [options]

Scrapes a page of metrics (Prometheus text or OpenMetrics) and sends it on by remote-write. Ends on SIGINT or SIGTERM, after it has
delivered what it has.

  --target URL              the page; without a path it is /metrics
  --remote-write URL        the receiver
  --interval TIME           between two scrapes, 15s by default
  --timeout TIME            of a scrape, 10s or the interval by default
  --job NAME                the label job, rw-relay by default; instance is the target's host and port
  --external-label K=V      added to each series that has no such label; may be repeated
  --honor-labels            the page's own job and instance win; otherwise they become exported_job and exported_instance
  --protocol NAME           auto (default), 1.0, 2.0

  --config.file FILE        a file of Prometheus' shape with one target and one remote_write, instead of the above

  --web.listen-address A    serves /-/ready, /-/healthy and the relay's own /metrics there: host:port or :port
  --storage.remote.flush-deadline TIME
                            how long the delivery may take at the end, 5s by default
`;

const WITH_VALUE = [
  'target',
  'remote-write',
  'interval',
  'timeout',
  'job',
  'external-label',
  'protocol',
  'config.file',
  'web.listen-address',
  'storage.remote.flush-deadline',
];
const SWITCHES = ['honor-labels'];
/** Those that go with a target only: a file says the same in its own words. */
const OF_TARGET = [
  'target',
  'remote-write',
  'interval',
  'timeout',
  'job',
  'external-label',
  'protocol',
  'honor-labels',
];
const PROMETHEUS =
  /^(no-)?(storage|web|log|query|rules|alertmanager|scrape|config|agent$|enable-feature$|auto-gomaxprocs$|auto-gomemlimit|auto-reload)/;
const FLUSH_DEADLINE_MS = 5_000;
const INTERVAL_MS = 15_000;

/** @throws SettingsError */
export function parseOptions(args: readonly string[]): RelayFlags | 'help' {
  const { flags, ignored } = readFlags(args);
  if (flags.has('help')) return 'help';
  const one = (name: string) => flags.get(name)?.at(-1);
  const file = one('config.file');
  const given = OF_TARGET.find((name) => flags.has(name));
  if (file !== undefined && given !== undefined) {
    throw new SettingsError(`--${given} and --config.file exclude each other`);
  }
  const warnings = ignored.map((name) => `--${name} means nothing to a relay: ignored`);
  const read = file === undefined ? { settings: fromFlags(flags), warnings: [] } : readConfigFile(file);
  const listen = one('web.listen-address');
  const deadline = one('storage.remote.flush-deadline');
  return {
    settings: read.settings,
    listen: listen === undefined ? undefined : readAddress(listen),
    flushDeadlineMs: deadline === undefined ? FLUSH_DEADLINE_MS : durationOf('storage.remote.flush-deadline', deadline),
    warnings: [...warnings, ...read.warnings],
  };
}

function readFlags(args: readonly string[]): { flags: Map<string, string[]>; ignored: string[] } {
  const flags = new Map<string, string[]>();
  const ignored: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const match = /^--?([a-z][\w.-]*)(?:=(.*))?$/s.exec(args[i]!);
    if (match === null) throw new SettingsError(`not a flag: "${args[i]}"`);
    const [, name, inline] = match as unknown as [string, string, string | undefined];
    if (name === 'help' || name === 'h') flags.set('help', []);
    else if (WITH_VALUE.includes(name)) {
      const value = inline ?? args[++i];
      if (value === undefined || value === '') throw new SettingsError(`--${name} needs a value`);
      flags.set(name, [...(flags.get(name) ?? []), value]);
    } else if (SWITCHES.includes(name)) {
      if (inline !== undefined && inline !== 'true') throw new SettingsError(`--${name} has no value`);
      flags.set(name, []);
    } else if (PROMETHEUS.test(name)) {
      if (!ignored.includes(name)) ignored.push(name);
      if (inline === undefined && args[i + 1]?.startsWith('-') === false) i++;
    } else throw new SettingsError(`no such flag: --${name}`);
  }
  return { flags, ignored };
}

function fromFlags(flags: ReadonlyMap<string, readonly string[]>): RelaySettings {
  const one = (name: string) => flags.get(name)?.at(-1);
  const target = one('target');
  const receiver = one('remote-write');
  if (target === undefined || receiver === undefined) {
    throw new SettingsError('give --target URL and --remote-write URL, or --config.file FILE');
  }
  const url = readUrl('target', target);
  if (url.pathname === '/') url.pathname = '/metrics';
  readUrl('remote-write', receiver);
  const interval = one('interval');
  const intervalMs = interval === undefined ? INTERVAL_MS : durationOf('interval', interval);
  const timeout = one('timeout');
  const timeoutMs = timeout === undefined ? Math.min(DEFAULT_TIMEOUT_MS, intervalMs) : durationOf('timeout', timeout);
  if (timeoutMs > intervalMs) throw new SettingsError('--timeout is longer than --interval');
  const protocol = one('protocol') ?? 'auto';
  if (protocol !== 'auto' && protocol !== '1.0' && protocol !== '2.0') {
    throw new SettingsError(`--protocol is auto, 1.0 or 2.0, not "${protocol}"`);
  }
  return {
    target: {
      url,
      labels: {
        labels: [
          ['job', one('job') ?? 'rw-relay'],
          ['instance', url.host],
        ],
        honorsPage: flags.has('honor-labels'),
      },
      honorsTimestamps: true,
      intervalMs,
      timeoutMs,
      accept: DEFAULT_ACCEPT,
      maxBytes: DEFAULT_MAX_BYTES,
    },
    endpoint: { url: receiver, protocol, externalLabels: readLabels(flags.get('external-label') ?? []) },
    endpointPlace: '--remote-write',
  };
}

function readLabels(texts: readonly string[]): LabelPair[] {
  const labels = new Map<string, string>();
  for (const text of texts) {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw new SettingsError(`--external-label is name=value, not "${text}"`);
    }
    if (name === '__name__') throw new SettingsError('--external-label: a metric has its own name');
    labels.set(name, value);
  }
  return [...labels];
}

function readUrl(flag: string, text: string): URL {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.username + url.password === '') {
    return url;
  }
  throw new SettingsError(`--${flag} needs an http or https URL without credentials`);
}

function durationOf(flag: string, text: string): number {
  const read = readDuration(text);
  if (typeof read === 'number') return read;
  throw new SettingsError(`--${flag}: ${read.error}`);
}

function readAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([\da-f:.]+)\]|([\w.-]*)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new SettingsError(`--web.listen-address is host:port, not "${text}"`);
  return { host: match[1] ?? match[2] ?? '', port };
}
