import { expect, it } from 'vitest';
import { DURATION_BOUNDS, Durations } from '../../src/index.ts';

it('durations count in the bucket whose bound they do not exceed, and in all above it', () => {
  const durations = new Durations();
  for (const ms of [0, 5, 5.001, 299_999, 300_000, 300_001]) durations.observe(ms);
  const { buckets, count, sumSeconds } = durations.counts();
  const at = (bound: number) => buckets[DURATION_BOUNDS.indexOf(bound)];
  expect([at(0.005), at(0.01), at(120), at(300), count]).toEqual([2, 3, 3, 5, 6]);
  expect(buckets).toHaveLength(DURATION_BOUNDS.length);
  expect(sumSeconds).toBeCloseTo(900.010001, 6);
});

it('a clock that was set back takes nothing away', () => {
  const durations = new Durations();
  durations.observe(-1_000);
  expect(durations.counts()).toMatchObject({ count: 1, sumSeconds: 0 });
});

it('what was given out stays as it was', () => {
  const durations = new Durations();
  const before = durations.counts();
  durations.observe(1);
  expect(before.count).toBe(0);
  expect(before.buckets.every((own) => own === 0)).toBe(true);
});
