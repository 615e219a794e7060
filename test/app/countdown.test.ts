import { expect, it } from 'vitest';
import { countdown } from '../../src/countdown.ts';

it('a deadline is one for all steps: each has what those before it left, but for what later ones need', () => {
  let nowMs = 1_000;
  const left = countdown(25_000, () => nowMs);
  expect([left(), left(3_000)]).toEqual([25_000, 22_000]);
  nowMs += 5_000;
  expect(left(3_000)).toBe(17_000);
  nowMs += 18_500;
  expect([left(), left(3_000)]).toEqual([1_500, 0]);
  nowMs += 10_000;
  expect(left()).toBe(0);
});
