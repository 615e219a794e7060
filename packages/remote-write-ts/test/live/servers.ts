// Real receivers for live tests: found where they are installed, started on a free port with a folder of their own.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** In the environment variable, in /usr/bin or in PATH. */
export function findBinary(variable: string, name: string): string | undefined {
  const inPath = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, name));
  return [process.env[variable], `/usr/bin/${name}`, ...inPath].find((path) => {
    if (!path) return false;
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A test's title that says why it is skipped, where it is. */
export function liveTitle(title: string, binary: string | undefined, variable: string, name: string): string {
  return binary ? title : `${title} (skipped: no binary in ${variable}, at /usr/bin/${name} or in PATH)`;
}

/** What a Prometheus can do, by its own help: a build may have no version to go by. */
export interface Abilities {
  /** Remote-write 2.0, of which 1.0 is what the tests expect where it is missing. */
  speaks2: boolean;
  /** PromQL that goes by stored start timestamps. */
  queriesStarts: boolean;
}

export function abilitiesOf(binary: string | undefined): Abilities {
  if (binary === undefined) return { speaks2: false, queriesStarts: false };
  const { stdout, stderr } = spawnSync(binary, ['--help'], { encoding: 'utf8' });
  const help = stdout + stderr;
  return {
    speaks2: help.includes('--web.remote-write-receiver.accepted-protobuf-messages'),
    queriesStarts: help.includes('use-start-timestamps'),
  };
}

export interface PrometheusOptions {
  /** Of its configuration file, instead of an empty one. */
  config?: string;
  flags?: string[];
}

export interface Live {
  base: string;
  /** Where it keeps what is its own, `data` among it. */
  dir: string;
  /** Kills it without a word. */
  kill(): Promise<void>;
  /** Starts it again, on the same port with the same data. */
  restart(): Promise<void>;
  /** Kills it and removes its data. */
  remove(): Promise<void>;
}

/** @param features that it doesn't know are ignored by it, with a line in its log. */
export async function startPrometheus(
  binary: string,
  features: string,
  { config = 'global: {}\n', flags = [] }: PrometheusOptions = {},
): Promise<Live> {
  const dir = await mkdtemp(join(tmpdir(), 'remote-write-'));
  await writeFile(join(dir, 'prometheus.yml'), config);
  return start(
    binary,
    dir,
    (port) => [
      '--web.enable-remote-write-receiver',
      `--enable-feature=${features}`,
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...flags,
    ],
    'Server is ready to receive web requests',
  );
}

export async function startVictoriaMetrics(binary: string): Promise<Live> {
  const dir = await mkdtemp(join(tmpdir(), 'remote-write-'));
  return start(
    binary,
    dir,
    (port) => [
      `-storageDataPath=${join(dir, 'data')}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-search.latencyOffset=0s',
      '-search.disableCache',
    ],
    'started VictoriaMetrics in',
  );
}

async function start(binary: string, dir: string, options: (port: number) => string[], ready: string): Promise<Live> {
  const port = await freePort();
  let server: ChildProcess | undefined;

  async function run(): Promise<void> {
    const started = spawn(binary, options(port), { stdio: ['ignore', 'ignore', 'pipe'] });
    server = started;
    // Its log is read to the end, or the pipe would fill up and stop it.
    const log = createInterface({ input: started.stderr! });
    await new Promise<void>((resolve, reject) => {
      log.on('line', (line) => {
        if (line.includes(ready)) resolve();
      });
      log.once('close', () => reject(new Error(`${binary} ended before it was ready`)));
    });
  }

  async function kill(): Promise<void> {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((resolve) => server!.once('exit', resolve));
    server.kill('SIGKILL');
    await gone;
  }

  await run();
  return {
    base: `http://127.0.0.1:${port}`,
    dir,
    kill,
    restart: run,
    async remove() {
      await kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The data of an answer of the Prometheus HTTP API. */
export async function api<T>(base: string, path: string, parameters: Record<string, string>): Promise<T> {
  const response = await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const answer = (await response.json()) as { status: string; data: T; error?: string };
  if (answer.status !== 'success') throw new Error(answer.error ?? 'no success');
  return answer.data;
}

/** The values of an instant query, as numbers by a label. */
export async function instant(
  base: string,
  query: string,
  atMs: number,
  label = '__name__',
): Promise<Map<string, number>> {
  const { result } = await api<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
    base,
    'query',
    {
      query,
      time: String(atMs / 1000),
    },
  );
  return new Map(result.map(({ metric, value }) => [metric[label] ?? '', Number(value[1])]));
}

/** The samples of a range, as `[milliseconds, value]`; of native histograms their counts. */
export async function raw(base: string, selector: string, range: string, atMs: number): Promise<[number, number][]> {
  const { result } = await api<{
    result: { values?: [number, string][]; histograms?: [number, { count: string }][] }[];
  }>(base, 'query', { query: `${selector}[${range}]`, time: String(atMs / 1000) });
  return result.flatMap(({ values = [], histograms = [] }) => [
    ...values.map(([seconds, value]): [number, number] => [Math.round(seconds * 1000), Number(value)]),
    ...histograms.map(([seconds, { count }]): [number, number] => [Math.round(seconds * 1000), Number(count)]),
  ]);
}
