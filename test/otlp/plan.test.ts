// The extraction plan: finds each of its keys and nothing else.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExtractionPlan } from '../../src/otlp/index.ts';

const encoder = new TextEncoder();

/** The key inside a larger buffer, from byte 5 on: what stands around it must not matter. */
function embedded(key: string): { view: DataView; end: number } {
  const bytes = encoder.encode(key);
  const buf = new Uint8Array(bytes.length + 9).fill(46);
  buf.set(bytes, 5);
  return { view: new DataView(buf.buffer), end: 5 + bytes.length };
}

function find(plan: ExtractionPlan, key: string): number {
  const { view, end } = embedded(key);
  return plan.find(view, 5, end);
}

const key = fc.oneof(
  fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom('a', 'b', '.', 'é') }),
  fc.string({ minLength: 1, maxLength: 200, unit: fc.constantFrom('a', 'b') }),
  fc.string({ minLength: 1, maxLength: 24 }),
);

describe('an extraction plan', () => {
  test('gives each of its keys its own slot and every other key none', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 40 }), fc.array(key, { maxLength: 40 }), (keys, others) => {
        const plan = new ExtractionPlan(keys);
        expect(plan.keys).toEqual([...new Set(keys)]);
        for (const one of keys) {
          expect(find(plan, one)).toBe(plan.slotOf(one));
          expect(plan.keys[find(plan, one)]).toBe(one);
        }
        for (const one of others) if (!keys.includes(one)) expect(find(plan, one)).toBe(-1);
      }),
      { numRuns: 300 },
    );
  });

  test('never says that a key of its own can not be there', () => {
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 40 }), (keys) => {
        const plan = new ExtractionPlan(keys);
        for (const one of keys) {
          const { view, end } = embedded(one);
          if (end - 5 < 128) expect(plan.mayHave(view, 5, end)).toBe(true);
        }
      }),
    );
  });

  test('tells keys apart that are equal in length, middle and ends', () => {
    const keys = ['axxbxxc', 'ayxbxyc', 'axxbxyc', 'axybxxc'];
    const plan = new ExtractionPlan(keys);
    expect(keys.map((one) => find(plan, one))).toEqual([0, 1, 2, 3]);
    expect(find(plan, 'ayybxxc')).toBe(-1);
  });

  test('holds more keys than its first table has places', () => {
    const keys = Array.from({ length: 500 }, (_, i) => `attribute.${i}`);
    const plan = new ExtractionPlan(keys);
    expect(keys.map((one) => find(plan, one))).toEqual(keys.map((_, i) => i));
  });

  test('finds no empty key', () => {
    expect(find(new ExtractionPlan(['']), '')).toBe(-1);
  });
});
