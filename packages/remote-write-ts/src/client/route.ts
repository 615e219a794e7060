// The way from the shards to the endpoint: straight, or over the disk. On the straight one a shard waits for the fate of its
// batch; on the other one only until the batch is stored.

import { DiskQueue, type DiskQueueOptions, type DiskQueueStats } from '../disk-queue/index.ts';
import { Batch } from './batch.ts';
import type { Courier } from './courier.ts';
import type { LoadMeter } from './load.ts';
import type { PointRun } from './point-run.ts';
import type { Totals } from './totals.ts';
import type { BatchWriter } from './writer-interface.ts';

export interface Route {
  /** Rejects if nothing can be taken, ever. Undefined: nothing stands in the way. */
  readonly ready: Promise<void> | undefined;
  /** Takes a shard's batch. Doesn't reject. */
  take(run: PointRun, shard: number): Promise<void>;
  /** The shards are empty, and there are so many from now on. */
  relayout(shards: number): void;
  /** Points that were taken over from the shards and have no final fate. */
  pending(): number;
  /** Resolves when all that was taken has its final fate. */
  drained(): Promise<void>;
  stats(): DiskQueueStats | undefined;
  /** To be told just before what is on its way is aborted. */
  stop(): void;
  close(): Promise<void>;
}

export function straightRoute(courier: Courier): Route {
  return {
    ready: undefined,
    take: (run) => courier.deliverRun(run),
    relayout() {},
    pending: () => 0,
    drained: async () => {},
    stats: () => undefined,
    stop() {},
    close: async () => {},
  };
}

export interface DiskRouteOptions {
  courier: Courier;
  writer: BatchWriter;
  totals: Totals;
  load: LoadMeter;
  now: () => number;
  random: () => number;
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  onWarning: (message: string) => void;
}

/** @throws SenderError `bad_option`; DiskQueueError */
export function diskRoute(options: DiskQueueOptions, parts: DiskRouteOptions): Route {
  const { courier, writer, totals, load, now, random, sleep, onWarning } = parts;
  const queue = new DiskQueue(options, {
    now,
    random,
    sleep,
    deliver: (body, info) => courier.deliverBody(body, info),
    onFound(counts, maxTimestampMs) {
      totals.found(counts);
      load.found(maxTimestampMs);
    },
    onDropped: (reason, counts) => totals.drop(reason, counts),
    onWarning,
  });
  let ready: Promise<void> | undefined = queue.ready.then(() => {
    ready = undefined;
  });
  ready.catch(() => {}); // the queue says it itself
  return {
    get ready() {
      return ready;
    },
    async take(run, shard) {
      const { bodies, dropped } = writer.encodeBatch(Batch.ofRun(run));
      totals.drop('custom_buckets', dropped.custom_buckets);
      // Not one after the other: their order is that of the calls, and one write takes both.
      const results = await Promise.allSettled(bodies.map((body) => queue.append(shard, body)));
      for (const [i, { status }] of results.entries()) {
        if (status === 'rejected') totals.drop('closed', bodies[i]!.counts);
      }
    },
    relayout: (shards) => queue.relayout(shards),
    pending() {
      const { samples, histograms } = queue.stats().points;
      return samples + histograms;
    },
    drained: () => queue.drained(),
    stats: () => queue.stats(),
    stop: () => queue.stop(),
    close: () => queue.close(),
  };
}
