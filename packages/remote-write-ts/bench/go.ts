// The same batch through the code that Prometheus sends with (go/main.go). Where there is no Go, or no way to its modules, it says so
// and is left out.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  compareUtf8,
  createSeries,
  createStableBatch,
  type Protocol,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../src/index.ts';
import { FIRST_MS, labelSets, METADATA, SERIES, valueSets } from './material.ts';

export interface GoProgram {
  version: string;
  /** Nanoseconds of CPU for one sample, and the compressed size, of each task. */
  measure(taskMs: number): Promise<{ name: string; ns: number; bytes: number }[]>;
  close(): Promise<void>;
}

interface Reading {
  series: number;
  labels: number;
  sum: number;
  timestamp: number;
}

const SOURCE = join(import.meta.dirname, 'go');

/** @returns why not, if it can't be built. Checks first that Go reads this package's bodies as they are meant. */
export async function buildGo(): Promise<GoProgram | { missing: string }> {
  const version = spawnSync('go', ['version'], { encoding: 'utf8' });
  if (version.status !== 0) return { missing: 'there is no `go` in PATH' };
  const dir = await mkdtemp(join(tmpdir(), 'remote-write-bench-'));
  const binary = join(dir, 'bench');
  const built = spawnSync('go', ['build', '-o', binary, '.'], { cwd: SOURCE, encoding: 'utf8' });
  if (built.status !== 0) {
    await rm(dir, { recursive: true });
    return { missing: `\`go build\` failed: ${built.stderr.trim().split('\n').at(-1)}` };
  }
  const sets = labelSets(SERIES).map((set) => set.sort(([a], [b]) => compareUtf8(a, b)));
  const ask = async (job: object) => JSON.parse(await answerOf(binary, JSON.stringify(job)));
  await checkBodies(ask);
  return {
    version: version.stdout.trim().split(' ')[2] ?? '',
    async measure(taskMs) {
      return (await ask({ series: sets, help: METADATA.help, taskNs: taskMs * 1e6 })).figures;
    },
    close: () => rm(dir, { recursive: true }),
  };
}

async function answerOf(binary: string, job: string): Promise<string> {
  const child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(job);
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const answer = await text(child.stdout);
  if ((await exit) !== 0) throw new Error('the Go program failed');
  return answer;
}

// Each body, dynamic and patched, as Prometheus' own code reads it.
async function checkBodies(ask: (job: object) => Promise<{ v1: Reading[]; v2: Reading[] }>): Promise<void> {
  const sets = labelSets(SERIES);
  const series = sets.map((set) => createSeries(set, METADATA));
  const values = valueSets(SERIES)[7]!;
  const bodies = (protocol: Protocol): string[] => {
    const batch = createStableBatch(series, { protocol });
    batch.push(valueSets(SERIES)[3]!, FIRST_MS);
    const patched = batch.push(values, FIRST_MS + 1);
    return [dynamic(protocol), patched].map((body) => Buffer.from(body).toString('base64'));
  };
  const dynamic = (protocol: Protocol): Uint8Array => {
    const v1 = new WriteRequestBuilder();
    const v2 = new WriteRequestV2Builder();
    for (const [i, one] of series.entries()) {
      v1.addSample(one.labelBytes, values[i]!, FIRST_MS + 1);
      v2.addSample(one, values[i]!, FIRST_MS + 1);
    }
    return protocol === '1.0' ? v1.finish() : v2.finish();
  };
  const read = await ask({ bodiesV1: bodies('1.0'), bodiesV2: bodies('2.0') });
  let sum = 0;
  for (const value of values) sum += value;
  const expected = JSON.stringify({ series: SERIES, labels: SERIES * 8, sum, timestamp: FIRST_MS + 1 });
  for (const reading of [...read.v1, ...read.v2]) {
    if (JSON.stringify(reading) !== expected) throw new Error(`Go reads ${JSON.stringify(reading)}, not ${expected}`);
  }
}
