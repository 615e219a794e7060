// A real Prometheus for a test: its own data directory, a loopback port, remote-write receiver and exemplars on, native histograms and
// other features where a test wants them.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
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

/** What the binary can do, by its own help: a build may have no version to go by. Nothing where there is none. */
export function prometheusAbilities(): PrometheusAbilities {
  const binary = prometheusBinary();
  if (!binary) return { speaks2: false, storesStarts: false };
  const { stdout, stderr } = spawnSync(binary, ['--help'], { encoding: 'utf8' });
  const help = stdout + stderr;
  return { speaks2: help.includes(ACCEPTED), storesStarts: help.includes('st-storage') };
}

export interface PrometheusAbilities {
  /** Remote-write 2.0. */
  speaks2: boolean;
  /** Start timestamps of samples, and queries that go by them. */
  storesStarts: boolean;
}

const ACCEPTED = '--web.remote-write-receiver.accepted-protobuf-messages';

export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface PrometheusOptions {
  nativeHistograms?: boolean;
  /** Further ones. Those that it doesn't know are ignored by it. */
  features?: readonly string[];
  /** The only message that its receiver takes, of a Prometheus that can be told so. */
  accepts?: 'prometheus.WriteRequest' | 'io.prometheus.write.v2.Request';
}

export class Prometheus {
  readonly url: string;
  private readonly dir: string;
  private readonly port: number;
  private readonly flags: readonly string[];
  private process: ChildProcess | undefined;

  private constructor(
    dir: string,
    port: number,
    { nativeHistograms = false, features = [], accepts }: PrometheusOptions,
  ) {
    this.dir = dir;
    this.port = port;
    const all = ['exemplar-storage', ...(nativeHistograms ? ['native-histograms'] : []), ...features];
    this.flags = [`--enable-feature=${all.join(',')}`, ...(accepts ? [`${ACCEPTED}=${accepts}`] : [])];
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(options: PrometheusOptions = {}): Promise<Prometheus> {
    const dir = mkdtempSync(join(tmpdir(), 'spanmill-prometheus-'));
    writeFileSync(join(dir, 'prometheus.yml'), 'global: { scrape_interval: 1h }\n');
    const prometheus = new Prometheus(dir, await freePort(), options);
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
        ...this.flags,
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
    const { result } = await this.get<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(promql)}${time}`,
    );
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** Every sample of the matching series, as stored: `[seconds, value]` pairs per series. */
  async raw(
    selector: string,
    range: string,
  ): Promise<{ labels: Record<string, string>; samples: [number, number][] }[]> {
    return (await this.matrix(selector, range)).map(({ metric, values = [] }) => ({
      labels: metric,
      samples: values.map(([t, v]) => [t, Number(v)]),
    }));
  }

  /** Every native histogram of the matching series, as stored: `[seconds, count]` pairs per series. */
  async rawHistograms(
    selector: string,
    range: string,
  ): Promise<{ labels: Record<string, string>; counts: [number, number][] }[]> {
    return (await this.matrix(selector, range)).map(({ metric, histograms = [] }) => ({
      labels: metric,
      counts: histograms.map(([t, { count }]) => [t, Number(count)]),
    }));
  }

  /** Those of the last hour. */
  async exemplars(
    selector: string,
  ): Promise<{ series: Record<string, string>; labels: Record<string, string>; value: number }[]> {
    const [start, end] = [Date.now() / 1_000 - 3_600, Date.now() / 1_000 + 60];
    const found = await this.get<
      { seriesLabels: Record<string, string>; exemplars: { labels: Record<string, string>; value: string }[] }[]
    >(`query_exemplars?query=${encodeURIComponent(selector)}&start=${start}&end=${end}`);
    return found.flatMap(({ seriesLabels, exemplars }) =>
      exemplars.map(({ labels, value }) => ({ series: seriesLabels, labels, value: Number(value) })),
    );
  }

  private async matrix(selector: string, range: string): Promise<Matrix> {
    return (await this.get<{ result: Matrix }>(`query?query=${encodeURIComponent(`${selector}[${range}]`)}`)).result;
  }

  private async get<T>(path: string): Promise<T> {
    const answer = (await (await fetch(`${this.url}/api/v1/${path}`)).json()) as {
      status: string;
      error?: string;
      data: T;
    };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }
}

type Matrix = {
  metric: Record<string, string>;
  values?: [seconds: number, value: string][];
  histograms?: [seconds: number, histogram: { count: string }][];
}[];
