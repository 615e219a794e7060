// What came of a batch, point by point summed up: each point is sent, failed, dropped or unsettled, and only one of these.

import type { Point, PointCounts } from '../points/index.ts';
import type { WrittenCounts } from '../sender/index.ts';
import type { Protocol } from '../wire/index.ts';

/**
 * Why points were not even tried, or not any more.
 * - `too_old`: beyond `sampleAgeLimitMs`.
 * - `custom_buckets`: histograms that 1.0 can't carry.
 */
export type WriteDropReason = 'too_old' | 'custom_buckets';

export interface Refusal {
  status: number;
  /** The first KiB of the receiver's answer. */
  message: string;
  /** Those of the request, at most `MAX_NAMED_POINTS` of them. */
  points: readonly Point[];
}

/** How many points a refusal names, and how many refusals an outcome. */
export const MAX_NAMED_POINTS = 10;
const MAX_REFUSALS = 10;

export interface WriteOutcome {
  /** `settled`: nothing is left to do. `aborted`: by the signal or by `close`; the unsettled points may be stored or not. */
  kind: 'settled' | 'aborted';
  /** That of the last request; missing if there was none. */
  protocol?: Protocol;
  requests: number;
  attempts: number;
  /** What the receiver took: on 2.0 by its Written headers, on 1.0 by its status. */
  sent: PointCounts;
  /** What it refused. */
  failed: PointCounts;
  dropped: Record<WriteDropReason, PointCounts>;
  unsettled: PointCounts;
  /** Series whose metadata went with them, on 2.0. Receivers don't count them: they share the request's fate. */
  metadata: { sent: number; failed: number };
  /** The receiver's own counts, summed; missing if it gave none. */
  written?: Required<WrittenCounts>;
  /** The first few. */
  refusals: readonly Refusal[];
}

export class Tally {
  readonly sent = noPoints();
  readonly failed = noPoints();
  readonly dropped: Record<WriteDropReason, PointCounts> = { too_old: noPoints(), custom_buckets: noPoints() };
  readonly unsettled = noPoints();
  readonly metadata = { sent: 0, failed: 0 };
  readonly refusals: Refusal[] = [];
  written: Required<WrittenCounts> | undefined;
  protocol: Protocol | undefined;
  requests = 0;
  attempts = 0;
  isAborted = false;

  /** What the receiver wrote of so many points; the others failed. */
  note(counts: PointCounts, written: WrittenCounts): void {
    for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
      const taken = Math.min(written[kind] ?? 0, counts[kind]);
      this.sent[kind] += taken;
      this.failed[kind] += counts[kind] - taken;
    }
  }

  noteWritten({ samples = 0, histograms = 0, exemplars = 0 }: WrittenCounts): void {
    this.written ??= noPoints();
    addPoints(this.written, { samples, histograms, exemplars });
  }

  refuse(status: number, message: string, points: readonly Point[]): void {
    if (this.refusals.length === MAX_REFUSALS) return;
    this.refusals.push({ status, message, points: points.slice(0, MAX_NAMED_POINTS) });
  }

  outcome(): WriteOutcome {
    const { sent, failed, dropped, unsettled, metadata, refusals, requests, attempts } = this;
    return {
      kind: this.isAborted ? 'aborted' : 'settled',
      ...(this.protocol && { protocol: this.protocol }),
      requests,
      attempts,
      sent,
      failed,
      dropped,
      unsettled,
      metadata,
      ...(this.written && { written: this.written }),
      refusals,
    };
  }
}

export function noPoints(): PointCounts {
  return { samples: 0, histograms: 0, exemplars: 0 };
}

export function addPoints(to: PointCounts, { samples, histograms, exemplars }: PointCounts): void {
  to.samples += samples;
  to.histograms += histograms;
  to.exemplars += exemplars;
}
