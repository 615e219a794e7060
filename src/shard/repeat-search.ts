// Writes what an earlier life may have sent already. A refusal of it is expected, but may be about one series as well: then the others
// are found by halves. Must never spend more than a few requests where a boundary is old to the receiver from end to end.

import type { Point, PointCounts, WriteOutcome, Writer } from 'remote-write-ts';
import { samplesOf } from './boundary-outcome.ts';
import { isAboutWindowOfAll } from './pace.ts';

/** So many refusals in a row and nothing taken: it is about the whole of it. Down to about the 2,000th part, and down to an eighth. */
const DEEP_REFUSALS = 12;
const SHALLOW_REFUSALS = 4;
/** Requests that one search may take. */
const MAX_REQUESTS = 64;
/** Searches in vain of one boundary, before its other requests are refused as they are. */
const MAX_VAIN_SEARCHES = 4;

interface Search {
  maxRefusals: number;
  requests: number;
  refusedInARow: number;
  hasTaken: boolean;
}

export class RepeatSearch {
  private readonly writer: Pick<Writer, 'write'>;
  /** Boundaries in a row of which nothing was taken. */
  private refusedBoundaries = 0;
  private vainSearches = 0;

  constructor(writer: Pick<Writer, 'write'>) {
    this.writer = writer;
  }

  async write(points: readonly Point[], signal: AbortSignal): Promise<WriteOutcome> {
    const whole = await this.once(points, signal);
    if (this.vainSearches >= MAX_VAIN_SEARCHES || !wasRolledBack(whole)) return whole;
    const search: Search = { maxRefusals: this.maxRefusals, requests: 0, refusedInARow: 1, hasTaken: false };
    const outcome = await this.halves(whole, points, search, signal);
    if (!search.hasTaken && outcome.kind === 'settled') this.vainSearches++;
    return outcome;
  }

  /** All requests of a boundary have their answer. */
  boundaryDone(hasTaken: boolean): void {
    this.refusedBoundaries = hasTaken ? 0 : this.refusedBoundaries + 1;
    this.vainSearches = 0;
  }

  /**
   * Many true repeats come one after another only if the last life died while it caught up. They are searched deeply ever more rarely;
   * a series or two at fault show up without.
   */
  private get maxRefusals(): number {
    const { refusedBoundaries } = this;
    return (refusedBoundaries & (refusedBoundaries - 1)) === 0 ? DEEP_REFUSALS : SHALLOW_REFUSALS;
  }

  private once(points: readonly Point[], signal: AbortSignal): Promise<WriteOutcome> {
    return this.writer.write(points, { signal, isRepeat: true });
  }

  /** @param whole the refusal of `points` in one request */
  private async halves(
    whole: WriteOutcome,
    points: readonly Point[],
    search: Search,
    signal: AbortSignal,
  ): Promise<WriteOutcome> {
    const isHopeless = search.refusedInARow >= search.maxRefusals && !search.hasTaken;
    if (points.length < 2 || isHopeless || search.requests + 2 > MAX_REQUESTS) return whole;
    search.requests += 2;
    const middle = points.length >> 1;
    const parts: WriteOutcome[] = [];
    for (const half of [points.slice(0, middle), points.slice(middle)]) {
      const outcome = await this.once(half, signal);
      if (samplesOf(outcome.sent) > 0) search.hasTaken = true;
      else search.refusedInARow++;
      parts.push(wasRolledBack(outcome) ? await this.halves(outcome, half, search, signal) : outcome);
    }
    return joined(whole, parts[0]!, parts[1]!);
  }
}

/** Nothing of it was stored, for what a part of it is. */
function wasRolledBack({ kind, protocol, sent, refusals }: WriteOutcome): boolean {
  const [refusal] = refusals;
  if (kind !== 'settled' || refusal === undefined || samplesOf(sent) > 0 || isAboutWindowOfAll(refusal.message))
    return false;
  return (protocol === '1.0' && refusal.status === 400) || refusal.status === 500;
}

/** What became of the two halves of a batch that was refused whole. */
function joined(whole: WriteOutcome, a: WriteOutcome, b: WriteOutcome): WriteOutcome {
  return {
    ...whole,
    kind: a.kind === 'aborted' ? a.kind : b.kind,
    requests: whole.requests + a.requests + b.requests,
    attempts: whole.attempts + a.attempts + b.attempts,
    sent: sum(a.sent, b.sent),
    failed: sum(a.failed, b.failed),
    dropped: {
      too_old: sum(sum(whole.dropped.too_old, a.dropped.too_old), b.dropped.too_old),
      custom_buckets: sum(sum(whole.dropped.custom_buckets, a.dropped.custom_buckets), b.dropped.custom_buckets),
    },
    unsettled: sum(a.unsettled, b.unsettled),
    metadata: {
      sent: a.metadata.sent + b.metadata.sent,
      failed: a.metadata.failed + b.metadata.failed,
    },
    refusals: [...a.refusals, ...b.refusals],
  };
}

function sum(a: PointCounts, b: PointCounts): PointCounts {
  return {
    samples: a.samples + b.samples,
    histograms: a.histograms + b.histograms,
    exemplars: a.exemplars + b.exemplars,
  };
}
