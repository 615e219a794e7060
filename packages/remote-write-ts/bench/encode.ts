// Encoding and compressing a batch, in each of the ways that this package has, and what precedes it once per series. A process of
// its own runs it: `forked('encode.ts')`.

import {
  createSeries,
  createStableBatch,
  type Protocol,
  snappyCompress,
  snappyUncompress,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../src/index.ts';
import { answer } from './fork.ts';
import { FIRST_MS, INTERVAL_MS, labelSets, METADATA, SERIES, valueSets } from './material.ts';
import { type Figures, measure, type Task } from './measure.ts';

export interface EncodeReport {
  figures: Figures[];
  /** Bytes of a request, before and after compression. */
  sizes: Record<Protocol, { plain: number; dynamic: number; patchable: number }>;
  /** Milliseconds (wall) of making a patchable batch: the first of the process, and the median of later ones. */
  build: Record<Protocol, { firstMs: number; laterMs: number }>;
}

const sets = labelSets(SERIES);
const series = sets.map((set) => createSeries(set, METADATA));
const valuesOf = valueSets(SERIES);
const v1 = new WriteRequestBuilder();
const v2 = new WriteRequestV2Builder();

function encodeV1(push: number): void {
  v1.reset();
  const values = valuesOf[push % valuesOf.length]!;
  const timestampMs = FIRST_MS + push * INTERVAL_MS;
  for (let i = 0; i < SERIES; i++) v1.addSample(series[i]!, values[i]!, timestampMs);
}

function encodeV2(push: number): void {
  v2.reset();
  const values = valuesOf[push % valuesOf.length]!;
  const timestampMs = FIRST_MS + push * INTERVAL_MS;
  for (let i = 0; i < SERIES; i++) v2.addSample(series[i]!, values[i]!, timestampMs);
}

function build(protocol: Protocol): { firstMs: number; laterMs: number } {
  const times = Array.from({ length: 30 }, () => {
    const startedMs = performance.now();
    createStableBatch(series, { protocol });
    return performance.now() - startedMs;
  });
  const later = times.slice(10).sort((a, b) => a - b);
  return { firstMs: times[0]!, laterMs: later[later.length >> 1]! };
}

async function run(rounds: number, roundMs: number): Promise<EncodeReport> {
  // Before anything is warm: the first batch of a process is made by code that isn't compiled yet.
  const builds = { '1.0': build('1.0'), '2.0': build('2.0') };
  const patchable = {
    '1.0': createStableBatch(series, { protocol: '1.0' }),
    '2.0': createStableBatch(series, { protocol: '2.0' }),
  };
  const push = (protocol: Protocol) => (index: number) => {
    patchable[protocol].push(valuesOf[index % valuesOf.length]!, FIRST_MS + index * INTERVAL_MS);
  };
  encodeV1(1);
  encodeV2(1);
  const plain = Uint8Array.from(v1.uncompressed());
  const body = v1.finish();
  const tasks: Task[] = [
    { name: 'patchable 1.0', units: SERIES, run: push('1.0') },
    { name: 'patchable 2.0', units: SERIES, run: push('2.0') },
    { name: 'encode 1.0', units: SERIES, run: encodeV1 },
    { name: 'encode 2.0', units: SERIES, run: encodeV2 },
    {
      name: 'encode + compress 1.0',
      units: SERIES,
      run(i) {
        encodeV1(i);
        v1.finish();
      },
    },
    {
      name: 'encode + compress 2.0',
      units: SERIES,
      run(i) {
        encodeV2(i);
        v2.finish();
      },
    },
    {
      name: 'create series',
      units: SERIES,
      run() {
        for (let i = 0; i < SERIES; i++) createSeries(sets[i]!, METADATA);
      },
    },
    {
      name: 'compress 1.0 (per byte)',
      units: plain.length,
      run() {
        snappyCompress(plain);
      },
    },
    {
      name: 'uncompress 1.0 (per byte)',
      units: plain.length,
      run() {
        snappyUncompress(body, plain.length);
      },
    },
  ];
  const figures = await measure(tasks, rounds, roundMs);
  encodeV1(1);
  encodeV2(1);
  return {
    figures,
    sizes: {
      '1.0': { plain: v1.sizeBytes, dynamic: v1.finish().length, patchable: patchable['1.0'].sizeBytes },
      '2.0': { plain: v2.sizeBytes, dynamic: v2.finish().length, patchable: patchable['2.0'].sizeBytes },
    },
    build: builds,
  };
}

answer(run);
