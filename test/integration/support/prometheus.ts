// A real Prometheus for a test: its own data directory, a loopback port, remote-write receiver and exemplars on.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort, waitFor } from './wait.ts';

/** The binary, or undefined where there is none. */
export function prometheusBinary(): string | undefined {
  const named = process.env['PROMETHEUS_BIN'];
  if (named) return named;
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'prometheus'))
    .find((path) => existsSync(path));
}

export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export class Prometheus {
  readonly url: string;
  private readonly dir: string;
  private readonly port: number;
  private process: ChildProcess | undefined;

  private constructor(dir: string, port: number) {
    this.dir = dir;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), 'spanmill-prometheus-'));
    writeFileSync(join(dir, 'prometheus.yml'), 'global: { scrape_interval: 1h }\n');
    const prometheus = new Prometheus(dir, await freePort());
    await prometheus.resume();
    return prometheus;
  }

  get writeUrl(): string {
    return `${this.url}/api/v1/write`;
  }

  /** Starts it (again) on the same data and port. */
  async resume(): Promise<void> {
    this.process = spawn(
      prometheusBinary()!,
      [
        `--config.file=${join(this.dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(this.dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${this.port}`,
        '--web.enable-remote-write-receiver',
        '--enable-feature=exemplar-storage',
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    await waitFor('Prometheus to be ready', async () => (await fetch(`${this.url}/-/ready`)).ok);
  }

  async pause(): Promise<void> {
    const { process: child } = this;
    this.process = undefined;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  async stop(): Promise<void> {
    await this.pause();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async query(promql: string, atSeconds?: number): Promise<Sample[]> {
    const time = atSeconds === undefined ? '' : `&time=${atSeconds}`;
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(promql)}${time}`);
    const answer = (await response.json()) as {
      status: string;
      error?: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (answer.status !== 'success') throw new Error(`${promql}: ${answer.error}`);
    return answer.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** Every sample of the matching series, as stored: `[seconds, value]` pairs per series. */
  async raw(
    selector: string,
    range: string,
  ): Promise<{ labels: Record<string, string>; samples: [number, number][] }[]> {
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(`${selector}[${range}]`)}`);
    const answer = (await response.json()) as {
      status: string;
      error?: string;
      data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
    };
    if (answer.status !== 'success') throw new Error(`${selector}: ${answer.error}`);
    return answer.data.result.map(({ metric, values }) => ({
      labels: metric,
      samples: values.map(([t, v]) => [t, Number(v)]),
    }));
  }
}
