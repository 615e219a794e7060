// Takes batches to the endpoint and keeps the books: how each point ended, how long it took, and when metadata are due. It
// never rejects: whatever goes wrong, the shard behind it must go on.

import type { PointCounts, RequestBody } from '../points/index.ts';
import { Batch } from './batch.ts';
import type { LoadMeter } from './load.ts';
import type { MetadataFeed } from './metadata-feed.ts';
import type { WriteOutcome } from './outcome.ts';
import type { PointRun } from './point-run.ts';
import type { Totals } from './totals.ts';
import type { BatchWriter } from './writer-interface.ts';

export interface CourierOptions {
  writer: BatchWriter;
  totals: Totals;
  load: LoadMeter;
  /** Of 1.0; missing if they aren't sent. */
  metadata: MetadataFeed | undefined;
  now: () => number;
  signal: AbortSignal;
  onOutcome: ((outcome: WriteOutcome) => void) | undefined;
}

export class Courier {
  readonly #options: CourierOptions;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** What is aborted is dropped. */
  async deliverRun(run: PointRun): Promise<void> {
    const { writer, signal, totals } = this.#options;
    const outcome = await this.#deliver(run.pointCounts, run.timeRange[1], () =>
      writer.writeBatch(Batch.ofRun(run), { signal }),
    );
    if (outcome !== undefined) totals.drop('closed', outcome.unsettled);
  }

  /** What is aborted is dropped unless it is stored. */
  async deliverBody(
    body: RequestBody,
    { isRepeat, isStored }: { isRepeat: boolean; isStored: boolean },
  ): Promise<'settled' | 'unsettled'> {
    const { writer, signal, totals } = this.#options;
    const outcome = await this.#deliver(body.counts, body.maxTimestampMs, () =>
      writer.writeBody(body, { signal, isRepeat }),
    );
    if (outcome?.kind !== 'aborted') return 'settled';
    if (!isStored) totals.drop('closed', outcome.unsettled);
    return 'unsettled';
  }

  /** Undefined if it has failed in an unforeseen way. */
  async #deliver(
    counts: PointCounts,
    highestMs: number,
    write: () => Promise<WriteOutcome>,
  ): Promise<WriteOutcome | undefined> {
    const { now, totals, load } = this.#options;
    const startedMs = now();
    let outcome: WriteOutcome | undefined;
    try {
      outcome = await write();
      totals.settle(counts, outcome);
      this.#tell(outcome);
      // Not to a receiver that refuses even samples.
      const isTaken = outcome.sent.samples + outcome.sent.histograms > 0;
      if (outcome.protocol === '1.0' && isTaken) await this.#deliverMetadata();
    } catch {
      // An injected function has thrown, or what was read from the disk is no body.
      if (outcome === undefined) totals.fail(counts);
    }
    if (outcome?.kind !== 'aborted') load.settled(counts.samples + counts.histograms, now() - startedMs, highestMs);
    return outcome;
  }

  async #deliverMetadata(): Promise<void> {
    const { metadata, now, writer, signal, totals } = this.#options;
    for (const families of metadata?.due(now()) ?? []) {
      const fate = (await writer.writeMetadata(families, signal)) ? totals.sent : totals.failed;
      fate.metadata += families.length;
    }
  }

  #tell(outcome: WriteOutcome): void {
    try {
      this.#options.onOutcome?.(outcome);
    } catch {
      // An observer's fault must not cost data.
    }
  }
}
