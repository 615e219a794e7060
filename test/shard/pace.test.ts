// Which boundaries of a backlog are sent.

import { describe, expect, it } from 'vitest';
import { Pace } from '../../src/shard/pace.ts';

const INTERVAL_MS = 15_000;
const NOW_MS = Math.floor(Date.UTC(2026, 0, 1) / (60 * INTERVAL_MS)) * 60 * INTERVAL_MS;

/** Goes through so many boundaries, each of which takes so long to send; returns those that are sent. */
function catchUp(pace: Pace, boundaries: number, costMs: number): { sent: number[]; nowMs: number } {
  let nowMs = NOW_MS;
  const sent: number[] = [];
  for (let tMs = NOW_MS - boundaries * INTERVAL_MS; tMs <= nowMs; tMs += INTERVAL_MS) {
    if (pace.skips(tMs, nowMs, INTERVAL_MS)) continue;
    sent.push(tMs);
    pace.sent(costMs);
    nowMs += costMs;
  }
  return { sent, nowMs };
}

describe('a backlog', () => {
  it('is sent whole where that takes minutes at most', () => {
    const { sent } = catchUp(new Pace(), 2_000, 100);
    expect(sent.length).toBeGreaterThan(2_000);
    expect(sent.slice(1).every((tMs, i) => tMs - sent[i]! === INTERVAL_MS)).toBe(true);
  });

  it('is thinned to every k-th boundary of the grid where it takes longer, less and less, and ends at the newest', () => {
    const { sent, nowMs } = catchUp(new Pace(), 2_000, 1_000);
    expect(sent.length).toBeLessThan(1_000);
    const steps = sent.slice(1).map((tMs, i) => (tMs - sent[i]!) / INTERVAL_MS);
    expect(Math.max(...steps.slice(-100))).toBe(1);
    expect(Math.max(...steps.slice(0, 50))).toBeGreaterThanOrEqual(6);
    expect(nowMs - sent.at(-1)!).toBeLessThan(2 * INTERVAL_MS);
  });

  it('of an endpoint that is slower than the time goes by does not grow for ever', () => {
    const pace = new Pace();
    let nowMs = NOW_MS;
    let worstMs = 0;
    for (let tMs = NOW_MS; tMs < NOW_MS + 2_000 * INTERVAL_MS; tMs += INTERVAL_MS) {
      nowMs = Math.max(nowMs, tMs);
      worstMs = Math.max(worstMs, nowMs - tMs);
      if (pace.skips(tMs, nowMs, INTERVAL_MS)) continue;
      pace.sent(2 * INTERVAL_MS);
      nowMs += 2 * INTERVAL_MS;
    }
    expect(worstMs).toBeLessThan(600_000);
  });
});

describe('boundaries that the receiver takes no more', () => {
  it('are tried in growing steps, until one is taken', () => {
    const pace = new Pace();
    const windowMs = NOW_MS - 3_600_000;
    const tried: number[] = [];
    let firstTaken: number | undefined;
    for (let tMs = NOW_MS - 36_000_000; tMs <= NOW_MS; tMs += INTERVAL_MS) {
      if (pace.skips(tMs, NOW_MS, INTERVAL_MS)) continue;
      if (tMs < windowMs) {
        tried.push(tMs);
        pace.refused(tMs, NOW_MS, INTERVAL_MS);
      } else {
        firstTaken ??= tMs;
        pace.accepted();
      }
    }
    expect(tried.length).toBeLessThan(300);
    expect(firstTaken! - windowMs).toBeLessThanOrEqual(120_000);
  });

  it('are none of these while they are young: then it is about something else', () => {
    const pace = new Pace();
    for (let i = 0; i < 20; i++) {
      const tMs = NOW_MS + i * INTERVAL_MS;
      expect(pace.skips(tMs, tMs + 1_000, INTERVAL_MS)).toBeUndefined();
      pace.refused(tMs, tMs + 1_000, INTERVAL_MS);
    }
  });
});
