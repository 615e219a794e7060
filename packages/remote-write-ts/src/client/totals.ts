// The sums of a client: where each of its points is, and how it ended. A point is counted in exactly one place at a time.

import type { KindCounts, PointCounts } from '../points/index.ts';
import { addPoints, noPoints, type WriteOutcome } from './outcome.ts';
import { type BatchInfo, DROP_REASONS, type DropReason } from './stats.ts';

export class Totals {
  readonly taken = noPoints();
  readonly unsettled = noPoints();
  readonly attempted = noKinds();
  readonly retried = noKinds();
  readonly sent = noKinds();
  readonly failed = noKinds();
  readonly dropped = Object.fromEntries(DROP_REASONS.map((reason) => [reason, noPoints()])) as Record<
    DropReason,
    PointCounts
  >;
  bytes = 0;
  metadataBytes = 0;

  take(counts: PointCounts): void {
    addPoints(this.taken, counts);
    addPoints(this.unsettled, counts);
  }

  /** Points that an earlier process took. */
  found(counts: PointCounts): void {
    addPoints(this.unsettled, counts);
  }

  drop(reason: DropReason, counts: PointCounts): void {
    addPoints(this.dropped[reason], counts);
    subtract(this.unsettled, counts);
  }

  /** @param counts of all that was written. What the outcome leaves unsettled stays so. */
  settle(counts: PointCounts, { sent, failed, dropped, unsettled, metadata }: WriteOutcome): void {
    addPoints(this.sent, sent);
    addPoints(this.failed, failed);
    addPoints(this.dropped.too_old, dropped.too_old);
    addPoints(this.dropped.custom_buckets, dropped.custom_buckets);
    this.sent.metadata += metadata.sent;
    this.failed.metadata += metadata.failed;
    subtract(this.unsettled, counts);
    addPoints(this.unsettled, unsettled);
  }

  fail(counts: PointCounts): void {
    addPoints(this.failed, counts);
    subtract(this.unsettled, counts);
  }

  snapshot() {
    const { taken, unsettled, attempted, retried, sent, failed, dropped, bytes, metadataBytes } = this;
    return structuredClone({ taken, unsettled, attempted, retried, sent, failed, dropped, bytes, metadataBytes });
  }

  attempt({ counts, bodyBytes, result, isRetried }: BatchInfo): void {
    addKinds(this.attempted, counts);
    if (isRetried) addKinds(this.retried, counts);
    if (result !== 'accepted' && result !== 'refused') return;
    if (isMetadataAlone(counts)) this.metadataBytes += bodyBytes;
    else this.bytes += bodyBytes;
  }
}

function isMetadataAlone({ samples, histograms, metadata }: KindCounts): boolean {
  return metadata > 0 && samples === 0 && histograms === 0;
}

function noKinds(): KindCounts {
  return { ...noPoints(), metadata: 0 };
}

function addKinds(to: KindCounts, counts: KindCounts): void {
  addPoints(to, counts);
  to.metadata += counts.metadata;
}

function subtract(from: PointCounts, { samples, histograms, exemplars }: PointCounts): void {
  from.samples -= samples;
  from.histograms -= histograms;
  from.exemplars -= exemplars;
}
