// What the answers to all requests of a boundary come to. Native histograms count as samples.

import type { PointCounts, WriteOutcome } from 'remote-write-ts';

type Refusal = WriteOutcome['refusals'][number];

export interface BoundaryOutcome {
  isBrokenOff: boolean;
  /** No request had to be made again. */
  wasAtOnce: boolean;
  taken: number;
  failed: number;
  /** Became too old while they were tried again. */
  tooOld: number;
  refusals: readonly Refusal[];
}

export function boundaryOutcome(outcomes: readonly WriteOutcome[]): BoundaryOutcome {
  const sum = (read: (outcome: WriteOutcome) => PointCounts) =>
    outcomes.reduce((total, outcome) => total + samplesOf(read(outcome)), 0);
  return {
    isBrokenOff: outcomes.some(({ kind }) => kind === 'aborted'),
    wasAtOnce: outcomes.every(({ attempts, requests }) => attempts === requests),
    taken: sum(({ sent }) => sent),
    failed: sum(({ failed }) => failed),
    tooOld: sum(({ dropped }) => dropped.too_old),
    refusals: outcomes.flatMap(({ refusals }) => refusals),
  };
}

/** Statuses by which receivers refuse a sample for its time: 409 is Thanos'; 500 was Prometheus', before 2.50. */
const ABOUT_TIME: ReadonlySet<number> = new Set([400, 409, 422, 500]);

/** Whether samples may be refused because the receiver has them, or newer ones: no credentials or size of a request are at fault. */
export function mayBeThere(refusals: readonly Refusal[]): boolean {
  return refusals.every(({ status }) => ABOUT_TIME.has(status));
}

export function samplesOf({ samples, histograms }: Pick<PointCounts, 'samples' | 'histograms'>): number {
  return samples + histograms;
}
