// A request's body together with what must be known of it without reading it again: how many points, and from when.

import type { Protocol } from '../wire/index.ts';
import { exemplarsOf, type Point, type PointCounts } from './point.ts';

/** Points by kind, and metadata: on 2.0 the series that carry theirs, on 1.0 the families of requests of their own. */
export interface KindCounts extends PointCounts {
  metadata: number;
}

export interface RequestBody {
  protocol: Protocol;
  /** Compressed. */
  bytes: Uint8Array;
  counts: KindCounts;
  /** Of its points, ms since the Unix epoch. */
  minTimestampMs: number;
  maxTimestampMs: number;
  /** Of series that the receiver refused before while it took others: such go apart. */
  isSuspected?: boolean;
}

/** What a request of this protocol has of these points. */
export function countKinds(protocol: Protocol, points: readonly Point[]): KindCounts {
  const counts: KindCounts = { samples: 0, histograms: 0, exemplars: 0, metadata: 0 };
  const isMetadataOnSeries = protocol === '2.0';
  for (const point of points) {
    if (point.kind === 'sample' || point.kind === 'stale') counts.samples++;
    else counts.histograms++;
    counts.exemplars += exemplarsOf(point).length;
    if (isMetadataOnSeries && point.series.metadata !== undefined) counts.metadata++;
  }
  return counts;
}

/** Of at least one point. */
export function timeRange(points: readonly Point[]): [minTimestampMs: number, maxTimestampMs: number] {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const { timestampMs } of points) {
    if (timestampMs < min) min = timestampMs;
    if (timestampMs > max) max = timestampMs;
  }
  return [min, max];
}
