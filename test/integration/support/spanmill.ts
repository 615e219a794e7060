// spanmill as a user runs it: the launcher in a process of its own, a configuration file, a data directory.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, Hopeless, waitFor } from './wait.ts';

export const ROOT = new URL('../../..', import.meta.url).pathname;
export const LAUNCHER = join(ROOT, 'bin/spanmill');

export interface SpanmillOptions {
  remoteWrite?: string[];
  intervalMs?: number;
  /** More YAML, top level. */
  extra?: string;
  /** More keys of `metrics_generator`, and of each endpoint, in one line. */
  generator?: string;
  endpoint?: string;
  partitions?: number;
  staleMs?: number;
  /** The `log` block as YAML in one line; absent = an embedded log. */
  log?: string;
  /** Added to the environment. */
  env?: Record<string, string>;
}

export class Spanmill {
  readonly dir: string;
  readonly url: string;
  readonly otlp: string;
  /** Everything it has written to standard error, all runs. */
  log = '';
  private readonly apiPort: number;
  private readonly otlpPort: number;
  private readonly env: Record<string, string>;
  private process: ChildProcess | undefined;

  private constructor(dir: string, apiPort: number, otlpPort: number, env: Record<string, string>) {
    this.dir = dir;
    this.env = env;
    this.apiPort = apiPort;
    this.otlpPort = otlpPort;
    this.url = `http://127.0.0.1:${apiPort}`;
    this.otlp = `http://127.0.0.1:${otlpPort}`;
  }

  static async start(options: SpanmillOptions = {}): Promise<Spanmill> {
    const dir = mkdtempSync(join(tmpdir(), 'spanmill-app-'));
    const spanmill = new Spanmill(dir, await freePort(), await freePort(), options.env ?? {});
    writeFileSync(join(dir, 'config.yaml'), spanmill.yaml(options));
    await spanmill.resume();
    return spanmill;
  }

  /** Starts it (again) on the same data. */
  async resume(): Promise<void> {
    const child = spawn(LAUNCHER, [`-config.file=${join(this.dir, 'config.yaml')}`], {
      cwd: this.dir,
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr!.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
    this.process = child;
    let exited: number | null | undefined;
    child.once('exit', (code) => {
      exited = code;
    });
    await waitFor('spanmill to be ready', async () => {
      if (exited !== undefined) throw new Hopeless(`spanmill ended with ${exited}: ${this.log.slice(-2_000)}`);
      return (await fetch(`${this.url}/ready`)).ok;
    });
  }

  /** As the machine's power switch would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Exit code of a clean end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    return this.end(signal);
  }

  /** Sends a signal and waits for nothing. */
  signal(name: NodeJS.Signals): void {
    this.process?.kill(name);
  }

  async remove(): Promise<void> {
    if (this.process) await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async spanMetrics(): Promise<string> {
    return (await fetch(`${this.url}/span-metrics`)).text();
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const { process: child } = this;
    this.process = undefined;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => {
      child.once('exit', (code) => resolve(code));
    });
    child.kill(signal);
    return ended;
  }

  private yaml({
    remoteWrite = [],
    intervalMs = 1_000,
    extra = '',
    generator = '',
    endpoint = '',
    partitions = 4,
    staleMs = 900_000,
    log = `{ kind: embedded, embedded: { path: ${join(this.dir, 'log')}, partitions: ${partitions} } }`,
  }: SpanmillOptions): string {
    return `
server: { http_listen_port: ${this.apiPort} }
receivers: { otlp: { http: { endpoint: "127.0.0.1:${this.otlpPort}" }, grpc: null } }
log: ${log}
ledger: { path: ${join(this.dir, 'ledger')} }
metrics_generator:
  ${generator}
  registry: { collection_interval: ${intervalMs}ms, stale_duration: ${staleMs}ms }
  storage:
    remote_write: [${remoteWrite.map((url) => `{ url: "${url}", ${endpoint} }`).join(', ')}]
${extra}
`;
  }
}
