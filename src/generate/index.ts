export type { CallCount, EdgeCount, LoadResult, Outcome, Timing, UnknownEntry } from './account.ts';
export { type CorpusOptions, writeCorpus } from './corpus.ts';
export type { Batching } from './cutter.ts';
export type { Clock } from './deliver.ts';
export { createLoad, type Load, type LoadOptions, type LoadRequest } from './load.ts';
export { type GenerateIo, runGenerate } from './run.ts';
