export {
  type DecodedExemplar,
  type DecodedSample,
  type DecodedSeries,
  type DecodedWriteRequest,
  decodeWriteRequest,
} from './decode.ts';
export { WireError, type WireErrorCode } from './errors.ts';
export { type EncodedExemplar, WriteRequestBuilder } from './write-request.ts';
