export { createRemoteWrite, type RemoteWrite } from './client.ts';
export type { ProtocolChoice } from './negotiation.ts';
export type { MetadataOptions, QueueOptions, RemoteWriteOptions, WriterOptions } from './options.ts';
export { MAX_NAMED_POINTS, type Refusal, type WriteDropReason, type WriteOutcome } from './outcome.ts';
export { ClosedError } from './queue.ts';
export { createSeriesBatch, type SeriesBatch, type SeriesBatchOptions } from './series-batch.ts';
export { type BatchInfo, DROP_REASONS, type DropReason, type RemoteWriteStats } from './stats.ts';
export { createWriter } from './writer.ts';
export type { WriteOptions, Writer } from './writer-interface.ts';
