// A remote-write client for one endpoint: points go into its queue, and arrive in order for each series. An endpoint that
// fails holds up its own client alone; who feeds several must not let one's back-pressure hold up the others.

import { setTimeout as timer } from 'node:timers/promises';
import { createSeries, type LabelPair, type Metadata, type Series } from '../labels/index.ts';
import { translateSeries } from '../names/index.ts';
import { checkPoint, exemplarsOf, type HistogramPoint, type Point, type SamplePoint } from '../points/index.ts';
import { Durations, type MetricFamily, remoteStorageMetrics } from '../self-metrics/index.ts';
import { whole } from '../sender/index.ts';
import { Courier } from './courier.ts';
import { LoadMeter } from './load.ts';
import { MetadataFeed } from './metadata-feed.ts';
import { type RemoteWriteOptions, resolveNames, resolveQueue } from './options.ts';
import { Queue } from './queue.ts';
import { diskRoute, straightRoute } from './route.ts';
import type { RemoteWriteStats } from './stats.ts';
import { Totals } from './totals.ts';
import { createBatchWriter } from './writer.ts';

export interface RemoteWrite {
  readonly name: string;
  /**
   * A series with the client's external labels, by `nameTranslation` under the names of Prometheus.
   * @throws LabelError
   */
  series(labels: readonly LabelPair[], metadata?: Metadata): Series;
  /**
   * Resolves when the points are in the queue: this is the back-pressure. Calls are served in their order.
   * Rejects with RangeError or HistogramError if a point can't be sent, before any of them is queued; with ClosedError
   * after `close`; with DiskQueueError if there is a disk queue that can't be opened.
   */
  append(points: Point | readonly Point[]): Promise<void>;
  /** Sends what is queued without waiting for full batches. Resolves when each point has its final fate. */
  flush(): Promise<void>;
  /**
   * Resolves when what is queued has its final fate or is on disk, without waiting for full batches: then the source of the
   * points may forget them. Without a disk queue the same as `flush`.
   */
  persist(): Promise<void>;
  stats(): RemoteWriteStats;
  /** The same under Prometheus' own names, with the durations of attempts: to be shown by `renderMetrics`, or otherwise. */
  metrics(): MetricFamily[];
  /**
   * Takes no more points, delivers those that are queued, and drops (`closed`) what isn't delivered in time, unless it is on
   * disk: then the next client of that directory delivers it. Idempotent.
   * @param deadlineMs default: 60,000; Infinity: none.
   * @throws RangeError for what is no time.
   */
  close(deadlineMs?: number): Promise<void>;
}

