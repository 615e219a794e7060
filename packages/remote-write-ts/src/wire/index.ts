export { decodeWriteRequest } from './decode.ts';
export { decodeWriteRequestV2 } from './decode-v2.ts';
export type {
  DecodedExemplar,
  DecodedHistogram,
  DecodedMetadata,
  DecodedSample,
  DecodedSeries,
  DecodedWriteRequest,
} from './decoded.ts';
export { WireError, type WireErrorCode } from './errors.ts';
export type { Protocol } from './protocol.ts';
export { SAMPLE_HEADER_BYTES, TAG_SAMPLES } from './sample.ts';
export { checkStart, checkTimestamp } from './timestamp.ts';
export { type EncodedExemplar, WriteRequestBuilder } from './write-request.ts';
export { type PointExtras, WriteRequestV2Builder } from './write-request-v2.ts';
export { int64Size, NAN_HIGH, NAN_LOW, WireWriter } from './writer.ts';
