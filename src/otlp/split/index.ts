export { type AdmittedRequest, admitRequest, splitByTrace, traceBuckets, validateRequest } from './admit.ts';
export { CopiesTooLarge, OtlpDecodeError, type OtlpDecodeReason } from './errors.ts';
export { partitionOf } from './partition.ts';
export type { RequestPart } from './rebuild.ts';
export { MAX_VALUE_DEPTH } from './walk.ts';
