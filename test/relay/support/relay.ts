// A relay in a process of its own, driven as the public sender suite drives a sender: a file of Prometheus' shape,
// `--web.listen-address`, SIGINT at the end.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Target } from './target.ts';

const CLI = new URL('../../../src/cli.ts', import.meta.url).pathname;

export interface RelayProcess {
  /** What it has said on standard error. */
  log(): string;
  isAlive(): boolean;
  /** Resolves when the log holds the text. */
  said(text: string): Promise<void>;
  /** The exit code; null if it was killed. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface RelayOptions {
  target: Target;
  writeUrl: string;
  protocol?: '1.0' | '2.0';
  /** Also the time that a scrape may take: not so little that a busy machine can't answer within it. */
  interval?: string;
  /** Further YAML of `remote_write[0]`, as lines without indentation. */
  write?: string[];
  scrape?: string[];
  flags?: string[];
}

const open: { child: ChildProcess; dir: string }[] = [];

export function closeRelays(): void {
  for (const { child, dir } of open.splice(0)) {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

export function startRelay(options: RelayOptions): RelayProcess {
  const { target, writeUrl, protocol = '2.0', interval = '250ms', write = [], scrape = [], flags = [] } = options;
  const dir = mkdtempSync(join(tmpdir(), 'spanmill-relay-'));
  const file = join(dir, 'prometheus.yml');
  const message = protocol === '2.0' ? 'io.prometheus.write.v2.Request' : 'prometheus.WriteRequest';
  writeFileSync(
    file,
    `global:
  scrape_interval: ${interval}
scrape_configs:
  - job_name: test
    scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, PrometheusText0.0.4]
    static_configs:
      - targets: ['${target.address}']
${scrape.map((line) => `    ${line}\n`).join('')}
remote_write:
  - url: '${writeUrl}'
    protobuf_message: ${message}
    send_exemplars: true
    metadata_config: { send: true }
${write.map((line) => `    ${line}\n`).join('')}`,
  );
  const child = spawn(
    process.execPath,
    ['--conditions=source', CLI, 'rw-relay', '--web.listen-address=127.0.0.1:0', `--config.file=${file}`, ...flags],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  open.push({ child, dir });
  let log = '';
  let hear = () => {};
  child.stderr!.on('data', (chunk: Buffer) => {
    log += chunk.toString();
    hear();
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    log: () => log,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    said: (text) =>
      new Promise<void>((resolve) => {
        hear = () => {
          if (log.includes(text)) resolve();
        };
        hear();
      }),
    stop(signal = 'SIGINT') {
      child.kill(signal);
      return exited;
    },
  };
}
