// Timers of log time: every origin + k · period, in the order of time, and nothing is paid for time in which nothing could change.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Timers } from '../../src/fold/timers.ts';

const YEAR_MS = 365 * 86_400_000;

describe('timers', () => {
  test('fire at every multiple of their period from the origin on, in the order of time, then of their list', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: -20, max: 20 }),
        fc.nat(20),
        fc.array(fc.integer({ min: -3, max: 15 }), { maxLength: 12 }),
        (periods, originMs, afterMs, steps) => {
          const startMs = originMs + afterMs;
          const fired: [number, number][] = [];
          const timers = new Timers(
            periods.map((periodMs, i) => ({
              periodMs,
              needed: () => true,
              fire: (atMs: number) => fired.push([atMs, i]),
            })),
            originMs,
            startMs,
          );
          let nowMs = startMs;
          let furthestMs = startMs;
          for (const step of steps) {
            // Going back fires nothing.
            nowMs += step;
            timers.advance(nowMs);
            furthestMs = Math.max(furthestMs, nowMs);
          }
          const wanted = periods
            .flatMap((periodMs, i) => {
              const times: [number, number][] = [];
              for (let t = originMs; t <= furthestMs; t += periodMs) if (t > startMs) times.push([t, i]);
              return times;
            })
            .sort(([a, i], [b, k]) => a - b || i - k);
          expect(fired).toEqual(wanted);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('that have nothing to do cost nothing over fifty years', () => {
    let asked = 0;
    const timers = new Timers(
      [2_000, 10_000, 300_000].map((periodMs) => ({
        periodMs,
        needed: () => {
          asked++;
          return false;
        },
        fire: () => expect.unreachable(),
      })),
      0,
      0,
    );
    timers.advance(50 * YEAR_MS);
    expect(asked).toBeLessThan(100);
    timers.advance(50 * YEAR_MS + 1);
    expect(asked).toBeLessThan(200);
  });

  test('stop costing once what they had to do is done', () => {
    let left = 3;
    const fired: number[] = [];
    const timers = new Timers(
      [
        { periodMs: 2_000, needed: () => left > 0, fire: (atMs) => fired.push(atMs * Number(left-- > 0)) },
        { periodMs: 300_000, needed: () => false, fire: () => expect.unreachable() },
      ],
      0,
      0,
    );
    timers.advance(50 * YEAR_MS);
    expect(fired).toEqual([2_000, 4_000, 6_000]);
    left = 1;
    timers.advance(50 * YEAR_MS + 2_000);
    expect(fired).toEqual([2_000, 4_000, 6_000, 50 * YEAR_MS + 2_000]);
  });

  test('that another one wakes fire from then on, at their own times', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(60),
        fc.array(fc.nat(40), { maxLength: 8 }),
        (a, b, wakeMs, steps) => {
          // B is asleep until A has fired at or after wakeMs.
          const run = (advances: number[]) => {
            const fired: string[] = [];
            let awake = false;
            const timers = new Timers(
              [
                {
                  periodMs: a,
                  needed: () => true,
                  fire: (atMs: number) => {
                    fired.push(`a${atMs}`);
                    if (atMs >= wakeMs) awake = true;
                  },
                },
                { periodMs: b, needed: () => awake, fire: (atMs: number) => fired.push(`b${atMs}`) },
              ],
              0,
              0,
            );
            for (const tMs of advances) timers.advance(tMs);
            return fired;
          };
          const ends: number[] = [];
          for (const step of steps) ends.push((ends.at(-1) ?? 0) + step);
          const last = ends.at(-1) ?? 0;
          // The same in one leap, in the given steps, and millisecond by millisecond.
          const fine = run(Array.from({ length: last + 1 }, (_, i) => i));
          expect(run(ends)).toEqual(fine);
          expect(run([last])).toEqual(fine);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('restarted at a time take all up to it as fired', () => {
    const fired: number[] = [];
    const timers = new Timers([{ periodMs: 10, needed: () => true, fire: (atMs) => fired.push(atMs) }], 3, 3);
    timers.restart(33);
    timers.advance(53);
    expect(fired).toEqual([43, 53]);
  });
});
