// A request's body back to points, so that it can be written in the other protocol, split, or lose what is too old. What
// 1.0 has no words for (metadata on the series, start timestamps) isn't in its bodies any more.

import type { NativeHistogram } from '../histogram/index.ts';
import { createExemplar, createSeries, type Exemplar, type Series } from '../labels/index.ts';
import { snappyUncompress } from '../snappy/index.ts';
import {
  type DecodedHistogram,
  type DecodedSample,
  type DecodedSeries,
  decodeWriteRequest,
  decodeWriteRequestV2,
  type Protocol,
} from '../wire/index.ts';
import type { Point } from './point.ts';

/** Far above what any batch has: the limit is for bodies that lie about their size. */
const MAX_BODY_BYTES = 1 << 30;
const STALE_BITS = 0x7ff0000000000002n;

/**
 * The points in the order of the body.
 * @param bytes compressed.
 * @throws SnappyError, WireError, LabelError: for what isn't a body of this protocol.
 */
export function decodePoints(protocol: Protocol, bytes: Uint8Array): Point[] {
  const message = snappyUncompress(bytes, MAX_BODY_BYTES);
  const { timeseries } = protocol === '2.0' ? decodeWriteRequestV2(message) : decodeWriteRequest(message);
  return timeseries.flatMap(pointsOf);
}

function pointsOf(decoded: DecodedSeries): Point[] {
  const series = createSeries(decoded.labels, decoded.metadata);
  const exemplars = decoded.exemplars.map(({ labels, value, timestampMs }) =>
    createExemplar(labels, value, timestampMs),
  );
  const points = [
    ...decoded.samples.map((sample) => samplePoint(series, sample)),
    ...decoded.histograms.map((histogram) => histogramPoint(series, histogram)),
  ];
  return exemplars.length === 0 ? points : withExemplars(points, exemplars);
}

function samplePoint(series: Series, { value, bits, timestampMs, startMs }: DecodedSample): Point {
  if (bits === STALE_BITS) return { kind: 'stale', series, timestampMs };
  return { kind: 'sample', series, value, timestampMs, ...(startMs !== undefined && { startMs }) };
}

function histogramPoint(series: Series, { sumBits, timestampMs, startMs, ...histogram }: DecodedHistogram): Point {
  if (sumBits === STALE_BITS) return { kind: 'stale_histogram', series, timestampMs };
  const native: NativeHistogram = histogram;
  return { kind: 'histogram', series, histogram: native, timestampMs, ...(startMs !== undefined && { startMs }) };
}

// On the wire they belong to the series; a series of one point, as this package writes them, has no doubt whose they are.
function withExemplars(points: Point[], exemplars: readonly Exemplar[]): Point[] {
  const owner = points.findIndex(({ kind }) => kind === 'sample' || kind === 'histogram');
  return points.map((point, i) =>
    i === owner && (point.kind === 'sample' || point.kind === 'histogram') ? { ...point, exemplars } : point,
  );
}