const CLOSE_DEADLINE_MS = 60_000;
/** 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @throws SenderError for options that can't work; DiskQueueError if the disk queue's directory is in use or can't be made. */
export function createRemoteWrite(options: RemoteWriteOptions): RemoteWrite {
  const { now = Date.now, random = Math.random, sleep = sleepFor } = options;
  const { externalLabels = [], sendExemplars = true, metadata = {} } = options;
  const queueOptions = resolveQueue(options);
  const nameTranslation = resolveNames(options);
  const feed = new MetadataFeed(
    whole('metadata.sendIntervalMs', metadata.sendIntervalMs ?? 60_000, Number.MAX_SAFE_INTEGER),
    whole('metadata.maxPerSend', metadata.maxPerSend ?? 2_000, 1_000_000),
  );
  const stop = new AbortController();
  const totals = new Totals();
  const load = new LoadMeter(now());
  const durations = new Durations();
  let closing: Promise<void> | undefined;

  const writer = createBatchWriter({
    ...options,
    maxConcurrent: queueOptions.maxShards,
    onAttempt(info) {
      if (info.waitMs !== undefined) load.freeze(now() + 2 * info.waitMs);
      options.onAttempt?.(info);
    },
    onBatch(info) {
      totals.attempt(info);
      durations.observe(info.durationMs);
      options.onBatch?.(info);
    },
  });
  const courier = new Courier({
    writer,
    totals,
    load,
    metadata: metadata.send === false ? undefined : feed,
    now,
    signal: stop.signal,
    onOutcome: options.onOutcome,
  });
  const route =
    options.diskQueue === undefined
      ? straightRoute(courier)
      : diskRoute(options.diskQueue, { courier, writer, totals, load, now, random, sleep, onWarning });
  route.relayout(queueOptions.minShards);
  const queue = new Queue(queueOptions, load, {
    now,
    deliver: (run, shard) => route.take(run, shard),
    onEntered: (counts) => totals.take(counts),
    onDropped: (counts) => totals.drop('queue_full', counts),
    onResharded: (shards) => route.relayout(shards),
    underWay: () => route.pending(),
  });

  function onWarning(message: string): void {
    try {
      options.onWarning?.(message);
    } catch {
      // An observer's fault must not cost data.
    }
  }

  async function shutDown(deadlineMs: number): Promise<void> {
    queue.close();
    const inTime = new AbortController();
    const late = timer(Math.min(deadlineMs, LONGEST_TIMER_MS), undefined, { signal: inTime.signal }).then(
      () => {
        route.stop();
        stop.abort();
      },
      () => {},
    );
    // After the abort, what is left is aborted batch by batch, which ends the draining.
    await queue.drain();
    // One that couldn't be opened has nothing to drain, and has said so.
    await route.drained().catch(() => {});
    inTime.abort();
    await late;
    await route.close();
    await writer.close();
  }

  function stats(): RemoteWriteStats {
    const disk = route.stats();
    return {
      protocol: writer.protocol,
      ...totals.snapshot(),
      ...queue.stats,
      requests: writer.stats(),
      ...(disk && { disk }),
    };
  }

  return {
    name: writer.name,
    series(labels, of) {
      const named =
        nameTranslation === undefined ? { labels, metadata: of } : translateSeries(labels, of, nameTranslation);
      const own = new Set(named.labels.map(([name]) => name));
      return createSeries([...named.labels, ...externalLabels.filter(([name]) => !own.has(name))], named.metadata);
    },
    async append(points) {
      const list = 'series' in points ? [points] : points;
      const haveExemplars = check(list, feed);
      const wanted = sendExemplars || !haveExemplars ? list : list.map(withoutExemplars);
      if (route.ready === undefined) await queue.append(wanted);
      else {
        const own = wanted.slice(); // the caller may use the array again
        await route.ready;
        await queue.append(own);
      }
    },
    async flush() {
      await queue.drain();
      await route.drained();
    },
    async persist() {
      await route.ready;
      await queue.drain();
    },
    stats,
    metrics: () =>
      remoteStorageMetrics({ name: writer.name, url: options.url, stats: stats(), durations: durations.counts() }),
    close(deadlineMs = CLOSE_DEADLINE_MS) {
      if (typeof deadlineMs !== 'number' || !(deadlineMs >= 0)) {
        throw new RangeError(`not a deadline in milliseconds: ${String(deadlineMs)}`);
      }
      closing ??= shutDown(deadlineMs);
      return closing;
    },
  };
}

/** Whether there are exemplars. Throws as `checkPoint` does. */
function check(points: readonly Point[], feed: MetadataFeed): boolean {
  let haveExemplars = false;
  for (let i = 0; i < points.length; i++) {
    const point = points[i]!;
    checkPoint(point);
    feed.see(point.series);
    haveExemplars ||= hasExemplars(point);
  }
  return haveExemplars;
}

function hasExemplars(point: Point): point is SamplePoint | HistogramPoint {
  return exemplarsOf(point).length > 0;
}

function withoutExemplars(point: Point): Point {
  return hasExemplars(point) ? { ...point, exemplars: [] } : point;
}

async function sleepFor(waitMs: number, signal: AbortSignal): Promise<void> {
  await timer(waitMs, undefined, { signal });
}
