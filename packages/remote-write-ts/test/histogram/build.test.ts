import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bucketBound,
  bucketIndex,
  checkHistogram,
  customHistogram,
  exponentialHistogram,
  HistogramError,
  halveResolution,
  type NativeHistogram,
} from '../../src/index.ts';

const positive = fc.double({ min: 5e-324, noNaN: true, noDefaultInfinity: true });

function codeOf(histogram: NativeHistogram): string | undefined {
  try {
    checkHistogram(histogram);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(HistogramError);
    return (error as HistogramError).code;
  }
}

describe('the bucket of a value', () => {
  it('is the one whose bounds enclose it', () => {
    fc.assert(
      fc.property(positive, fc.integer({ min: -4, max: 8 }), (value, schema) => {
        const index = bucketIndex(value, schema);
        // A bound computed as a power may be off by a few units in the last place, and by more where doubles are subnormal.
        const slack = 1 + 1e-12;
        expect(value).toBeLessThanOrEqual(bucketBound(index, schema) * slack + 1e-323);
        expect(value * slack + 1e-323).toBeGreaterThanOrEqual(bucketBound(index - 1, schema));
        expect(bucketIndex(-value, schema)).toBe(index);
      }),
    );
  });

  it('ends with its upper bound', () => {
    for (let schema = -4; schema <= 8; schema++) {
      for (let power = -40; power <= 40; power++) {
        const atPower = bucketIndex(2 ** power, schema);
        expect(atPower).toBe(Math.ceil(power * 2 ** schema) + 0);
        const isBound = Number.isInteger(power * 2 ** schema);
        expect(bucketIndex(2 ** power * (1 + Number.EPSILON), schema)).toBe(isBound ? atPower + 1 : atPower);
      }
    }
  });

  it('of infinity is beyond that of the largest number', () => {
    expect(bucketIndex(Number.POSITIVE_INFINITY, 3)).toBe(bucketIndex(Number.MAX_VALUE, 3) + 1);
  });
});

describe('building a histogram', () => {
  it('makes spans of neighbours and fills gaps of two', () => {
    const histogram = exponentialHistogram({
      schema: 3,
      sum: 10,
      positive: [
        [7, 1],
        [-2, 3],
        [-1, 4],
        [2, 5],
        [9, 0],
      ],
      zeroCount: 2,
    });
    expect(histogram.positiveSpans).toEqual([
      { offset: -2, length: 5 },
      { offset: 4, length: 1 },
    ]);
    expect(histogram.positiveCounts).toEqual([3, 4, 0, 0, 5, 1]);
    expect(histogram.count).toBe(15);
  });

  it('halves the resolution without losing a count or moving a value out of its bucket', () => {
    fc.assert(
      fc.property(fc.array(positive, { maxLength: 50 }), fc.integer({ min: -3, max: 8 }), (values, schema) => {
        const at = (s: number) => {
          const buckets = new Map<number, number>();
          for (const value of values) buckets.set(bucketIndex(value, s), (buckets.get(bucketIndex(value, s)) ?? 0) + 1);
          return exponentialHistogram({ schema: s, sum: 1, positive: buckets, negative: buckets });
        };
        expect(halveResolution(at(schema))).toEqual(at(schema - 1));
      }),
    );
  });

  it('carries a classic layout as custom buckets', () => {
    expect(customHistogram({ bounds: [0.1, 1, 10], counts: [1, 0, 2, 3], sum: 40 })).toMatchObject({
      schema: -53,
      count: 6,
      positiveSpans: [{ offset: 0, length: 4 }],
      positiveCounts: [1, 0, 2, 3],
      customBounds: [0.1, 1, 10],
    });
  });
});

describe('checking a histogram', () => {
  const good = exponentialHistogram({ schema: 0, sum: 3, positive: [[1, 2]] });
  const custom = customHistogram({ bounds: [1, 2], counts: [1, 1, 1], sum: 5 });

  it.each<[string, NativeHistogram, string | undefined]>([
    ['takes a good one', good, undefined],
    ['takes custom buckets', custom, undefined],
    ['takes an empty one', exponentialHistogram({ schema: 8, sum: 0 }), undefined],
    ['takes fractions of floats', { ...good, isFloat: true, count: 0.5, positiveCounts: [0.5] }, undefined],
    ['takes NaN observations outside the buckets', { ...good, count: 3, sum: Number.NaN }, undefined],
    ['refuses an unknown schema', { ...good, schema: 9 }, 'bad_schema'],
    ['refuses a schema of no whole number', { ...good, schema: 0.5 }, 'bad_schema'],
    ['refuses more counts than buckets', { ...good, positiveCounts: [1, 1] }, 'bad_spans'],
    [
      'refuses a negative gap',
      {
        ...good,
        positiveSpans: [
          { offset: 0, length: 1 },
          { offset: -1, length: 0 },
        ],
      },
      'bad_spans',
    ],
    ['refuses a negative count', { ...good, count: 1, positiveCounts: [-1], zeroCount: 2 }, 'bad_count'],
    ['refuses fractions of integers', { ...good, count: 0.5, positiveCounts: [0.5] }, 'bad_count'],
    ['refuses a NaN count', { ...good, isFloat: true, count: Number.NaN }, 'bad_count'],
    ['refuses a count beyond the buckets', { ...good, count: 3 }, 'count_mismatch'],
    ['refuses a count below the buckets even with a NaN sum', { ...good, count: 1, sum: Number.NaN }, 'count_mismatch'],
    ['refuses a negative zero threshold', { ...good, zeroThreshold: -1 }, 'bad_zero'],
    ['refuses bounds of an exponential schema', { ...good, customBounds: [1] }, 'bad_bounds'],
    ['refuses bounds that repeat', { ...custom, customBounds: [1, 1] }, 'bad_bounds'],
    ['refuses an infinite bound', { ...custom, customBounds: [1, Number.POSITIVE_INFINITY] }, 'bad_bounds'],
    ['refuses too few bounds', { ...custom, customBounds: [1] }, 'bad_bounds'],
    ['refuses a zero bucket beside custom ones', { ...custom, zeroCount: 1, count: 4 }, 'bad_zero'],
    ['refuses custom buckets below the first', { ...custom, positiveSpans: [{ offset: -1, length: 3 }] }, 'bad_spans'],
  ])('%s', (_title, histogram, code) => {
    expect(codeOf(histogram)).toBe(code);
  });
});
