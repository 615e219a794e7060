// From rows to series: names, labels and values of a schema's parts.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  fullMask,
  INSTANCE_LABEL,
  makeSchema,
  seriesLabels,
  seriesOf,
  seriesOfPart,
  seriesValues,
  withSecondNames,
} from '../../src/registry/index.ts';

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

describe('second names', () => {
  const shared = makeSchema(
    't',
    ['a'],
    [
      { kind: 'counter', metric: 'calls_total' },
      { kind: 'histogram', metric: 'seconds', bounds: [0.5, 1, 2, 4], said: [1, 3] },
    ],
    { region: 'eu' },
    'traceID',
  );
  const schema = withSecondNames(shared, {
    parts: [
      null,
      {
        metric: 'ms',
        factor: 1000,
        buckets: [
          { bound: 0, le: '500' },
          { bound: 2, le: '2000' },
        ],
      },
    ],
    labels: ['b'],
    constantLabels: { scope: 's' },
    instanceLabel: 'process',
  });
  const row = Float64Array.of(10, 7.5, 1, 2, 3, 4, 5);

  test('say the same columns with other bounds and in another unit', () => {
    const series = seriesOf(schema);
    const out = new Float64Array(series.length);
    seriesValues(series, row, 0, out);
    expect(series.map(({ name, le }, i) => `${name}${le === undefined ? '' : ` ${le}`} = ${out[i]}`)).toEqual([
      'calls_total = 10',
      'seconds_bucket 1 = 3',
      'seconds_bucket 4 = 10',
      'seconds_bucket +Inf = 15',
      'seconds_sum = 7.5',
      'seconds_count = 15',
      'ms_bucket 500 = 1',
      'ms_bucket 2000 = 6',
      'ms_bucket +Inf = 15',
      'ms_sum = 7500',
      'ms_count = 15',
    ]);
    expect(schema.parts.map(seriesOfPart)).toEqual([1, 10]);
    expect(schema.parts.map(seriesOfPart).reduce((a, b) => a + b)).toBe(series.length);
  });

  test('have labels of their own', () => {
    const series = seriesOf(schema);
    const labels = (index: number) =>
      Object.fromEntries(seriesLabels(schema, ['x'], false, series[index]!, { [INSTANCE_LABEL]: 'i' }));
    expect(labels(4)).toEqual({ a: 'x', region: 'eu', [INSTANCE_LABEL]: 'i', __name__: 'seconds_sum' });
    expect(labels(9)).toEqual({ b: 'x', scope: 's', process: 'i', __name__: 'ms_sum' });
  });

  test('go without the label of the instance where its name is empty', () => {
    const without = { ...SCHEMA, instanceLabel: '' };
    const labels = seriesLabels(without, ['x', ''], false, seriesOf(without)[0]!, { [INSTANCE_LABEL]: 'i', c: 'd' });
    expect(Object.fromEntries(labels)).toEqual({ a: 'x', region: 'eu', c: 'd', __name__: 'calls_total' });
  });
});
