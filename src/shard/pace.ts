// Which boundaries of a backlog are worth sending. Values are cumulative, so skipping is always safe: what is lost is resolution, never a
// count. Must let every boundary through as long as the endpoint keeps up.

import type { BoundarySkip } from '../telemetry/index.ts';

/** A backlog that takes longer than this to send is thinned. */
const CATCH_UP_MS = 300_000;
/** At most every so many boundaries are sent. */
const MAX_THINNING = 60;
/** Weight of the newest cost in the mean. */
const NEWEST = 0.2;
/** Younger boundaries than this are refused for other reasons than their age. */
const OLD_MS = 600_000;
/** A receiver's window is looked for in steps up to this. */
const MAX_STEP_MS = 120_000;

/**
 * What receivers say of samples that are older than all they take: Prometheus ("out of bounds", "too old sample"), Mimir ("too old", "too
 * far in the past").
 */
const WINDOW = /out of bounds|too old|too far in the past/i;
/** Those that are true of all samples of a time. Prometheus calls too old what lies behind its window and a newer sample of the series. */
const WINDOW_OF_ALL = /out of bounds|too far in the past/i;

/** Whether a refusal is about the receiver's window. */
export function isAboutWindow(answer: string): boolean {
  return WINDOW.test(answer);
}

/** Whether all samples of that time lie outside the receiver's window, whatever their series. */
export function isAboutWindowOfAll(answer: string): boolean {
  return WINDOW_OF_ALL.test(answer);
}

export class Pace {
  /** Mean time that a boundary takes, waits for a receiver that is away not counted, ms. */
  private costMs = 0;
  private stepMs = 0;
  private refusedUntilMs = Number.NEGATIVE_INFINITY;

  /** Why the boundary isn't worth sending; undefined if it is. */
  skips(tMs: number, nowMs: number, intervalMs: number): Extract<BoundarySkip, 'behind' | 'window'> | undefined {
    if (tMs < this.refusedUntilMs && nowMs - tMs > OLD_MS) return 'window';
    const boundaries = (nowMs - tMs) / intervalMs;
    const every = Math.min(MAX_THINNING, Math.ceil((boundaries * this.costMs) / CATCH_UP_MS));
    return every > 1 && Math.round(tMs / intervalMs) % every !== 0 ? 'behind' : undefined;
  }

  /** What the boundary took. Time spent waiting for a receiver that is away says nothing. */
  sent(tookMs: number): void {
    this.costMs += (this.costMs === 0 ? 1 : NEWEST) * (tookMs - this.costMs);
  }

  /** The receiver took something of a boundary. */
  accepted(): void {
    this.stepMs = 0;
  }

  /** The receiver took nothing of the boundary. If that is old, the next ones are not worth a request each. */
  refused(tMs: number, nowMs: number, intervalMs: number): void {
    if (nowMs - tMs <= OLD_MS) return;
    this.stepMs = Math.min(MAX_STEP_MS, Math.max(intervalMs, this.stepMs * 2));
    this.refusedUntilMs = tMs + this.stepMs;
  }
}
