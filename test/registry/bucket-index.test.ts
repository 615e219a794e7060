// The bucket of a value by table against a search from the first bound on.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BucketIndex, makeSchema } from '../../src/registry/index.ts';

const bound = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: 0, max: 100, noNaN: true }),
  fc.constantFrom(0, 0.002, 0.1, 1, 12.8, Number.MIN_VALUE, Number.MAX_VALUE),
);

function plain(bounds: readonly number[], value: number): number {
  const i = bounds.findIndex((b) => value <= b);
  return i < 0 ? bounds.length : i;
}

describe('the bucket of a value', () => {
  test('is the first whose bound it does not exceed', () => {
    fc.assert(
      fc.property(
        fc.array(bound, { maxLength: 30 }),
        fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
        (some, value) => {
          const bounds = some.sort((a, b) => a - b);
          const index = new BucketIndex(bounds);
          expect(index.of(Float64Array.of(7, value), 1)).toBe(plain(bounds, value));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('includes its bound and not the next double above it', () => {
    fc.assert(
      fc.property(fc.array(bound, { minLength: 1, maxLength: 20 }), fc.nat(), (some, pick) => {
        const bounds = some.map(Math.abs).sort((a, b) => a - b);
        const index = new BucketIndex(bounds);
        const at = bounds[pick % bounds.length]!;
        const bits = new BigInt64Array(Float64Array.of(at).buffer);
        const above = new Float64Array(BigInt64Array.of(bits[0]! + 1n).buffer)[0]!;
        for (const value of [at, above]) {
          if (Number.isFinite(value)) expect(index.of(Float64Array.of(value), 0)).toBe(plain(bounds, value));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('is found among bounds that the configuration had in any order, with duplicates', () => {
    const schema = makeSchema(
      't',
      [],
      [{ kind: 'histogram', metric: 'm', bounds: [5, 1, 1, Number.POSITIVE_INFINITY, 0.5] }],
      {},
      'x',
    );
    const part = schema.parts[0]!;
    expect(part.kind === 'histogram' && part.bounds).toEqual([0.5, 1, 1, 5]);
  });
});
