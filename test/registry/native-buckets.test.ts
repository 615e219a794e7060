// Which bucket of a native histogram a value falls into: exactly at the bounds, and the same at every resolution.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_SCHEMA, MIN_SCHEMA, nativeBucket, schemaOfFactor } from '../../src/registry/native-buckets.ts';

const bucket = (value: number, schema: number) => nativeBucket(Float64Array.of(value), 0, schema);
const SCHEMAS = Array.from({ length: MAX_SCHEMA - MIN_SCHEMA + 1 }, (_, i) => MIN_SCHEMA + i);

/** The double next to a positive one. */
function next(value: number, step: 1n | -1n): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + step);
  return view.getFloat64(0);
}

describe('a native bucket', () => {
  test.each(SCHEMAS)('of schema %i ends with its bound', (schema) => {
    // Bounds that are doubles: powers of two.
    const everyPower = Math.max(1, 2 ** -schema);
    for (let power = -96; power <= 96; power += everyPower) {
      const index = (power / everyPower) * Math.max(1, 2 ** schema);
      expect(bucket(2 ** power, schema)).toBe(index);
      expect(bucket(next(2 ** power, 1n), schema)).toBe(index + 1);
      expect(bucket(next(2 ** power, -1n), schema)).toBe(index);
    }
  });

  test.each(SCHEMAS.filter((schema) => schema > 0))('of schema %i has bounds to the last bit', (schema) => {
    const steps = 2 ** schema;
    for (let i = 1; i < steps; i++) {
      // The largest double in bucket i, by halving: raised to the 2^schema it is not above 2^i.
      let low = 1;
      let high = 2;
      while (next(low, 1n) < high) {
        const middle = low + (high - low) / 2;
        if (bucket(middle, schema) <= i) low = middle;
        else high = middle;
      }
      const power = (value: number) => exactly(value) ** BigInt(steps);
      const bound = 2n ** (BigInt(i) + 52n * BigInt(steps));
      // The bound is the nearest double to the root: within half a step of it, hence between the neighbours.
      expect(power(next(low, -1n)) < bound && power(next(low, 1n)) > bound).toBe(true);
    }
  });

  test('of half the resolution is the two of the whole', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-38, max: 1e30, noNaN: true }),
        fc.constantFrom(...SCHEMAS.slice(1)),
        (value, schema) => {
          expect(bucket(value, schema - 1)).toBe(Math.ceil(bucket(value, schema) / 2) + 0);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('holds its value', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-38, max: 1e30, noNaN: true }), fc.constantFrom(...SCHEMAS), (value, schema) => {
        const exact = Math.log2(value) * 2 ** schema;
        expect(Math.abs(bucket(value, schema) - 0.5 - exact)).toBeLessThan(0.5 + 1e-9 * Math.abs(exact) + 1e-9);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** A double in [1, 2) · 2^52. */
function exactly(value: number): bigint {
  return BigInt(value * 2 ** 52);
}

test.each([
  [1.001, 8],
  [1.0027, 8],
  [1.0028, 8],
  [1.01, 7],
  [1.1, 3],
  [1.19, 2],
  [1.5, 1],
  [1.99, 1],
  [2, 0],
  [3.9, 0],
  [4, -1],
  [16, -2],
  [256, -3],
  [65_536, -4],
  [1e9, -4],
])('buckets that grow by %d at most have schema %i', (factor, schema) => {
  expect(schemaOfFactor(factor)).toBe(schema);
});
