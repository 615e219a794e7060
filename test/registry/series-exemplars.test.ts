// Which exemplars the series of a row have: the last of a bucket, or the first spans.

import { describe, expect, test } from 'vitest';
import type { ImageExemplar, ImageRow } from '../../src/registry/image.ts';
import { exemplarLabels, makeSchema, seriesExemplars, seriesOf, type TableSchema } from '../../src/registry/index.ts';

const SCHEMA = makeSchema(
  't',
  [],
  [
    { kind: 'counter', metric: 'calls' },
    { kind: 'histogram', metric: 'h', bounds: [1, 2], native: { schema: 0, maxBuckets: 10, minResetMs: 0 } },
    { kind: 'native', metric: 'n', native: { schema: 0, maxBuckets: 10, minResetMs: 0 } },
  ],
  {},
  'trace_id',
);
const FIRST: TableSchema = { ...SCHEMA, firstExemplars: 3 };

function rowOf(exemplars: ImageExemplar[]): ImageRow {
  const native = {
    schema: 0,
    zeroCount: 0,
    sum: 0,
    indexes: new Int32Array(0),
    counts: new Float64Array(0),
    resetMs: 0,
    dueMs: 0,
  };
  const natives = [
    { ...native, exemplars: [] },
    { ...native, exemplars: [{ value: 7, atMs: 0, traceId: Uint8Array.of(7) }] },
  ];
  const rest = {
    labels: [],
    overflow: false,
    admitted: 7,
    unborn: 0,
    zeroMs: 0,
    startMs: 0,
    values: new Float64Array(0),
  };
  return { id: 0, ...rest, exemplars, natives };
}

const exemplar = (bucket: number, value: number, spanId?: Uint8Array): ImageExemplar => ({
  bucket,
  value,
  traceId: Uint8Array.of(0, value),
  ...(spanId && { spanId }),
});

function shown(schema: TableSchema, row: ImageRow): Record<string, number[]> {
  const found = seriesOf(schema).map((spec) => [
    `${spec.name}${spec.le ?? ''}${spec.kind === 'native' ? ' native' : ''}`,
    seriesExemplars(schema, row, spec).map(({ value }) => value),
  ]);
  return Object.fromEntries(found.filter(([, values]) => values!.length > 0)) as Record<string, number[]>;
}

describe('exemplars of a row', () => {
  test('are the last of each bucket, and those that a native histogram keeps', () => {
    const row = rowOf([exemplar(0, 1), exemplar(2, 9), exemplar(0, 0.5)]);
    expect(shown(SCHEMA, row)).toEqual({ h_bucket1: [0.5], 'h_bucket+Inf': [9], 'n native': [7] });
  });

  test('are the first spans where these are asked for: of calls and native histograms all, ascending', () => {
    const row = rowOf([exemplar(2, 9), exemplar(0, 1), exemplar(0, 0.5)]);
    expect(shown(FIRST, row)).toEqual({
      calls: [0.5, 1, 9],
      h_bucket1: [0.5, 1],
      'h_bucket+Inf': [9],
      'n native': [0.5, 1, 9],
    });
  });

  test('are no more than that where several boundaries came together', () => {
    const row = rowOf([exemplar(2, 9), exemplar(2, 8), exemplar(0, 1), exemplar(0, 0.5)]);
    expect(shown(FIRST, row)).toMatchObject({ calls: [1, 8, 9], h_bucket1: [1] });
    expect(row.exemplars.map(({ value }) => value)).toEqual([9, 8, 1, 0.5]);
  });

  test('say the trace without leading zeros, or in full with the span’s id', () => {
    expect(exemplarLabels(SCHEMA, exemplar(0, 10))).toEqual({ trace_id: 'a' });
    expect(exemplarLabels(FIRST, exemplar(0, 10, Uint8Array.of(0, 1)))).toEqual({ span_id: '0001', trace_id: '000a' });
    expect(exemplarLabels(FIRST, exemplar(0, 10, new Uint8Array(0)))).toEqual({ trace_id: '000a' });
  });
});
