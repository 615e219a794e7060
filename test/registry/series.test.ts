// From rows to series: names, labels and values of a schema's parts.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fullMask, makeSchema, seriesLabels, seriesOf, seriesOfPart, seriesValues } from '../../src/registry/index.ts';

const SCHEMA = makeSchema(
  't',
  ['a', 'b'],
  [
    { kind: 'counter', metric: 'calls_total' },
    { kind: 'histogram', metric: 'seconds', bounds: [16.384, 0.002, 1, Number.POSITIVE_INFINITY] },
    { kind: 'gauge', metric: 'info' },
  ],
  { region: 'eu' },
  'traceID',
);

describe('the series of a schema', () => {
  test('are its parts with a histogram as ascending buckets, sum and count', () => {
    expect(
      seriesOf(SCHEMA).map(({ name, le, zero }) => `${name}${le === undefined ? '' : ` ${le}`}${zero ? ' 0' : ''}`),
    ).toEqual([
      'calls_total 0',
      'seconds_bucket 0.002 0',
      'seconds_bucket 1 0',
      'seconds_bucket 16.384 0',
      'seconds_bucket +Inf 0',
      'seconds_sum',
      'seconds_count 0',
      'info',
    ]);
    expect(fullMask(SCHEMA)).toBe(7);
    expect(SCHEMA.parts.map(seriesOfPart)).toEqual([1, 6, 1]);
  });

  test('have cumulative buckets and a count that is the last of them', () => {
    const series = seriesOf(SCHEMA);
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 6, maxLength: 6 }), fc.nat(3), (values, row) => {
        const columns = new Float64Array((row + 1) * SCHEMA.width);
        columns.set(values, row * SCHEMA.width);
        const out = new Float64Array(series.length);
        seriesValues(series, columns, row * SCHEMA.width, out);
        const [calls, sum, ...counts] = values as [number, number, ...number[]];
        const cumulative = counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0));
        expect([...out]).toEqual([calls, ...cumulative, sum, cumulative.at(-1), 1]);
      }),
    );
  });

  test('carry no empty labels; constant and common labels win, and nothing wins over le and the name', () => {
    const bucket = seriesOf(SCHEMA)[1]!;
    const labels = (row: string[], overflow: boolean, common: Record<string, string>) =>
      Object.fromEntries(seriesLabels(SCHEMA, row, overflow, bucket, common));
    expect(labels(['x', ''], false, {})).toEqual({ a: 'x', region: 'eu', le: '0.002', __name__: 'seconds_bucket' });
    expect(labels(['x', 'y'], false, { b: 'z', region: 'us', le: '7', __name__: 'n' })).toEqual({
      a: 'x',
      b: 'z',
      region: 'us',
      le: '0.002',
      __name__: 'seconds_bucket',
    });
    expect(labels(['', ''], true, {})).toEqual({
      metric_overflow: 'true',
      region: 'eu',
      le: '0.002',
      __name__: 'seconds_bucket',
    });
  });
});
