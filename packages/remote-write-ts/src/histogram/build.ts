// From counts by bucket to a native histogram, and the arithmetic of its buckets.

import {
  type BucketSpan,
  CUSTOM_BUCKETS_SCHEMA,
  checkHistogram,
  type NativeHistogram,
  type ResetHint,
} from './native.ts';

/** The usual zero threshold of client libraries. */
export const DEFAULT_ZERO_THRESHOLD = 2 ** -128;
/** So many empty buckets between two spans cost less as zero counts than as a new span. */
const FILLED_GAP = 2;

export interface ExponentialBuckets {
  schema: number;
  sum: number;
  /** Counts by index, in any order. */
  positive?: Iterable<readonly [index: number, count: number]>;
  negative?: Iterable<readonly [index: number, count: number]>;
  /** Default: `DEFAULT_ZERO_THRESHOLD`. */
  zeroThreshold?: number;
  zeroCount?: number;
  /** Default: what the buckets add up to. */
  count?: number;
  isFloat?: boolean;
  resetHint?: ResetHint;
}

/** @throws HistogramError */
export function exponentialHistogram(buckets: ExponentialBuckets): NativeHistogram {
  const positive = spansOf(buckets.positive ?? []);
  const negative = spansOf(buckets.negative ?? []);
  const zeroCount = buckets.zeroCount ?? 0;
  const histogram: NativeHistogram = {
    schema: buckets.schema,
    isFloat: buckets.isFloat ?? false,
    count: buckets.count ?? zeroCount + total(positive.counts) + total(negative.counts),
    sum: buckets.sum,
    zeroThreshold: buckets.zeroThreshold ?? DEFAULT_ZERO_THRESHOLD,
    zeroCount,
    positiveSpans: positive.spans,
    positiveCounts: positive.counts,
    negativeSpans: negative.spans,
    negativeCounts: negative.counts,
    ...(buckets.resetHint && { resetHint: buckets.resetHint }),
  };
  checkHistogram(histogram);
  return histogram;
}

export interface CustomBuckets {
  /** Upper bounds, without +Inf. */
  bounds: readonly number[];
  /** One for each bound, and one for what is above the last. Not cumulative. */
  counts: readonly number[];
  sum: number;
  isFloat?: boolean;
  resetHint?: ResetHint;
}

/**
 * A classic histogram as one native one. Only 2.0 can carry it.
 * @throws HistogramError
 */
export function customHistogram({ bounds, counts, sum, isFloat = false, resetHint }: CustomBuckets): NativeHistogram {
  const positive = spansOf(counts.entries());
  const histogram: NativeHistogram = {
    schema: CUSTOM_BUCKETS_SCHEMA,
    isFloat,
    count: total(counts),
    sum,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: positive.spans,
    positiveCounts: positive.counts,
    negativeSpans: [],
    negativeCounts: [],
    customBounds: bounds,
    ...(resetHint && { resetHint }),
  };
  checkHistogram(histogram);
  return histogram;
}

/** The same histogram with buckets twice as wide; counts stay exact. For schemas above -4. */
export function halveResolution(histogram: NativeHistogram): NativeHistogram {
  const widened = (spans: readonly BucketSpan[], counts: readonly number[]) => {
    const merged = new Map<number, number>();
    for (const [index, count] of indexed(spans, counts)) {
      const wide = Math.ceil(index / 2);
      merged.set(wide, (merged.get(wide) ?? 0) + count);
    }
    return merged;
  };
  return exponentialHistogram({
    ...histogram,
    schema: histogram.schema - 1,
    positive: widened(histogram.positiveSpans, histogram.positiveCounts),
    negative: widened(histogram.negativeSpans, histogram.negativeCounts),
  });
}

// Bounds of the mantissa, by schema.
const mantissaBounds = new Map<number, Float64Array>();
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** The index of the bucket that holds `value`; of a negative value, that of its negative bucket. Not for 0 and NaN. */
export function bucketIndex(value: number, schema: number): number {
  const magnitude = Math.abs(value);
  if (magnitude === Number.POSITIVE_INFINITY) return bucketIndex(Number.MAX_VALUE, schema) + 1;
  // value = mantissa * 2^exponent, 0.5 <= mantissa < 1, exactly: a logarithm would miss the bounds themselves.
  const isSubnormal = magnitude < 2 ** -1022;
  double[0] = isSubnormal ? magnitude * 2 ** 64 : magnitude;
  const exponent = ((words[1]! >>> 20) & 0x7ff) - 1022 - (isSubnormal ? 64 : 0);
  words[1] = (words[1]! & 0x800f_ffff) | (1022 << 20);
  const mantissa = double[0]!;
  if (schema > 0) {
    const bounds = boundsOf(schema);
    let low = 0;
    for (let high = bounds.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (bounds[middle]! < mantissa) low = middle + 1;
      else high = middle;
    }
    return low + (exponent - 1) * bounds.length;
  }
  const power = mantissa === 0.5 ? exponent - 1 : exponent;
  return Math.ceil(power / 2 ** -schema) + 0; // no -0
}

/** The upper bound of a positive bucket. */
export function bucketBound(index: number, schema: number): number {
  return 2 ** (index * 2 ** -schema);
}

function boundsOf(schema: number): Float64Array {
  let bounds = mantissaBounds.get(schema);
  if (bounds === undefined) {
    bounds = Float64Array.from({ length: 2 ** schema }, (_, i) => 0.5 * 2 ** (i / 2 ** schema));
    mantissaBounds.set(schema, bounds);
  }
  return bounds;
}

function* indexed(spans: readonly BucketSpan[], counts: readonly number[]): Generator<[index: number, count: number]> {
  let index = 0;
  let slot = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) yield [index++, counts[slot++]!];
  }
}

function spansOf(buckets: Iterable<readonly [number, number]>): { spans: BucketSpan[]; counts: number[] } {
  const spans: BucketSpan[] = [];
  const counts: number[] = [];
  let next = 0;
  for (const [index, count] of [...buckets].sort((a, b) => a[0] - b[0])) {
    if (count === 0) continue;
    const span = spans.at(-1);
    const gap = index - next;
    if (span === undefined || gap > FILLED_GAP) spans.push({ offset: gap, length: 1 });
    else {
      for (let i = 0; i < gap; i++) counts.push(0);
      span.length += gap + 1;
    }
    counts.push(count);
    next = index + 1;
  }
  return { spans, counts };
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
