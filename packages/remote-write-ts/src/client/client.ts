// A remote-write client for one endpoint: points go into its queue, and arrive in order for each series. An endpoint that
// fails holds up its own client alone; who feeds several must not let one's back-pressure hold up the others.

import { setTimeout as timer } from 'node:timers/promises';
import { createSeries, type LabelPair, type Metadata, type Series } from '../labels/index.ts';
import { checkPoint, countPoints, type Point, type PointCounts } from '../points/index.ts';
import { type SenderStats, whole } from '../sender/index.ts';
import type { Protocol } from '../wire/index.ts';
import { MetadataFeed } from './metadata-feed.ts';
import { type RemoteWriteOptions, resolveQueue } from './options.ts';
import { addPoints, noPoints, type WriteDropReason, type WriteOutcome } from './outcome.ts';
import { Queue } from './queue.ts';
import { createWriter } from './writer.ts';

/** `queue_full`: made room for newer ones. `closed`: not delivered before the deadline of `close`. */
export type DropReason = WriteDropReason | 'queue_full' | 'closed';

/** Sums since the client was made, and what is now. */
export interface RemoteWriteStats {
  /** What is known of the endpoint. */
  protocol: Protocol | undefined;
  sent: PointCounts;
  failed: PointCounts;
  dropped: Record<DropReason, PointCounts>;
  /** Families that a 1.0 endpoint took, or didn't. */
  metadataSent: number;
  metadataFailed: number;
  /** Points that wait, those on their way not counted, and those that `append` couldn't put in yet. */
  pending: number;
  blocked: number;
  /** How often `append` had to wait. */
  waits: number;
  shards: number;
  desiredShards: number;
  /** Timestamps, ms since the Unix epoch; 0 before the first. */
  newestMs: number;
  newestSentMs: number;
  requests: SenderStats;
}

export interface RemoteWrite {
  readonly name: string;
  /**
   * A series with the client's external labels.
   * @throws LabelError
   */
  series(labels: readonly LabelPair[], metadata?: Metadata): Series;
  /**
   * Resolves when the points are in the queue: this is the back-pressure. Calls are served in their order.
   * Rejects with RangeError or HistogramError if a point can't be sent, before any of them is queued; with ClosedError
   * after `close`.
   */
  append(points: Point | readonly Point[]): Promise<void>;
  /** Sends what is queued without waiting for full batches. Resolves when each point has its final fate. */
  flush(): Promise<void>;
  stats(): RemoteWriteStats;
  /**
   * Takes no more points, delivers those that are queued, and drops (`closed`) what isn't delivered in time. Idempotent.
   * @param deadlineMs default: 60,000.
   */
  close(deadlineMs?: number): Promise<void>;
}

const CLOSE_DEADLINE_MS = 60_000;

/** @throws SenderError for options that can't work. */
export function createRemoteWrite(options: RemoteWriteOptions): RemoteWrite {
  const { now = Date.now, externalLabels = [], sendExemplars = true, metadata = {} } = options;
  const queueOptions = resolveQueue(options);
  const feed = new MetadataFeed(
    whole('metadata.sendIntervalMs', metadata.sendIntervalMs ?? 60_000, Number.MAX_SAFE_INTEGER),
    whole('metadata.maxPerSend', metadata.maxPerSend ?? 2_000, 1_000_000),
  );
  const stop = new AbortController();
  const sums = {
    sent: noPoints(),
    failed: noPoints(),
    dropped: { too_old: noPoints(), custom_buckets: noPoints(), queue_full: noPoints(), closed: noPoints() },
    metadataSent: 0,
    metadataFailed: 0,
  };
  let closing: Promise<void> | undefined;

  const writer = createWriter({
    ...options,
    maxConcurrent: queueOptions.maxShards,
    onAttempt(info) {
      if (info.waitMs !== undefined) queue.freeze(2 * info.waitMs);
      options.onAttempt?.(info);
    },
  });
  const queue = new Queue(queueOptions, {
    now,
    deliver,
    onDropped: (point) => addPoints(sums.dropped.queue_full, countPoints([point])),
  });

  async function deliver(points: readonly Point[]): Promise<void> {
    try {
      const outcome = await writer.write(points, { signal: stop.signal });
      addPoints(sums.sent, outcome.sent);
      addPoints(sums.failed, outcome.failed);
      addPoints(sums.dropped.too_old, outcome.dropped.too_old);
      addPoints(sums.dropped.custom_buckets, outcome.dropped.custom_buckets);
      addPoints(sums.dropped.closed, outcome.unsettled);
      tell(outcome);
      // Not to a receiver that refuses even samples.
      const isTaken = outcome.sent.samples + outcome.sent.histograms > 0;
      if (outcome.protocol === '1.0' && isTaken && metadata.send !== false) await deliverMetadata();
    } catch {
      // Only an injected function can have thrown. The shard must go on.
      addPoints(sums.failed, countPoints(points));
    }
  }

  async function deliverMetadata(): Promise<void> {
    for (const families of feed.due(now())) {
      if (await writer.writeMetadata(families, stop.signal)) sums.metadataSent += families.length;
      else sums.metadataFailed += families.length;
    }
  }

  function tell(outcome: WriteOutcome): void {
    try {
      options.onOutcome?.(outcome);
    } catch {
      // An observer's fault must not cost data.
    }
  }

  async function shutDown(deadlineMs: number): Promise<void> {
    queue.close();
    const inTime = new AbortController();
    const late = timer(deadlineMs, undefined, { signal: inTime.signal }).then(
      () => stop.abort(),
      () => {},
    );
    // After the abort, what is left is aborted batch by batch, which ends the draining.
    await queue.drain();
    inTime.abort();
    await late;
    await writer.close();
  }

  return {
    name: writer.name,
    series(labels, of) {
      const own = new Set(labels.map(([name]) => name));
      return createSeries([...labels, ...externalLabels.filter(([name]) => !own.has(name))], of);
    },
    async append(points) {
      const list = ('series' in points ? [points] : points).map((point) => {
        checkPoint(point);
        feed.see(point.series);
        return sendExemplars || !('exemplars' in point) ? point : { ...point, exemplars: [] };
      });
      await queue.append(list);
    },
    flush: () => queue.drain(),
    stats() {
      return {
        protocol: writer.protocol,
        sent: { ...sums.sent },
        failed: { ...sums.failed },
        dropped: structuredClone(sums.dropped),
        metadataSent: sums.metadataSent,
        metadataFailed: sums.metadataFailed,
        ...queue.stats,
        requests: writer.stats(),
      };
    },
    close(deadlineMs = CLOSE_DEADLINE_MS) {
      closing ??= shutDown(deadlineMs);
      return closing;
    },
  };
}
