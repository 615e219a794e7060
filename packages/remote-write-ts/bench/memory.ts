// What a series costs that nothing is sent for, after garbage collection. A process of its own runs it, with --expose-gc:
// `forked('memory.ts', …)`.

import {
  createSeries,
  createSeriesBatch,
  createWriter,
  type Series,
  type SeriesBatch,
  WriteRequestV2Builder,
} from '../src/index.ts';
import { answer } from './fork.ts';
import { FIRST_MS, labelsOf, METADATA } from './material.ts';

export interface MemoryReport {
  /** Bytes of a series' labels as 1.0 has them on the wire. */
  labelBytes: number;
  /** Bytes of memory for each series, all included: of a handle that is kept, */
  handle: number;
  /** of one that has been sent as 2.0, */
  handleSentAsV2: number;
  /** and of a series of a batch whose handles are let go. */
  batch: number;
}

const writer = createWriter({ url: 'http://localhost:1/', userAgent: 'bench/1', protocol: '1.0' });

// What is held is held here and nowhere else: a variable of a function may keep more alive than it names.
const held: { series: Series[]; batch: SeriesBatch | undefined } = { series: [], batch: undefined };

function make(count: number): void {
  held.series = Array.from({ length: count }, (_, i) => createSeries(labelsOf(i), METADATA));
}

function sendAsV2(): void {
  const builder = new WriteRequestV2Builder();
  for (const one of held.series) builder.addSample(one, 1, FIRST_MS);
}

function letGo(): void {
  held.batch = createSeriesBatch(writer, held.series);
  held.series = [];
}

async function run(count: number): Promise<MemoryReport> {
  make(10);
  letGo();
  const before = await used();
  make(count);
  const withHandles = (await used()) - before;
  sendAsV2();
  const withSymbols = (await used()) - before;
  const labelBytes = held.series.reduce((sum, one) => sum + one.labelBytes.length, 0);
  letGo();
  const withBatch = (await used()) - before;
  await writer.close();
  return {
    labelBytes: labelBytes / count,
    handle: withHandles / count,
    handleSentAsV2: withSymbols / count,
    batch: withBatch / count,
  };
}

async function used(): Promise<number> {
  // Entries that nobody holds go in steps: a collection, then its clean-up, then what only the clean-up held.
  for (let i = 0; i < 5; i++) {
    globalThis.gc!();
    await new Promise(setImmediate);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

answer(run);
