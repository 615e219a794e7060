export { BackWriter } from './back-writer.ts';
export { MAX_VALUE_DEPTH } from './encode.ts';
export { OtlpJsonError, type OtlpJsonReason } from './errors.ts';
export * as jsonScalars from './scalars.ts';
export { type TranscodeOptions, transcodeJson, transcodeRequestObject } from './transcode.ts';
export { countValues } from './value-count.ts';
