export { latestStart, refuseDuplicates } from './check.ts';
export { BatchError, type BatchErrorCode } from './errors.ts';
export { BatchPart } from './part.ts';
export { createStableBatch, type StableBatch, type StableBatchOptions } from './stable-batch.ts';
