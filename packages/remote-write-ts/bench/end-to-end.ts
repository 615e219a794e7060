// What sending costs from the values to the answer, HTTP included: the sender's CPU time for one sample. The receiver is another
// process on the same machine. A process of its own runs it: `forked('end-to-end.ts', …)`.

import { fork } from 'node:child_process';
import { join } from 'node:path';
import {
  createRemoteWrite,
  createSeries,
  createSeriesBatch,
  createWriter,
  type Point,
  type Protocol,
  type WriteOutcome,
} from '../src/index.ts';
import { answer } from './fork.ts';
import { FIRST_MS, INTERVAL_MS, labelSets, METADATA, SERIES, valueSets } from './material.ts';
import { type Figures, measure, type Task } from './measure.ts';

const PROTOCOLS = ['1.0', '2.0'] as const;
const series = labelSets(SERIES).map((set) => createSeries(set, METADATA));
const valuesOf = valueSets(SERIES);
const closers: (() => Promise<void>)[] = [];

async function run(rounds: number, roundMs: number): Promise<Figures[]> {
  const receiver = fork(join(import.meta.dirname, 'receiver.ts'), [], { execArgv: process.execArgv });
  const port = await new Promise<unknown>((resolve) => receiver.once('message', resolve));
  const options = {
    url: `http://127.0.0.1:${port}/write`,
    userAgent: 'bench/1.0',
    headers: { 'x-samples': String(SERIES) },
  };
  const tasks = [
    ...PROTOCOLS.map((protocol) => patched({ ...options, protocol })),
    ...PROTOCOLS.map((protocol) => throughWriter({ ...options, protocol })),
    ...PROTOCOLS.map((protocol) => throughClient({ ...options, protocol })),
  ];
  const figures = await measure(tasks, rounds, roundMs);
  for (const close of closers) await close();
  receiver.disconnect();
  return figures;
}

interface Options {
  url: string;
  userAgent: string;
  headers: Record<string, string>;
  protocol: Protocol;
}

function patched(options: Options): Task {
  const writer = createWriter(options);
  const batch = createSeriesBatch(writer, series);
  closers.push(() => writer.close());
  return {
    name: `patchable batch ${options.protocol}`,
    units: SERIES,
    async run(push) {
      checked(await batch.push(valuesOf[push % valuesOf.length]!, FIRST_MS + push * INTERVAL_MS));
    },
  };
}

function throughWriter(options: Options): Task {
  const writer = createWriter(options);
  closers.push(() => writer.close());
  return {
    name: `writer ${options.protocol}`,
    units: SERIES,
    async run(push) {
      checked(await writer.write(pointsOf(push)));
    },
  };
}

function throughClient(options: Options): Task {
  const client = createRemoteWrite({ ...options, queue: { minShards: 4, maxShards: 4 }, sendExemplars: false });
  closers.push(async () => {
    await client.close();
    const { sent, failed } = client.stats();
    if (failed.samples > 0 || sent.samples === 0) throw new Error(`${failed.samples} samples failed`);
  });
  return {
    name: `client with a queue ${options.protocol}`,
    units: SERIES * 10,
    async run(turn) {
      for (let k = 0; k < 10; k++) await client.append(pointsOf(turn * 10 + k));
      await client.flush();
    },
  };
}

function pointsOf(push: number): Point[] {
  const values = valuesOf[push % valuesOf.length]!;
  const timestampMs = FIRST_MS + push * INTERVAL_MS;
  return series.map((one, i): Point => ({ kind: 'sample', series: one, value: values[i]!, timestampMs }));
}

function checked({ sent, requests }: WriteOutcome): void {
  if (sent.samples !== SERIES || requests !== 1) throw new Error(`${sent.samples} samples in ${requests} requests`);
}

answer(run);
