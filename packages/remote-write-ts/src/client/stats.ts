// What a client tells of itself: enough for each of Prometheus' own `prometheus_remote_storage_` metrics.

import type { DiskDropReason, DiskQueueStats } from '../disk-queue/index.ts';
import type { KindCounts, PointCounts } from '../points/index.ts';
import type { AttemptInfo, SenderStats } from '../sender/index.ts';
import type { Protocol } from '../wire/index.ts';
import type { WriteDropReason } from './outcome.ts';

/**
 * - `queue_full`: made room for newer ones.
 * - `closed`: not delivered before the deadline of `close`, and not on disk.
 */
export type DropReason = WriteDropReason | DiskDropReason | 'queue_full' | 'closed';

export const DROP_REASONS: readonly DropReason[] = [
  'too_old',
  'custom_buckets',
  'queue_full',
  'closed',
  'disk_max_bytes',
  'disk_max_age',
  'disk_damaged',
];

/** Told after each attempt, metadata of 1.0 included: what Prometheus' `sent_batch_duration_seconds` observes. */
export interface BatchInfo {
  protocol: Protocol;
  /** What the request carried. Where only `metadata` isn't 0, it is a request of metadata alone. */
  counts: KindCounts;
  /** Compressed bytes of the body. */
  bodyBytes: number;
  /** 0 for the first attempt. */
  attempt: number;
  result: AttemptInfo['result'];
  /** Missing if no answer came. */
  status?: number;
  /** Whether it will be sent again: such an attempt counts as retried. */
  isRetried: boolean;
  /** From the start of the attempt to its answer; waits between attempts are no part of it. */
  durationMs: number;
}

export function batchInfo(
  { protocol, attempt, result, status, durationMs, waitMs }: AttemptInfo,
  bodyBytes: number,
  counts: KindCounts,
): BatchInfo {
  return {
    protocol,
    counts,
    bodyBytes,
    attempt,
    result,
    ...(status !== undefined && { status }),
    isRetried: waitMs !== undefined,
    durationMs,
  };
}

/** Sums since the client was made, and what is now. Each point ends as sent, failed or dropped. */
export interface RemoteWriteStats {
  /** What is known of the endpoint. */
  protocol: Protocol | undefined;
  /** Points that entered the queue. */
  taken: PointCounts;
  /** What all attempts carried, repeats included: Prometheus' `samples_total` and its like. */
  attempted: KindCounts;
  /** What attempts carried that were, or will be, made again. */
  retried: KindCounts;
  /** Stored, as far as the receiver's answers say. */
  sent: KindCounts;
  /** Refused by the receiver. */
  failed: KindCounts;
  dropped: Record<DropReason, PointCounts>;
  /** Points without a final fate: in the shards, on disk, and on their way. */
  unsettled: PointCounts;
  /** Points that wait in the shards, those on their way or on disk not counted. */
  pending: number;
  /** Points that `append` couldn't put in yet. */
  blocked: number;
  /** How often `append` had to wait for room. */
  enqueueRetries: number;
  shards: number;
  minShards: number;
  maxShards: number;
  /** What the load asks for: a fraction, and beyond `maxShards` where those don't suffice. */
  desiredShards: number;
  shardCapacity: number;
  /** As configured: without the tenth for exemplars. */
  maxSamplesPerSend: number;
  /** Compressed bytes of requests that were answered for good, whatever the answer: those of points, and of metadata alone. */
  bytes: number;
  metadataBytes: number;
  /** Of points taken and of points settled, ms since the Unix epoch; 0 before the first. */
  highestTimestampMs: number;
  highestSentTimestampMs: number;
  requests: SenderStats;
  /** Missing without a disk queue. */
  disk?: DiskQueueStats;
}
