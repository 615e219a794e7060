// Latencies of spanmill's own stages in HDR histograms: bounded memory, exact enough at the tail, and summed up for the status page
// and /metrics.

import { performance } from 'node:perf_hooks';
import { build, type Histogram } from 'hdr-histogram-js';

/** The stages that are measured, in the order of a span's way. */
export const STAGES = ['receive', 'fold', 'boundary', 'ledger_append', 'log_commit', 'send'] as const;
export type Stage = (typeof STAGES)[number];

export interface StageSummary {
  stage: Stage;
  count: number;
  sumMs: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

const MICROS = 1_000;
/** One hour in µs: what takes longer counts as that. */
const HIGHEST_MICROS = 3_600_000_000;

export class StageLatencies {
  private readonly histograms = new Map<Stage, { histogram: Histogram; sumMs: number }>();

  /** Runs `work` and records how long it took, also where it throws. */
  time<T>(stage: Stage, work: () => T): T {
    const startMs = performance.now();
    try {
      return work();
    } finally {
      this.record(stage, performance.now() - startMs);
    }
  }

  async timeAsync<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    try {
      return await work();
    } finally {
      this.record(stage, performance.now() - startMs);
    }
  }

  record(stage: Stage, ms: number): void {
    let entry = this.histograms.get(stage);
    if (!entry) {
      // Plain JavaScript counts: the WebAssembly build needs asynchronous set-up and freeing by hand, for what is a few
      // hundred records a second.
      const histogram = build({
        useWebAssembly: false,
        bitBucketSize: 32,
        lowestDiscernibleValue: 1,
        highestTrackableValue: HIGHEST_MICROS,
        numberOfSignificantValueDigits: 2,
        autoResize: false,
      });
      entry = { histogram, sumMs: 0 };
      this.histograms.set(stage, entry);
    }
    entry.histogram.recordValue(Math.min(HIGHEST_MICROS, Math.max(1, Math.round(ms * MICROS))));
    entry.sumMs += ms;
  }

  summaries(): StageSummary[] {
    return STAGES.flatMap((stage) => {
      const entry = this.histograms.get(stage);
      if (!entry) return [];
      const { histogram, sumMs } = entry;
      const maxMs = histogram.maxValue / MICROS;
      // A percentile is the upper end of its bucket, which may lie above the largest value.
      const at = (percentile: number) => Math.min(maxMs, histogram.getValueAtPercentile(percentile) / MICROS);
      return [{ stage, count: histogram.totalCount, sumMs, p50Ms: at(50), p99Ms: at(99), maxMs }];
    });
  }
}
