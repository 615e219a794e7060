// How long attempts took, in the buckets that Prometheus has for it.

/** Upper bounds in seconds, inclusive: the usual ones of client libraries, and four more for endpoints in trouble. */
export const DURATION_BOUNDS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300,
];

export interface DurationCounts {
  /** Of each bound, cumulative. */
  readonly buckets: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

export class Durations {
  readonly #counts = new Array<number>(DURATION_BOUNDS.length + 1).fill(0);
  #sumSeconds = 0;

  /** What a clock that was set back measures counts as nothing. */
  observe(durationMs: number): void {
    const seconds = Math.max(0, durationMs) / 1000;
    const found = DURATION_BOUNDS.findIndex((bound) => seconds <= bound);
    this.#counts[found === -1 ? DURATION_BOUNDS.length : found]!++;
    this.#sumSeconds += seconds;
  }

  counts(): DurationCounts {
    let count = 0;
    const cumulative = this.#counts.map((own) => {
      count += own;
      return count;
    });
    return { buckets: cumulative.slice(0, -1), count, sumSeconds: this.#sumSeconds };
  }
}
