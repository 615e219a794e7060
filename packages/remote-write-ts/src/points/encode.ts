// Points to a request's body, in either protocol.

import type { SeriesMetadata } from '../labels/index.ts';
import { type PointExtras, type Protocol, WriteRequestBuilder, WriteRequestV2Builder } from '../wire/index.ts';
import { type HistogramPoint, type Point, type SamplePoint, sortedExemplars } from './point.ts';

/** Keeps its buffers; one is enough for all that happens in one thread. */
export class PointEncoder {
  readonly #v1 = new WriteRequestBuilder();
  readonly #v2 = new WriteRequestV2Builder();

  /** @param points such as `checkPoint` takes and the protocol carries. */
  encode(protocol: Protocol, points: readonly Point[]): Uint8Array {
    return protocol === '1.0' ? this.#encodeV1(points) : this.#encodeV2(points);
  }

  /** A 1.0 request of metadata alone. */
  encodeMetadata(families: readonly SeriesMetadata[]): Uint8Array {
    this.#v1.reset();
    for (const metadata of families) this.#v1.addMetadata(metadata);
    return this.#v1.finish();
  }

  #encodeV1(points: readonly Point[]): Uint8Array {
    const builder = this.#v1;
    builder.reset();
    for (let i = 0; i < points.length; i++) {
      const point = points[i]!;
      const { series, timestampMs } = point;
      if (point.kind === 'sample') {
        const exemplars = sortedExemplars(point);
        if (exemplars.length === 0) builder.addSample(series, point.value, timestampMs);
        else builder.addSampleWithExemplars(series, point.value, timestampMs, exemplars);
      } else if (point.kind === 'histogram') {
        builder.addHistogram(series, point.histogram, timestampMs, sortedExemplars(point));
      } else if (point.kind === 'stale') builder.addStale(series, timestampMs);
      else builder.addStaleHistogram(series, timestampMs);
    }
    return builder.finish();
  }

  #encodeV2(points: readonly Point[]): Uint8Array {
    const builder = this.#v2;
    builder.reset();
    for (let i = 0; i < points.length; i++) {
      const point = points[i]!;
      if (point.kind === 'sample') builder.addSample(point.series, point.value, point.timestampMs, extrasOf(point));
      else if (point.kind === 'histogram') {
        builder.addHistogram(point.series, point.histogram, point.timestampMs, extrasOf(point));
      } else if (point.kind === 'stale') builder.addStale(point.series, point.timestampMs);
      else builder.addStaleHistogram(point.series, point.timestampMs);
    }
    return builder.finish();
  }
}

/** The point itself, as long as its exemplars are in order. */
function extrasOf(point: SamplePoint | HistogramPoint): PointExtras {
  const { exemplars = [], startMs } = point;
  return exemplars.length < 2 ? point : { startMs, exemplars: sortedExemplars(point) };
}
