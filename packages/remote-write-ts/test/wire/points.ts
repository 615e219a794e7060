// Arbitrary series, exemplars and histograms, and what the independent decoder must read of them.

import fc from 'fast-check';
import {
  createExemplar,
  createSeries,
  customHistogram,
  type Exemplar,
  exponentialHistogram,
  type LabelPair,
  METRIC_TYPES,
  type NativeHistogram,
  type Series,
} from '../../src/index.ts';
import type { ProtoHistogram } from './proto.ts';

export const anyValue = fc.oneof(
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
export const anyTimestampMs = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: 1.6e12, max: 2e12 }),
  fc.constantFrom(0, -1, 1, 2 ** 32, -(2 ** 32)),
);

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
const names = fc.uniqueArray(text, { maxLength: 6 });

export const anySeries: fc.Arbitrary<Series> = fc
  .record({
    names,
    values: fc.array(text, { minLength: 7, maxLength: 7 }),
    metadata: fc.option(
      fc.record({ type: fc.constantFrom(...METRIC_TYPES), help: fc.string({ unit: 'binary' }), unit: fc.string() }),
      { nil: undefined },
    ),
  })
  .map(({ names, values, metadata }) => {
    const pairs = names.filter((name) => name !== '__name__').map((name, i): LabelPair => [name, values[i]!]);
    return createSeries([...pairs, ['__name__', values[6]!]], metadata);
  });

export const anyExemplars: fc.Arbitrary<Exemplar[]> = fc.array(
  fc
    .record({
      id: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }),
      value: anyValue,
      at: anyTimestampMs,
    })
    .map(({ id, value, at }) => createExemplar([['trace_id', id]], value, at)),
  { maxLength: 3 },
);

const count = fc.oneof(fc.nat(20), fc.integer({ min: 1, max: 2 ** 40 }));
const fraction = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
const buckets = (counts: fc.Arbitrary<number>) =>
  fc.uniqueArray(fc.tuple(fc.integer({ min: -3000, max: 3000 }), counts), {
    selector: ([index]) => index,
    maxLength: 20,
  });

const exponential = fc.boolean().chain((isFloat) => {
  const counts = isFloat ? fraction : count;
  return fc
    .record({
      schema: fc.integer({ min: -4, max: 8 }),
      sum: anyValue,
      positive: buckets(counts),
      negative: buckets(counts),
      zeroCount: counts,
      zeroThreshold: fc.constantFrom(0, 2 ** -128, 0.5),
      resetHint: fc.constantFrom('unknown' as const, 'yes' as const, 'no' as const, 'gauge' as const),
    })
    .map((parts) => exponentialHistogram({ ...parts, isFloat }));
});

const custom = fc
  .record({
    bounds: fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), {
      maxLength: 8,
      comparator: (a, b) => a === b,
    }),
    counts: fc.array(count, { minLength: 9, maxLength: 9 }),
    sum: anyValue,
    isFloat: fc.boolean(),
  })
  .map(({ bounds, counts, ...rest }) =>
    customHistogram({ bounds: bounds.sort((a, b) => a - b), counts: counts.slice(0, bounds.length + 1), ...rest }),
  );

export const anyExponential: fc.Arbitrary<NativeHistogram> = exponential;
export const anyHistogram: fc.Arbitrary<NativeHistogram> = fc.oneof(exponential, custom);

/** The message without `start_timestamp`. Written apart from the encoder: sums of deltas must give the counts. */
export function expectedHistogram(histogram: NativeHistogram, timestampMs: number): object {
  const { isFloat } = histogram;
  const hints = { unknown: 'UNSPECIFIED', yes: 'YES', no: 'NO', gauge: 'GAUGE' };
  return {
    ...(isFloat
      ? { count_float: histogram.count, zero_count_float: histogram.zeroCount }
      : { count_int: String(histogram.count), zero_count_int: String(histogram.zeroCount) }),
    sum: histogram.sum,
    schema: histogram.schema,
    zero_threshold: histogram.zeroThreshold,
    negative_spans: histogram.negativeSpans,
    negative: histogram.negativeCounts,
    positive_spans: histogram.positiveSpans,
    positive: histogram.positiveCounts,
    reset_hint: hints[histogram.resetHint ?? 'unknown'],
    timestamp: String(timestampMs),
    custom_values: histogram.customBounds ?? [],
  };
}

export function readHistogram(read: ProtoHistogram): object {
  const { negative_deltas, negative_counts, positive_deltas, positive_counts, start_timestamp: _, ...rest } = read;
  return {
    ...rest,
    negative: read.count_int === undefined ? negative_counts : running(negative_deltas),
    positive: read.count_int === undefined ? positive_counts : running(positive_deltas),
  };
}

function running(deltas: readonly string[]): number[] {
  let count = 0n;
  return deltas.map((delta) => {
    count += BigInt(delta);
    return Number(count);
  });
}
