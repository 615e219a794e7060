// Exemplars that are the first spans of an interval, against a list: so many per row, in the order of the spans.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FirstExemplars } from '../../src/registry/first-exemplars.ts';

const MOST = 2;

type Step =
  | { kind: 'add'; row: number; bucket: number; value: number; trace: Uint8Array; span: Uint8Array }
  | { kind: 'forget'; row: number }
  | { kind: 'clear' }
  | { kind: 'grow' };

const id = (length: number) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.uint8Array({ minLength: length, maxLength: length }) },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 70 }) },
    { weight: 1, arbitrary: fc.constantFrom(new Uint8Array(0), new Uint8Array(length)) },
  );
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      row: fc.nat(3),
      bucket: fc.nat(5),
      value: fc.double({ noNaN: true }),
      trace: id(16),
      span: id(8),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('forget' as const), row: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'clear' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'grow' }) },
);

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const isId = (bytes: Uint8Array, longest: number) => bytes.length <= longest && bytes.some((b) => b !== 0);

/** The place of a row is its number. */
function shown(pool: FirstExemplars, rows = 8): string[] {
  const said = pool.columns(Int32Array.from({ length: rows }, (_, row) => row + 1));
  let top = 0;
  const out = Array.from(said.exemplarRows, (row, i) => {
    const traceEnd = top + said.exemplarLengths[i]!;
    const end = traceEnd + said.exemplarSpanLengths[i]!;
    const ids = [said.exemplarBytes.subarray(top, traceEnd), said.exemplarBytes.subarray(traceEnd, end)];
    top = end;
    return `${row}/${said.exemplarBuckets[i]} ${said.exemplarValues[i]} ${ids.map(hex).join(' ')}`;
  });
  expect(top).toBe(said.exemplarBytes.length);
  return out;
}

describe('the first exemplars of an interval', () => {
  test('are so many per row, of spans with a trace id', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const pool = new FirstExemplars(MOST, 4);
        let model: { row: number; text: string }[] = [];
        let rows = 4;
        for (const one of steps) {
          if (one.kind === 'add') {
            const { row, bucket, value, trace, span } = one;
            const buf = new Uint8Array([9, ...trace, 9, ...span, 9]);
            const spanStart = 2 + trace.length;
            pool.add(row, bucket, Float64Array.of(0, value), 1, buf, 1, trace.length, spanStart, span.length);
            if (isId(trace, 60) && model.filter((other) => other.row === row).length < MOST) {
              model.push({ row, text: `${row}/${bucket} ${value} ${hex(trace)} ${isId(span, 8) ? hex(span) : ''}` });
            }
          } else if (one.kind === 'forget') {
            pool.forgetRow(one.row);
            model = model.filter(({ row }) => row !== one.row);
          } else if (one.kind === 'clear') {
            pool.clear();
            model = [];
          } else {
            rows += 2;
            pool.growRows(rows);
          }
          expect(shown(pool)).toEqual(model.map(({ text }) => text));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('are those of the rows that have a place, and tell it', () => {
    const pool = new FirstExemplars(MOST, 4);
    for (const row of [0, 1, 2, 3]) {
      const ids = new Uint8Array(24).fill(row + 1);
      pool.add(row, 1, Float64Array.of(row / 2), 0, ids, 0, row === 2 ? 5 : 16, 16, 8);
    }
    expect(pool.columns(Int32Array.of(0, 2, 1, 0))).toEqual({
      exemplarRows: Uint32Array.of(1, 0),
      exemplarBuckets: Uint32Array.of(1, 1),
      exemplarValues: Float64Array.of(0.5, 1),
      exemplarLengths: Uint32Array.of(16, 5),
      exemplarSpanLengths: Uint32Array.of(8, 8),
      exemplarBytes: Uint8Array.of(...new Uint8Array(24).fill(2), ...new Uint8Array(13).fill(3)),
    });
  });

  test('of many rows are all kept', () => {
    const pool = new FirstExemplars(1, 1000);
    const ids = new Uint8Array(24).fill(7);
    for (let row = 0; row < 1000; row++) pool.add(row, 0, Float64Array.of(row), 0, ids, 0, 16, 16, 8);
    expect(shown(pool, 1000)).toHaveLength(1000);
    const before = pool.sizeBytes;
    pool.clear();
    expect([shown(pool, 1000).length, pool.sizeBytes]).toEqual([0, before]);
  });
});
