// What is sent, before it is bytes: so that a batch can be written in either protocol, split, or lose what is too old.

import { CUSTOM_BUCKETS_SCHEMA, checkHistogram, type NativeHistogram } from '../histogram/index.ts';
import type { Exemplar, Series } from '../labels/index.ts';
import { checkStart, checkTimestamp, type Protocol } from '../wire/index.ts';

interface AnyPoint {
  series: Series;
  /** Milliseconds since the Unix epoch. Within a series it must rise from point to point. */
  timestampMs: number;
}

interface CountedPoint extends AnyPoint {
  /** When counting began, ms since the Unix epoch; only 2.0 carries it. 0 or missing: not known. */
  startMs?: number;
  exemplars?: readonly Exemplar[];
}

export interface SamplePoint extends CountedPoint {
  kind: 'sample';
  /** Any NaN is the ordinary one: a series ends by a point of kind `stale`. */
  value: number;
}

export interface HistogramPoint extends CountedPoint {
  kind: 'histogram';
  histogram: NativeHistogram;
}

/** The end of a series of samples. */
export interface StalePoint extends AnyPoint {
  kind: 'stale';
}

/** The end of a series of native histograms. */
export interface StaleHistogramPoint extends AnyPoint {
  kind: 'stale_histogram';
}

export type Point = SamplePoint | HistogramPoint | StalePoint | StaleHistogramPoint;

/** Stale markers count as what they end. */
export interface PointCounts {
  samples: number;
  histograms: number;
  exemplars: number;
}

/**
 * One point in a batch that no request could carry would cost all the others.
 * @throws TypeError, RangeError, HistogramError: for a point that no request could carry, or that a receiver would refuse.
 */
export function checkPoint(point: Point): void {
  if (typeof point?.series?.hash !== 'number') throw new TypeError('a point without a series of createSeries');
  checkTimestamp(point.timestampMs);
  switch (point.kind) {
    case 'sample':
      if (typeof point.value !== 'number') throw fault(point, `the value is a ${typeof point.value}`);
      break;
    case 'histogram':
      if (typeof point.histogram !== 'object' || point.histogram === null) throw fault(point, 'no histogram');
      checkHistogram(point.histogram);
      break;
    case 'stale':
    case 'stale_histogram':
      return;
    default:
      throw fault(point, `no kind of point is ${JSON.stringify((point as Point).kind)}`);
  }
  if (point.startMs) checkStart(point.startMs, point.timestampMs);
  if (point.exemplars === undefined) return;
  for (const { labels, value, timestampMs } of point.exemplars) {
    if (!(labels instanceof Uint8Array)) throw fault(point, 'an exemplar is not of createExemplar');
    if (typeof value !== 'number') throw fault(point, `the value of an exemplar is a ${typeof value}`);
    checkTimestamp(timestampMs);
  }
}

function fault(point: Point, what: string): TypeError {
  const name = point.series.labels.find(([label]) => label === '__name__')?.[1];
  return new TypeError(`a point of ${name}: ${what}`);
}

/** Custom buckets exist only in 2.0. */
export function isCarriedBy(protocol: Protocol, point: Point): boolean {
  return protocol === '2.0' || point.kind !== 'histogram' || point.histogram.schema !== CUSTOM_BUCKETS_SCHEMA;
}

export function exemplarsOf(point: Point): readonly Exemplar[] {
  return (point.kind === 'sample' || point.kind === 'histogram') && point.exemplars ? point.exemplars : NO_EXEMPLARS;
}

/**
 * Several of one point in the order in which Prometheus takes them, by time and value: before 3.16 it drops those that come out of
 * it, though it counts them as written.
 */
export function sortedExemplars(point: Point): readonly Exemplar[] {
  const exemplars = exemplarsOf(point);
  if (exemplars.length < 2) return exemplars;
  return exemplars.toSorted((a, b) => a.timestampMs - b.timestampMs || a.value - b.value);
}

const NO_EXEMPLARS: readonly Exemplar[] = [];

export function countPoints(points: readonly Point[]): PointCounts {
  const counts: PointCounts = { samples: 0, histograms: 0, exemplars: 0 };
  for (const point of points) {
    if (point.kind === 'sample' || point.kind === 'stale') counts.samples++;
    else counts.histograms++;
    counts.exemplars += exemplarsOf(point).length;
  }
  return counts;
}
