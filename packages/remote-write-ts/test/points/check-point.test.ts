// A point that no request could carry is refused where it is given, by name: in a batch it would cost the others.

import { describe, expect, test } from 'vitest';
import { createExemplar, createSeries, customHistogram } from '../../src/index.ts';
import { checkPoint, type Point } from '../../src/points/index.ts';

const series = createSeries([['__name__', 'orders_total']]);
const timestampMs = 1_700_000_000_000;
const sample = { kind: 'sample', series, value: 1, timestampMs };
const histogram = customHistogram({ bounds: [1], counts: [1, 2], sum: 3 });

function refusal(point: object): unknown {
  try {
    checkPoint(point as Point);
    return undefined;
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

describe('checkPoint', () => {
  test.each([
    ['a sample', sample],
    ['what is no number, as NaN', { ...sample, value: Number.NaN }],
    ['exemplars', { ...sample, exemplars: [createExemplar([['trace_id', 'a']], 1, timestampMs)] }],
    ['a histogram', { kind: 'histogram', series, histogram, timestampMs }],
    ['an end', { kind: 'stale', series, timestampMs }],
    ['the end of histograms', { kind: 'stale_histogram', series, timestampMs }],
  ])('takes %s', (_, point) => {
    expect(refusal(point)).toBeUndefined();
  });

  test.each([
    [{ ...sample, value: 42n }, 'TypeError: a point of orders_total: the value is a bigint'],
    [{ ...sample, value: '42' }, 'TypeError: a point of orders_total: the value is a string'],
    [{ ...sample, value: undefined }, 'TypeError: a point of orders_total: the value is a undefined'],
    [{ ...sample, value: null }, 'TypeError: a point of orders_total: the value is a object'],
    [{ ...sample, kind: 'gauge' }, 'TypeError: a point of orders_total: no kind of point is "gauge"'],
    [{ series, value: 5, timestampMs }, 'TypeError: a point of orders_total: no kind of point is undefined'],
    [{ ...sample, series: { labels: [] } }, 'TypeError: a point without a series of createSeries'],
    [{ ...sample, series: undefined }, 'TypeError: a point without a series of createSeries'],
    [
      { ...sample, exemplars: [{ labels: { trace_id: 'a' }, value: 1, timestampMs }] },
      'TypeError: a point of orders_total: an exemplar is not of createExemplar',
    ],
    [
      { ...sample, exemplars: [{ ...createExemplar([], 1, timestampMs), value: 1n }] },
      'TypeError: a point of orders_total: the value of an exemplar is a bigint',
    ],
    [{ ...sample, timestampMs: 1.5 }, 'RangeError: not a timestamp in milliseconds: 1.5'],
    [{ kind: 'histogram', series, timestampMs }, 'TypeError: a point of orders_total: no histogram'],
    [
      { kind: 'histogram', series, histogram: { ...histogram, sum: 3n }, timestampMs },
      'HistogramError: the sum is a bigint',
    ],
    [
      { kind: 'histogram', series, histogram: { ...histogram, resetHint: 'maybe' }, timestampMs },
      'HistogramError: no reset hint is maybe',
    ],
  ])('refuses %o', (point, message) => {
    expect(refusal(point)).toBe(message);
  });
});
