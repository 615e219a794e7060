// Prometheus remote-write: labels, wire, snappy, a retrying sender, and a client with a queue, each usable alone.

export { type AuthOptions, type OAuth2Options, type Secret, type SigV4Options, signV4 } from './auth/index.ts';
export {
  BatchError,
  type BatchErrorCode,
  createStableBatch,
  type StableBatch,
  type StableBatchOptions,
} from './batch/index.ts';
export * from './client/index.ts';
export {
  type DiskDropReason,
  type DiskErrorKind,
  type DiskFile,
  DiskQueueError,
  type DiskQueueErrorCode,
  type DiskQueueOptions,
  type DiskQueueStats,
  type FileSystem,
  type FsyncPolicy,
} from './disk-queue/index.ts';
export * from './errors/index.ts';
export * from './histogram/index.ts';
export * from './labels/index.ts';
export * from './names/index.ts';
export type {
  HistogramPoint,
  KindCounts,
  Point,
  PointCounts,
  RequestBody,
  SamplePoint,
  StaleHistogramPoint,
  StalePoint,
} from './points/index.ts';
export * from './self-metrics/index.ts';
export {
  type AttemptInfo,
  createSender,
  FORBIDDEN_HEADERS,
  type Sender,
  type SenderOptions,
  type SenderStats,
  type SendOutcome,
  type WrittenCounts,
} from './sender/index.ts';
export { SnappyError, type SnappyErrorCode, snappyCompress, snappyUncompress } from './snappy/index.ts';
export type {
  ProxyOptions,
  ProxySettings,
  TlsOptions,
  Transport,
  TransportRequest,
  TransportResponse,
} from './transport/index.ts';
export {
  type DecodedExemplar,
  type DecodedHistogram,
  type DecodedMetadata,
  type DecodedSample,
  type DecodedSeries,
  type DecodedWriteRequest,
  decodeWriteRequest,
  decodeWriteRequestV2,
  type EncodedExemplar,
  type PointExtras,
  type Protocol,
  WireError,
  type WireErrorCode,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from './wire/index.ts';
