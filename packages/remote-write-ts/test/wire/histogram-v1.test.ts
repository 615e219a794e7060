import fc from 'fast-check';
import { uncompress } from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { createSeries, customHistogram, HistogramError, METRIC_TYPES, WriteRequestBuilder } from '../../src/index.ts';
import { anyExemplars, anyExponential, anySeries, anyTimestampMs, expectedHistogram, readHistogram } from './points.ts';
import { protoRequest } from './proto.ts';

const NOW_MS = 1_700_000_000_000;
const point = fc.record({
  series: anySeries,
  timestampMs: anyTimestampMs,
  exemplars: anyExemplars,
  histogram: anyExponential,
});

describe('a 1.0 request', () => {
  it('carries native histograms and their exemplars', () => {
    const builder = new WriteRequestBuilder(16);
    fc.assert(
      fc.property(fc.array(point, { maxLength: 12 }), (points) => {
        builder.reset();
        for (const { series, histogram, timestampMs, exemplars } of points) {
          builder.addHistogram(series.labelBytes, histogram, timestampMs, exemplars);
        }
        const { timeseries } = protoRequest(uncompress(builder.finish()));
        expect(timeseries).toHaveLength(points.length);
        for (const [i, { series, histogram, timestampMs, exemplars }] of points.entries()) {
          const got = timeseries[i]!;
          expect(got.labels).toEqual(series.labels.map(([name, value]) => ({ name, value })));
          expect(got.samples).toEqual([]);
          expect(got.histograms.map(readHistogram)).toEqual([expectedHistogram(histogram, timestampMs)]);
          expect(got.exemplars.map((e) => [e.labels[0]!.value, e.value, e.timestamp])).toEqual(
            exemplars.map((e) => [e.pairs[0]![1], e.value, String(e.timestampMs)]),
          );
        }
        expect(builder.histogramCount).toBe(points.length);
      }),
    );
  });

  it('carries deltas as far apart as numbers are exact', () => {
    const builder = new WriteRequestBuilder();
    const max = Number.MAX_SAFE_INTEGER;
    const labels = createSeries([['__name__', 'm']]).labelBytes;
    const spans = { positiveSpans: [{ offset: 0, length: 4 }], negativeSpans: [], negativeCounts: [] };
    const counts = [max, 0, max - 1, 1];
    const base = { schema: 0, isFloat: false, count: max, sum: 0, zeroThreshold: 0, zeroCount: 0 };
    builder.addHistogram(labels, { ...base, ...spans, positiveCounts: counts }, NOW_MS);
    const got = protoRequest(builder.uncompressed()).timeseries[0]!.histograms[0]!;
    expect(got.positive_deltas).toEqual([String(max), String(-max), String(max - 1), String(2 - max)]);
  });

  it('writes the stale marker of a histogram to the bit', () => {
    const builder = new WriteRequestBuilder();
    builder.addStaleHistogram(createSeries([['__name__', 'm']]).labelBytes, NOW_MS);
    expect(Buffer.from(builder.uncompressed()).toString('hex')).toContain('080019020000000000f07f78');
    expect(protoRequest(builder.uncompressed()).timeseries[0]!.histograms[0]).toMatchObject({
      count_int: '0',
      positive_spans: [],
      timestamp: String(NOW_MS),
    });
  });

  it('cannot carry custom buckets, says so, and stays as it was', () => {
    const builder = new WriteRequestBuilder();
    const { labelBytes } = createSeries([['__name__', 'm']]);
    const histogram = customHistogram({ bounds: [1], counts: [1, 2], sum: 3 });
    expect(() => builder.addHistogram(labelBytes, histogram, NOW_MS)).toThrow(HistogramError);
    expect(builder.sizeBytes).toBe(0);
    expect(builder.histogramCount).toBe(0);
  });

  it('carries metadata of families', () => {
    const builder = new WriteRequestBuilder(16);
    const sets = METRIC_TYPES.map((type) =>
      createSeries([['__name__', `m_${type}_count`]], { type, help: `Of "${type}"\nü`, unit: 's' }),
    );
    for (const { metadata } of sets) builder.addMetadata(metadata!);
    const { metadata, timeseries } = protoRequest(uncompress(builder.finish()));
    expect(timeseries).toEqual([]);
    expect(metadata).toEqual(
      METRIC_TYPES.map((type) => ({
        type: type.toUpperCase(),
        // Only these two have a `_count` of their own.
        metric_family_name: ['histogram', 'summary'].includes(type) ? `m_${type}` : `m_${type}_count`,
        help: `Of "${type}"\nü`,
        unit: 's',
      })),
    );
    expect(builder.metadataCount).toBe(METRIC_TYPES.length);
  });
});
