import fc from 'fast-check';
import { uncompress } from 'snappyjs';
import { describe, expect, it } from 'vitest';
import {
  createExemplar,
  createSeries,
  exponentialHistogram,
  METRIC_TYPES,
  WriteRequestV2Builder,
} from '../../src/index.ts';
import {
  anyExemplars,
  anyHistogram,
  anySeries,
  anyTimestampMs,
  anyValue,
  expectedHistogram,
  readHistogram,
} from './points.ts';
import { type ProtoRequestV2, protoLabels, protoRequest, protoRequestV2 } from './proto.ts';

const NOW_MS = 1_700_000_000_000;
const SERIES = createSeries([['__name__', 'calls_total']], { type: 'counter', help: 'Calls.', unit: 'calls' });

const point = fc.record({
  series: anySeries,
  timestampMs: anyTimestampMs,
  startedAgoMs: fc.nat(1e9),
  exemplars: anyExemplars,
  value: fc.oneof(anyValue, anyHistogram),
});

function read(builder: WriteRequestV2Builder): ProtoRequestV2 {
  return protoRequestV2(uncompress(builder.finish()));
}

describe('building a 2.0 request', () => {
  it('gives what an independent decoder reads as the points that were added', () => {
    const builder = new WriteRequestV2Builder(16);
    const other = new WriteRequestV2Builder(16);
    fc.assert(
      fc.property(fc.array(point, { maxLength: 12 }), (points) => {
        builder.reset();
        for (const { series, timestampMs, startedAgoMs, exemplars, value } of points) {
          const startMs = Math.max(timestampMs - startedAgoMs, -Number.MAX_SAFE_INTEGER);
          if (typeof value === 'number') builder.addSample(series, value, timestampMs, { startMs, exemplars });
          else builder.addHistogram(series, value, timestampMs, { startMs, exemplars });
          // Another request with the same strings, half way: neither may take the other's places for its own.
          other.addSample(series, 0, 0);
        }
        const request = read(builder);
        expect(request.symbols[0]).toBe('');
        expect(new Set(request.symbols).size).toBe(request.symbols.length);
        expect(request.timeseries).toHaveLength(points.length);
        for (const [i, { series, timestampMs, startedAgoMs, exemplars, value }] of points.entries()) {
          const got = request.timeseries[i]!;
          const start = String(Math.max(timestampMs - startedAgoMs, -Number.MAX_SAFE_INTEGER));
          expect(protoLabels(request, got.labels_refs)).toEqual(
            series.labels.map(([name, text]) => ({ name, value: text })),
          );
          if (typeof value === 'number') {
            expect(got.samples).toEqual([{ value, timestamp: String(timestampMs), start_timestamp: start }]);
            expect(got.histograms).toEqual([]);
          } else {
            expect(got.samples).toEqual([]);
            expect(got.histograms.map(readHistogram)).toEqual([expectedHistogram(value, timestampMs)]);
            expect(got.histograms[0]!.start_timestamp).toBe(start);
          }
          expect(
            got.exemplars.map((e) => ({
              labels: protoLabels(request, e.labels_refs),
              value: e.value,
              at: e.timestamp,
            })),
          ).toEqual(
            exemplars.map((e) => ({
              labels: e.pairs.map(([name, text]) => ({ name, value: text })),
              value: e.value,
              at: String(e.timestampMs),
            })),
          );
          if (series.metadata === undefined) expect(got.metadata).toBeNull();
          else {
            const type = METRIC_TYPES[series.metadata.type]!.toUpperCase().replace('UNKNOWN', 'UNSPECIFIED');
            expect(got.metadata!.type).toBe(type);
            expect(request.symbols[got.metadata!.help_ref]).toBe(series.metadata.help.text);
            expect(request.symbols[got.metadata!.unit_ref]).toBe(series.metadata.unit.text);
          }
        }
        expect(builder.sampleCount + builder.histogramCount).toBe(points.length);
        expect(builder.exemplarCount).toBe(points.reduce((sum, { exemplars }) => sum + exemplars.length, 0));
      }),
    );
  });

  it('looks empty to a 1.0 receiver, instead of broken', () => {
    const builder = new WriteRequestV2Builder();
    builder.addSample(SERIES, 1, NOW_MS);
    expect(protoRequest(builder.uncompressed())).toEqual({ timeseries: [], metadata: [] });
  });

  it('has nothing but the empty string when it is empty', () => {
    const builder = new WriteRequestV2Builder();
    builder.addSample(SERIES, 1, NOW_MS);
    builder.reset();
    expect(read(builder)).toEqual({ symbols: [''], timeseries: [] });
    expect(builder.sampleCount).toBe(0);
  });

  it('writes the stale marker of a sample and of a histogram to the bit, and any other NaN as the ordinary one', () => {
    const hexOf = (fill: (builder: WriteRequestV2Builder) => void) => {
      const builder = new WriteRequestV2Builder();
      fill(builder);
      return Buffer.from(builder.uncompressed()).toString('hex');
    };
    const stale = `${'02000000'}${'0000f07f'}`;
    expect(hexOf((b) => b.addStale(SERIES, NOW_MS))).toContain(`09${stale}10`); // value, then timestamp
    expect(hexOf((b) => b.addStaleHistogram(SERIES, NOW_MS))).toContain(`080019${stale}78`); // count, sum, timestamp
    expect(hexOf((b) => b.addSample(SERIES, Number.NaN, NOW_MS))).toContain('09010000000000f87f10');
    const nanSum = exponentialHistogram({ schema: 0, sum: Number.NaN, count: 1 });
    expect(hexOf((b) => b.addHistogram(SERIES, nanSum, NOW_MS))).toContain('19010000000000f87f20');
  });

  it('leaves an unknown start out', () => {
    const builder = new WriteRequestV2Builder();
    builder.addSample(SERIES, 1, NOW_MS);
    builder.addSample(SERIES, 1, NOW_MS, { startMs: 0 });
    const [bare, zero] = read(builder).timeseries;
    expect(bare).toEqual(zero);
    expect(bare!.samples[0]!.start_timestamp).toBe('0');
  });

  it('refuses a start after the sample, and bad timestamps, and stays as it was', () => {
    const builder = new WriteRequestV2Builder();
    builder.addSample(SERIES, 1, NOW_MS);
    const before = Buffer.from(builder.uncompressed());
    const fresh = createSeries([['__name__', 'other_total']]);
    const histogram = exponentialHistogram({ schema: 0, sum: 0 });
    expect(() => builder.addSample(fresh, 1, NOW_MS, { startMs: NOW_MS + 1 })).toThrow(RangeError);
    expect(() => builder.addSample(fresh, 1, 1.5)).toThrow(RangeError);
    expect(() => builder.addStale(fresh, Number.NaN)).toThrow(RangeError);
    expect(() => builder.addHistogram(fresh, histogram, 2 ** 53)).toThrow(RangeError);
    const exemplars = [createExemplar([['trace_id', 'a']], 1, 0.5)];
    expect(() => builder.addSample(fresh, 1, NOW_MS, { exemplars })).toThrow(RangeError);
    expect(Buffer.compare(builder.uncompressed(), before)).toBe(0);
    expect(builder.sampleCount).toBe(1);
  });

  it('has few strings for many series that share them', () => {
    const builder = new WriteRequestV2Builder();
    for (let i = 0; i < 1000; i++) {
      const labels = [
        ['__name__', 'calls_total'],
        ['zone', `z${i % 10}`],
        ['kind', `k${Math.floor(i / 10) % 10}`],
      ] as const;
      builder.addSample(createSeries(labels, { type: 'counter', help: 'Calls.' }), i, NOW_MS);
    }
    expect(read(builder).symbols).toHaveLength(1 + 1 + 1 + 2 + 20 + 1);
  });
});
