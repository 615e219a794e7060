// Exemplars of an interval against a Map: per row and bucket the last observation counts.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExemplarPool } from '../../src/registry/exemplars.ts';
import { traceIdText } from '../../src/registry/index.ts';

const PER_ROW = 3;

type Step =
  | { kind: 'set'; row: number; bucket: number; value: number; id: Uint8Array }
  | { kind: 'forget'; row: number }
  | { kind: 'clear' }
  | { kind: 'grow' };

const id = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ minLength: 16, maxLength: 16 }) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(new Uint8Array(0), new Uint8Array(16), new Uint8Array(5)) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      row: fc.nat(3),
      bucket: fc.nat(PER_ROW - 1),
      value: fc.double({ noNaN: true }),
      id,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('forget' as const), row: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'clear' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'grow' }) },
);

/** The place of a row is its number. */
function visit(
  pool: ExemplarPool,
  visitor: (row: number, bucket: number, value: number, traceId: Uint8Array) => void,
): void {
  const said = pool.columns(Int32Array.from({ length: 1_000 }, (_, row) => row + 1));
  let top = 0;
  said.exemplarRows.forEach((row, i) => {
    const end = top + said.exemplarLengths[i]!;
    visitor(row, said.exemplarBuckets[i]!, said.exemplarValues[i]!, said.exemplarBytes.slice(top, end));
    top = end;
  });
  expect(top).toBe(said.exemplarBytes.length);
}

function shown(pool: ExemplarPool): string[] {
  const out: string[] = [];
  visit(pool, (row, bucket, value, traceId) => {
    out.push(`${row}/${bucket} ${value} ${Buffer.from(traceId).toString('hex')}`);
  });
  return out.sort();
}

describe('the exemplars of an interval', () => {
  test('are the last observation of each bucket, unless it had no trace id', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const pool = new ExemplarPool(PER_ROW, 4);
        const model = new Map<string, { value: number; id: Uint8Array }>();
        let rows = 4;
        for (const one of steps) {
          if (one.kind === 'set') {
            const buf = new Uint8Array([9, 9, 9, ...one.id, 9, 9]);
            pool.set(one.row, one.bucket, one.value, buf, 3, one.id.length);
            model.set(`${one.row}/${one.bucket}`, one);
          } else if (one.kind === 'forget') {
            pool.forgetRow(one.row);
            for (let b = 0; b < PER_ROW; b++) model.delete(`${one.row}/${b}`);
          } else if (one.kind === 'clear') {
            pool.clear();
            model.clear();
          } else {
            rows += 2;
            pool.growRows(rows);
          }
          const wanted = [...model]
            .filter(([, e]) => e.id.some((b) => b !== 0))
            .map(([key, e]) => `${key} ${e.value} ${Buffer.from(e.id).toString('hex')}`);
          expect(shown(pool)).toEqual(wanted.sort());
        }
      }),
      { numRuns: 300 },
    );
  });

  test('are said in the order in which their buckets were first seen', () => {
    const pool = new ExemplarPool(PER_ROW, 4);
    const buf = new Uint8Array(16).fill(1);
    for (const bucket of [2, 0, 1, 2, 0]) pool.set(1, bucket, bucket, buf, 0, 16);
    const order: number[] = [];
    visit(pool, (_, bucket) => order.push(bucket));
    expect(order).toEqual([2, 0, 1]);
  });

  test('are those of the rows that have a place, and tell it', () => {
    const pool = new ExemplarPool(PER_ROW, 4);
    for (const row of [0, 1, 2, 3]) {
      const id = new Uint8Array(row === 2 ? 5 : 16).fill(row + 1);
      pool.set(row, 1, row / 2, id, 0, id.length);
    }
    expect(pool.columns(Int32Array.of(0, 2, 1, 0))).toEqual({
      exemplarRows: Uint32Array.of(1, 0),
      exemplarBuckets: Uint32Array.of(1, 1),
      exemplarValues: Float64Array.of(0.5, 1),
      exemplarLengths: Uint32Array.of(16, 5),
      exemplarBytes: Uint8Array.of(...new Uint8Array(16).fill(2), ...new Uint8Array(5).fill(3)),
    });
  });

  test('of many rows are all kept', () => {
    const pool = new ExemplarPool(PER_ROW, 1000);
    const buf = new Uint8Array(16);
    for (let row = 0; row < 1000; row++) {
      new DataView(buf.buffer).setUint32(0, row + 1);
      pool.set(row, row % PER_ROW, row / 2, buf, 0, 16);
    }
    let n = 0;
    visit(pool, (row, bucket, value, traceId) => {
      expect([row, bucket, value, new DataView(traceId.slice().buffer).getUint32(0)]).toEqual([
        n,
        n % PER_ROW,
        n / 2,
        n + 1,
      ]);
      n++;
    });
    expect(n).toBe(1000);
  });
});

test('a trace id is lower-case hex without leading zeros', () => {
  expect(traceIdText(Uint8Array.of(0, 0x0a, 0xbc, 0))).toBe('abc00');
  expect(traceIdText(Uint8Array.of(0xff, 1))).toBe('ff01');
  expect(traceIdText(new Uint8Array(16))).toBe('');
});
