export {
  bucketBound,
  bucketIndex,
  type CustomBuckets,
  customHistogram,
  DEFAULT_ZERO_THRESHOLD,
  type ExponentialBuckets,
  exponentialHistogram,
  halveResolution,
} from './build.ts';
export { HistogramError, type HistogramErrorCode } from './errors.ts';
export {
  type BucketSpan,
  CUSTOM_BUCKETS_SCHEMA,
  checkHistogram,
  type NativeHistogram,
  RESET_HINTS,
  type ResetHint,
} from './native.ts';
