// A native histogram as data, and the invariants that a receiver checks, or fails to check and stores nonsense. Source:
// the histogram message of Remote-Write 1.0/2.0 and Prometheus' rules for it.

import { HistogramError } from './errors.ts';

/** A run of neighbouring buckets. */
export interface BucketSpan {
  /** Of the first span: the index of its first bucket. Of a later one: the empty buckets since the one before, 0 or more. */
  offset: number;
  length: number;
}

/** What the receiver may assume about a counter reset before this histogram. `unknown` is always right. */
export const RESET_HINTS = ['unknown', 'yes', 'no', 'gauge'] as const;
export type ResetHint = (typeof RESET_HINTS)[number];

/** The schema of custom buckets, which only 2.0 can carry. */
export const CUSTOM_BUCKETS_SCHEMA = -53;

/** Buckets grow by 2^(2^-schema); bucket i holds what is above base^(i-1), up to and with base^i. */
export interface NativeHistogram {
  /** -4 (coarse) to 8 (fine), or `CUSTOM_BUCKETS_SCHEMA`. */
  schema: number;
  /** Counts may be fractions, and travel as doubles. */
  isFloat: boolean;
  /** All observations, NaN included. */
  count: number;
  sum: number;
  /** The zero bucket holds what is not further than this from 0. */
  zeroThreshold: number;
  zeroCount: number;
  positiveSpans: readonly BucketSpan[];
  /** One count for each bucket of the spans: not cumulative, no deltas. */
  positiveCounts: readonly number[];
  negativeSpans: readonly BucketSpan[];
  negativeCounts: readonly number[];
  /** Of custom buckets: the upper bounds, increasing, without the +Inf that ends them. */
  customBounds?: readonly number[];
  resetHint?: ResetHint;
}

const MAX_INT32 = 2 ** 31 - 1;

/** @throws HistogramError for what a receiver would refuse or misread. */
export function checkHistogram(histogram: NativeHistogram): void {
  const { schema, isFloat, count, sum, zeroCount, zeroThreshold, resetHint } = histogram;
  const isCustom = schema === CUSTOM_BUCKETS_SCHEMA;
  if (!isCustom && !(Number.isInteger(schema) && schema >= -4 && schema <= 8)) {
    throw new HistogramError('bad_schema', `schema ${schema} is neither -4 to 8 nor ${CUSTOM_BUCKETS_SCHEMA}`);
  }
  if (isCustom) checkCustom(histogram);
  else if (histogram.customBounds?.length) throw new HistogramError('bad_bounds', `schema ${schema} has no bounds`);
  if (!(zeroThreshold >= 0 && zeroThreshold < Number.POSITIVE_INFINITY)) {
    throw new HistogramError('bad_zero', `zero threshold ${zeroThreshold}`);
  }
  if (resetHint !== undefined && !RESET_HINTS.includes(resetHint)) {
    throw new HistogramError('bad_reset_hint', `no reset hint is ${String(resetHint)}`);
  }
  if (typeof sum !== 'number') throw new HistogramError('bad_count', `the sum is a ${typeof sum}`);
  checkCount(count, isFloat);
  checkCount(zeroCount, isFloat);
  checkSpans(histogram.positiveSpans, histogram.positiveCounts, !isCustom);
  checkSpans(histogram.negativeSpans, histogram.negativeCounts, !isCustom);
  let total = zeroCount;
  for (const bucket of histogram.positiveCounts) total += checkCount(bucket, isFloat);
  for (const bucket of histogram.negativeCounts) total += checkCount(bucket, isFloat);
  // NaN observations are in the count but in no bucket. Sums of fractions may differ in the last digits.
  const tolerance = isFloat ? count * 1e-9 : 0;
  if (total > count + tolerance || (!Number.isNaN(sum) && total < count - tolerance)) {
    throw new HistogramError('count_mismatch', `buckets hold ${total} observations of ${count}`);
  }
}

function checkCount(count: number, isFloat: boolean): number {
  if (!(count >= 0) || (isFloat ? count === Number.POSITIVE_INFINITY : !Number.isSafeInteger(count))) {
    throw new HistogramError('bad_count', `a count of ${count}`);
  }
  return count;
}

function checkSpans(spans: readonly BucketSpan[], counts: readonly number[], mayStartBelowZero: boolean): void {
  let buckets = 0;
  for (let i = 0; i < spans.length; i++) {
    const { offset, length } = spans[i]!;
    const min = i === 0 && mayStartBelowZero ? -MAX_INT32 : 0;
    if (!Number.isInteger(offset) || offset < min || offset > MAX_INT32) {
      throw new HistogramError('bad_spans', `a span's offset is ${offset}`);
    }
    if (!Number.isInteger(length) || length < 0 || length > MAX_INT32) {
      throw new HistogramError('bad_spans', `a span's length is ${length}`);
    }
    buckets += length;
  }
  if (buckets !== counts.length) {
    throw new HistogramError('bad_spans', `spans of ${buckets} buckets with ${counts.length} counts`);
  }
}

function checkCustom({ customBounds, zeroThreshold, zeroCount, negativeSpans, positiveSpans }: NativeHistogram): void {
  if (zeroThreshold !== 0 || zeroCount !== 0 || negativeSpans.length > 0) {
    throw new HistogramError('bad_zero', 'custom buckets have neither a zero bucket nor negative ones');
  }
  const bounds = customBounds ?? [];
  for (let i = 0; i < bounds.length; i++) {
    if (!Number.isFinite(bounds[i]) || (i > 0 && bounds[i]! <= bounds[i - 1]!)) {
      throw new HistogramError('bad_bounds', 'custom bounds are finite and increase');
    }
  }
  let end = 0;
  for (const { offset, length } of positiveSpans) end += offset + length;
  if (end > bounds.length + 1) throw new HistogramError('bad_bounds', `${end} buckets with ${bounds.length} bounds`);
}
