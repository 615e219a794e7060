// The command line of `spanmill generate`. A flag that can't be used is a `UsageError` of one line.
import { parseArgs } from 'node:util';
import type { Batching } from './cutter.ts';
import { tracesUrl } from './http-exporter.ts';

export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export interface GenerateOptions {
  target:
    | { type: 'otlp' | 'grpc'; url: URL; isGzip: boolean; tenant: string; concurrency: number }
    | { type: 'file'; path: string };
  /** 0 is as fast as possible. */
  ratePerSecond: number;
  spans: number | undefined;
  durationMs: number | undefined;
  seed: number;
  start: bigint | 'now';
  batching: Batching;
}

export const USAGE = `Usage: spanmill generate (--otlp URL | --grpc ADDR | --file FILE) [options]

Makes the traces of a web shop, the same for the same seed, and prints at the end what was acknowledged, as one JSON object.

  --otlp URL         an OTLP/HTTP receiver, base address or .../v1/traces
  --grpc ADDR        an OTLP/gRPC receiver, host or host:port (4317); https://host:port for TLS
  --file FILE        a file of length-delimited requests (uint32 LE, ExportTraceServiceRequest)
  --rate N           spans per second, 500 by default; 0 is as fast as possible
  --spans N          how many in all (--file: 100000 by default; otherwise endless until SIGINT)
  --duration TIME    no new traces after this time: 90, 90s, 5m, 1h
  --seed N           1 by default
  --start TIME       RFC 3339, Unix seconds, or now (--file: 2026-01-01T00:00:00Z by default; otherwise now)
  --batching HOW     gateway (several services in a request, default) or sdk (each service for itself)
  --concurrency N    requests in flight, 4 by default
  --gzip             compress requests
  --tenant NAME      X-Scope-OrgID
`;

export const FILE_START = 1_767_225_600_000_000_000n;
const FLAGS = {
  otlp: { type: 'string' },
  file: { type: 'string' },
  grpc: { type: 'string' },
  kafka: { type: 'string' },
  topic: { type: 'string' },
  encoding: { type: 'string' },
  codec: { type: 'string' },
  gzip: { type: 'boolean' },
  rate: { type: 'string' },
  spans: { type: 'string' },
  duration: { type: 'string' },
  seed: { type: 'string' },
  start: { type: 'string' },
  batching: { type: 'string' },
  concurrency: { type: 'string' },
  tenant: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): GenerateOptions | 'help' {
  const flags = readFlags(argv);
  if (flags.help) return 'help';
  if (flags.kafka !== undefined) throw new UsageError('--kafka is not built yet: use --otlp or --file');
  for (const name of ['topic', 'encoding', 'codec'] as const) {
    if (flags[name] !== undefined) throw new UsageError(`--${name} goes with --kafka, which is not built yet`);
  }
  const { otlp, grpc, file } = flags;
  const targets = (['otlp', 'grpc', 'file'] as const).filter((name) => flags[name] !== undefined);
  if (targets.length === 0) throw new UsageError('where to? give --otlp URL, --grpc ADDR or --file FILE');
  if (targets.length > 1) throw new UsageError(`--${targets[0]} and --${targets[1]} exclude each other`);
  if (file !== undefined) {
    for (const name of ['gzip', 'concurrency', 'tenant'] as const) {
      if (flags[name] !== undefined) throw new UsageError(`--${name} goes with --otlp and --grpc only`);
    }
    if (file === '') throw new UsageError('--file needs a path');
  }
  const { batching = 'gateway' } = flags;
  if (batching !== 'gateway' && batching !== 'sdk')
    throw new UsageError(`--batching is gateway or sdk, not "${batching}"`);
  return {
    target:
      file !== undefined
        ? { type: 'file', path: file }
        : {
            type: grpc === undefined ? 'otlp' : 'grpc',
            url: grpc === undefined ? readUrl(otlp!) : readAddress(grpc),
            isGzip: flags.gzip ?? false,
            tenant: readTenant(flags.tenant ?? ''),
            concurrency: readInteger('concurrency', flags.concurrency ?? '4', 1, 1_024),
          },
    ratePerSecond: readInteger('rate', flags.rate ?? '500', 0, 10_000_000),
    spans: flags.spans === undefined ? undefined : readInteger('spans', flags.spans, 1, Number.MAX_SAFE_INTEGER),
    durationMs: flags.duration === undefined ? undefined : readDuration(flags.duration),
    seed: readInteger('seed', flags.seed ?? '1', 0, Number.MAX_SAFE_INTEGER),
    start: flags.start === undefined ? (file === undefined ? 'now' : FILE_START) : readTime(flags.start),
    batching,
  };
}

function readFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const [line] = (error as Error).message.split(/\n|\. To specify/);
    throw new UsageError(line!);
  }
}

function readUrl(value: string): URL {
  try {
    return tracesUrl(value);
  } catch {
    throw new UsageError(`--otlp needs an http or https address, not "${value}"`);
  }
}

/** The scheme is made one without a port of its own, because a URL forgets a port that is its scheme's. */
function readAddress(value: string): URL {
  const match = /^(?:(https?):\/\/)?([^/@?#]+)\/?$/.exec(value);
  try {
    const url = new URL(`${match![1] === 'https' ? 'grpcs' : 'grpc'}://${match![2]}`);
    if (url.hostname === '') throw new TypeError('no host');
    if (url.port === '') url.port = '4317';
    return url;
  } catch {
    throw new UsageError(`--grpc needs an address such as localhost:4317, not "${value}"`);
  }
}

/** Printable ASCII: anything else can't be a header's value. */
function readTenant(value: string): string {
  if (!/^[ -~]*$/.test(value)) throw new UsageError('--tenant holds a character that a header can not');
  return value;
}

function readInteger(name: string, value: string, least: number, most: number): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`--${name} is an integer from ${least} to ${most}, not "${value}"`);
}

const UNIT_MS: Readonly<Record<string, number>> = { '': 1_000, s: 1_000, m: 60_000, h: 3_600_000 };

function readDuration(value: string): number {
  const match = /^(\d{1,7})([smh]?)$/.exec(value);
  if (match === null || Number(match[1]) === 0)
    throw new UsageError(`--duration is a time such as 90s, 5m or 1h, not "${value}"`);
  return Number(match[1]) * UNIT_MS[match[2]!]!;
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d)$/i;

function readTime(value: string): bigint | 'now' {
  if (value === 'now') return 'now';
  if (/^\d{1,10}$/.test(value)) return BigInt(value) * 1_000_000_000n;
  const match = RFC_3339.exec(value);
  // Parsing this one format is exact and the same everywhere; the fraction is taken by hand, for its nanoseconds.
  const ms = match === null ? Number.NaN : Date.parse(value.toUpperCase().replace(/\.\d+/, ''));
  if (!(ms >= 0)) throw new UsageError(`--start is RFC 3339, Unix seconds or now, not "${value}"`);
  return BigInt(ms) * 1_000_000n + BigInt((match![1] ?? '').padEnd(9, '0'));
}
