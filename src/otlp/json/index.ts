export { MAX_VALUE_DEPTH } from './encode.ts';
export { OtlpJsonError, type OtlpJsonReason } from './errors.ts';
export { type TranscodeOptions, transcodeJson, transcodeRequestObject } from './transcode.ts';
