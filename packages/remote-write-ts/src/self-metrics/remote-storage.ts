// A client's figures under the names that Prometheus gives to its own remote write, so that its alerts and dashboards work
// as they are. A name must mean here what it means there. Source: observed on Prometheus 2.42; the names of 3.x.

import type { RemoteWriteStats } from '../client/stats.ts';
import type { LabelPair } from '../labels/index.ts';
import { DURATION_BOUNDS, type DurationCounts } from './durations.ts';
import type { MetricFamily, MetricSample } from './family.ts';

export interface RemoteStorageState {
  /** Of the client: the label `remote_name`. */
  name: string;
  /** The label `url`; its query is left out, as it may hold a secret. */
  url: string;
  stats: RemoteStorageStats;
  durations: DurationCounts;
}

/** What is needed of a client's figures; whoever sends without a client can keep them, too. */
export type RemoteStorageStats = Pick<
  RemoteWriteStats,
  | 'taken'
  | 'attempted'
  | 'retried'
  | 'failed'
  | 'dropped'
  | 'unsettled'
  | 'enqueueRetries'
  | 'shards'
  | 'minShards'
  | 'maxShards'
  | 'desiredShards'
  | 'shardCapacity'
  | 'maxSamplesPerSend'
  | 'bytes'
  | 'metadataBytes'
  | 'highestTimestampMs'
  | 'highestSentTimestampMs'
>;

const PREFIX = 'prometheus_remote_storage_';
type PointKind = 'samples' | 'exemplars' | 'histograms';
const POINT_KINDS: readonly PointKind[] = ['samples', 'exemplars', 'histograms'];

/** All of them each time, zeros included: what is missing can't be alerted on. */
export function remoteStorageMetrics({ name, url, stats, durations }: RemoteStorageState): MetricFamily[] {
  const labels: LabelPair[] = [
    ['remote_name', name],
    ['url', withoutQuery(url)],
  ];
  const one = (type: 'counter' | 'gauge', suffix: string, help: string, value: number, own = labels): MetricFamily => {
    const full = PREFIX + suffix;
    return { name: full, type, help, samples: [{ name: full, labels: own, value }] };
  };
  const kinds = [...POINT_KINDS, 'metadata'] as const;
  const ofWhat = { samples: 'samples', exemplars: 'exemplars', histograms: 'histograms', metadata: 'metadata entries' };
  // Points that were dropped because the end came count as failed, as in Prometheus.
  const failed = { ...stats.failed };
  for (const kind of POINT_KINDS) failed[kind] += stats.dropped.closed[kind];
  return [
    ...kinds.map((kind) =>
      one(
        'counter',
        `${kind}_total`,
        `Total number of ${ofWhat[kind]} sent to remote storage, each attempt counted.`,
        stats.attempted[kind],
      ),
    ),
    ...kinds.map((kind) =>
      one(
        'counter',
        `${kind}_failed_total`,
        `Total number of ${ofWhat[kind]} that remote storage refused, or that were left at the end.`,
        failed[kind],
      ),
    ),
    ...kinds.map((kind) =>
      one(
        'counter',
        `${kind}_retried_total`,
        `Total number of ${ofWhat[kind]} whose sending failed in a way that made it worth another attempt.`,
        stats.retried[kind],
      ),
    ),
    ...POINT_KINDS.map((kind) => droppedFamily(kind, stats, labels)),
    ...POINT_KINDS.map((kind) =>
      one('gauge', `${kind}_pending`, `Number of ${kind} that wait or are on their way.`, stats.unsettled[kind]),
    ),
    one(
      'counter',
      'enqueue_retries_total',
      "Total number of times that a shard's queue was full and had to be waited for.",
      stats.enqueueRetries,
    ),
    durationFamily(durations, labels),
    one(
      'gauge',
      'queue_highest_timestamp_seconds',
      'Highest timestamp that was queued, in seconds since the epoch.',
      stats.highestTimestampMs / 1000,
    ),
    one(
      'gauge',
      'queue_highest_sent_timestamp_seconds',
      'Highest timestamp that was sent and answered for good, in seconds since the epoch.',
      stats.highestSentTimestampMs / 1000,
    ),
    one('gauge', 'shard_capacity', 'Points that wait in each shard at most.', stats.shardCapacity),
    one('gauge', 'shards', 'Number of shards that send in parallel.', stats.shards),
    one('gauge', 'shards_min', 'Lowest number of shards allowed.', stats.minShards),
    one('gauge', 'shards_max', 'Highest number of shards allowed.', stats.maxShards),
    one('gauge', 'shards_desired', 'Number of shards that the load asks for.', stats.desiredShards),
    one('counter', 'bytes_total', 'Total number of compressed bytes of data, not metadata, sent.', stats.bytes),
    one('counter', 'metadata_bytes_total', 'Total number of compressed bytes of metadata sent.', stats.metadataBytes),
    one(
      'gauge',
      'max_samples_per_send',
      'Samples of one request at most, exemplars not counted.',
      stats.maxSamplesPerSend,
    ),
    ...POINT_KINDS.map((kind) =>
      one('counter', `${kind}_in_total`, `Total number of ${kind} taken in by this process.`, stats.taken[kind], []),
    ),
    one(
      'gauge',
      'highest_timestamp_in_seconds',
      'Highest timestamp taken in by this process, in seconds since the epoch.',
      stats.highestTimestampMs / 1000,
      [],
    ),
  ];
}

/** Where Prometheus has a word for the reason, it is that one. */
const REASON_WORDS: Readonly<Record<string, string>> = { custom_buckets: 'nhcb_in_rw1_not_supported' };

function droppedFamily(kind: PointKind, { dropped }: RemoteStorageStats, labels: readonly LabelPair[]): MetricFamily {
  const name = `${PREFIX}${kind}_dropped_total`;
  const samples: MetricSample[] = [];
  for (const [reason, counts] of Object.entries(dropped)) {
    if (reason === 'closed' || (reason === 'custom_buckets' && kind === 'samples')) continue;
    samples.push({ name, labels: [...labels, ['reason', REASON_WORDS[reason] ?? reason]], value: counts[kind] });
  }
  return { name, type: 'counter', help: `Total number of ${kind} that were dropped unsent, by reason.`, samples };
}

function durationFamily({ buckets, count, sumSeconds }: DurationCounts, labels: readonly LabelPair[]): MetricFamily {
  const name = `${PREFIX}sent_batch_duration_seconds`;
  const bucket = (le: string, value: number): MetricSample => ({
    name: `${name}_bucket`,
    labels: [...labels, ['le', le]],
    value,
  });
  return {
    name,
    type: 'histogram',
    help: 'Duration of attempts to send to remote storage.',
    samples: [
      ...DURATION_BOUNDS.map((bound, i) => bucket(String(bound), buckets[i]!)),
      bucket('+Inf', count),
      { name: `${name}_sum`, labels, value: sumSeconds },
      { name: `${name}_count`, labels, value: count },
    ],
  };
}

function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}
