// Sides of calls that a filter dropped: remembered for a while, bounded, and the same after a load.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DroppedSides } from '../../src/servicegraph/dropped-sides.ts';

type Step = { kind: 'add'; key: string; expiresMs: number } | { kind: 'expire'; nowMs: number } | { kind: 'changes' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      expiresMs: fc.nat(100),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('expire' as const), nowMs: fc.nat(100) }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'changes' }) },
);

describe('dropped sides', () => {
  test('are what a Map with a bound would hold, and a copy that was loaded says the same from then on', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sides = new DroppedSides(3);
        let copy = new DroppedSides(3);
        const model = new Map<string, number>();
        let overflows = 0;
        const apply = (to: DroppedSides, one: Step) => {
          if (one.kind === 'add') to.add(one.key, one.expiresMs);
          if (one.kind === 'expire') to.expire(one.nowMs);
        };
        let sinceChanges: Step[] = [];
        for (const one of steps) {
          apply(sides, one);
          if (one.kind === 'add') {
            if (!model.has(one.key) && model.size >= 3) overflows++;
            else model.set(one.key, one.expiresMs);
          } else if (one.kind === 'expire') {
            for (const [key, expiresMs] of model) if (expiresMs <= one.nowMs) model.delete(key);
          } else {
            // The copy lives through the same interval from loaded state, then both must say the same.
            for (const earlier of sinceChanges) apply(copy, earlier);
            const said = structuredClone(sides.changes());
            expect(copy.changes()).toEqual(said);
            expect(copy.everything()).toEqual(sides.everything());
            copy = new DroppedSides(3);
            copy.load(structuredClone(sides.everything()));
            sinceChanges = [];
            continue;
          }
          sinceChanges.push(one);
          expect(sides.size).toBe(model.size);
          for (const key of ['a', 'b', 'c', 'd', 'e']) expect(sides.has(key)).toBe(model.has(key));
          expect(sides.overflows).toBe(overflows);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('loaded section by section say the same as those that were never stopped, whatever came and went between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sides = new DroppedSides(100);
        const copy = new DroppedSides(100);
        for (const one of steps) {
          if (one.kind === 'add') sides.add(one.key, one.expiresMs);
          if (one.kind === 'expire') sides.expire(one.nowMs);
          if (one.kind === 'changes') copy.load(structuredClone(sides.changes()));
        }
        copy.load(structuredClone(sides.changes()));
        for (const one of [sides, copy]) one.expire(50);
        expect(copy.changes()).toEqual(sides.changes());
        expect(copy.everything()).toEqual(sides.everything());
      }),
      { numRuns: 400 },
    );
  });

  test('go over to a successor with what was not said of them yet', () => {
    const before = new DroppedSides(2);
    for (const key of ['a', 'b', 'c']) before.add(key, 10);
    const after = new DroppedSides(2);
    after.adopt(before);
    expect(after.overflows).toBe(1);
    expect(after.changes()).toEqual(before.changes());
    expect(after.has('a')).toBe(true);
  });

  test('of either side of a call are two', () => {
    const key = Int32Array.of(1, -2, 3);
    expect(DroppedSides.key(true, key)).not.toBe(DroppedSides.key(false, key));
  });
});
