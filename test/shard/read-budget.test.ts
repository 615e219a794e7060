import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadBudget } from '../../src/shard/read-budget.ts';

const TOTAL = 64 << 20;

describe('the budget of what is read ahead', () => {
  it('is kept by all partitions together, however many there are and whichever are folded first', () => {
    const steps = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.boolean()), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), steps, (partitions, moves) => {
        const budget = new ReadBudget(partitions);
        const handed = new Map<number, number>();
        const folded = new Map<number, number>();
        const paused = new Set<number>();
        let waiting = 0;
        for (const [where, size, isFold] of moves) {
          // Few partitions, so that they fill up, at the weight that all of them would have.
          const partition = where % Math.min(partitions, 3);
          if (isFold) {
            const bytes = Math.min(size, (handed.get(partition) ?? 0) - (folded.get(partition) ?? 0));
            folded.set(partition, (folded.get(partition) ?? 0) + bytes);
            waiting -= bytes;
            if (budget.folded(partition, folded.get(partition)!)) paused.delete(partition);
          } else if (!paused.has(partition)) {
            const bytes = size % (budget.batchBytes + 1);
            handed.set(partition, (handed.get(partition) ?? 0) + bytes);
            waiting += bytes;
            if (budget.handed(partition, bytes)) paused.add(partition);
          }
          expect(budget.waitingBytes(partition)).toBeLessThanOrEqual(TOTAL / partitions);
        }
        expect(waiting).toBeLessThanOrEqual(TOTAL);
      }),
    );
  });

  it('pauses a partition at its share and lets it go on at half of it', () => {
    const budget = new ReadBudget(2, 8 << 20);
    expect(budget.batchBytes).toBe(1 << 20);
    const pauses = Array.from({ length: 4 }, () => budget.handed(0, 1 << 20));
    expect(pauses).toEqual([false, false, false, true]);
    expect(budget.handed(1, 1 << 20)).toBe(false);
    expect([1, 2, 3].map((mebi) => budget.folded(0, mebi << 20))).toEqual([false, false, true]);
    expect(budget.folded(0, 4 << 20)).toBe(false);
  });

  it('is divided anew when partitions come: those that were there get less', () => {
    const budget = new ReadBudget(1);
    expect(budget.handed(0, 10 << 20)).toBe(false);
    budget.divide(1_000);
    expect(budget.batchBytes).toBe(Math.floor(TOTAL / 1_000) >> 1);
    expect(budget.handed(0, 100)).toBe(true);
    expect(budget.folded(0, 10 << 20)).toBe(true);
  });
});
