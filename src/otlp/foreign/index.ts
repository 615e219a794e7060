export { detectEncoding } from './detect.ts';
export { RECORD_ENCODINGS, RecordDecodeError, type RecordEncoding, type RecordFault } from './errors.ts';
export {
  type TranscodedRecord,
  transcode,
  transcodeJaegerJson,
  transcodeJaegerProto,
  transcodeZipkinJson,
  transcodeZipkinProto,
} from './transcode.ts';
