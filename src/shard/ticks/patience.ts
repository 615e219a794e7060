// The clock by which a tick waits for a partition. It must never run while nobody could have delivered anything.

/** A longer gap between two runs (a suspended machine, a stepped clock) counts as this much waiting. */
const MAX_STEP_MS = 5_000;

/**
 * Releasing is meant for a partition that is unreachable while others are not. If the whole log is silent, moving on would fold
 * everything that was written meanwhile into the tick of its return: a gap and a spike. So the clock stands still then, and
 * goes on where it was: partitions that come back a moment later than the first one get their time.
 */
export class Patience {
  nowMs = 0;
  private readonly silenceMs: number;
  private silentMs = Number.POSITIVE_INFINITY;
  private wallMs = Number.POSITIVE_INFINITY;

  /** After `silenceMs` without a word from any partition the log counts as silent. */
  constructor(silenceMs: number) {
    this.silenceMs = silenceMs;
  }

  heard(): void {
    this.silentMs = 0;
  }

  /** While a partition is paused, silence proves nothing. */
  run(wallMs: number, isAnyPaused: boolean): void {
    const stepMs = Math.min(Math.max(0, wallMs - this.wallMs), MAX_STEP_MS);
    this.wallMs = wallMs;
    if (isAnyPaused || this.silentMs < this.silenceMs) this.nowMs += stepMs;
    this.silentMs += stepMs;
  }
}
