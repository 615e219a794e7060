import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createSeries,
  decodeWriteRequest,
  decodeWriteRequestV2,
  METRIC_TYPES,
  type NativeHistogram,
  WireError,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../../src/index.ts';
import { anyExemplars, anyExponential, anyHistogram, anySeries, anyTimestampMs, anyValue } from './points.ts';
import { encodeProtoRequestV2 } from './proto.ts';

const bits = (value: number) => new BigUint64Array(Float64Array.of(value).buffer)[0]!;

/** As the decoder gives it. */
function decoded(histogram: NativeHistogram, timestampMs: number): object {
  const { resetHint, customBounds, ...rest } = histogram;
  return {
    ...rest,
    sumBits: bits(histogram.sum),
    timestampMs,
    ...(resetHint && resetHint !== 'unknown' && { resetHint }),
    ...(customBounds && customBounds.length > 0 && { customBounds }),
  };
}

// The builders are held to the independent decoder elsewhere: what they write is known to be right.
describe('decoding a 2.0 request', () => {
  it('gives back what was written', () => {
    const builder = new WriteRequestV2Builder();
    const point = fc.record({
      series: anySeries,
      value: fc.oneof(anyValue, anyHistogram),
      timestampMs: anyTimestampMs,
      exemplars: anyExemplars,
    });
    fc.assert(
      fc.property(fc.array(point, { maxLength: 8 }), (points) => {
        builder.reset();
        for (const { series, value, timestampMs, exemplars } of points) {
          const extras = { exemplars, startMs: Math.min(timestampMs, 1) };
          if (typeof value === 'number') builder.addSample(series, value, timestampMs, extras);
          else builder.addHistogram(series, value, timestampMs, extras);
        }
        const { timeseries } = decodeWriteRequestV2(builder.uncompressed());
        expect(timeseries).toEqual(
          points.map(({ series, value, timestampMs, exemplars }) => {
            const start = Math.min(timestampMs, 1) === 0 ? {} : { startMs: Math.min(timestampMs, 1) };
            const isSample = typeof value === 'number';
            const { metadata } = series;
            return {
              labels: series.labels,
              samples: isSample ? [{ value, bits: bits(value), timestampMs, ...start }] : [],
              histograms: isSample ? [] : [{ ...decoded(value, timestampMs), ...start }],
              exemplars: exemplars.map(({ pairs, value: v, timestampMs: t }) => {
                return { labels: pairs, value: v, bits: bits(v), timestampMs: t };
              }),
              ...(metadata && {
                metadata: { type: METRIC_TYPES[metadata.type], help: metadata.help.text, unit: metadata.unit.text },
              }),
            };
          }),
        );
      }),
    );
  });

  it('reads what an independent encoder wrote, with fields left out', () => {
    const bytes = encodeProtoRequestV2({
      symbols: ['', '__name__', 'm'],
      timeseries: [{ labels_refs: [1, 2], samples: [{ value: 0, timestamp: 0 }], histograms: [{ count_int: 0 }] }],
    });
    const [series] = decodeWriteRequestV2(bytes).timeseries;
    expect(series).toMatchObject({ labels: [['__name__', 'm']], samples: [{ value: 0, timestampMs: 0 }] });
    expect(series!.histograms).toMatchObject([{ isFloat: false, count: 0, positiveCounts: [] }]);
  });

  it('tells a stale histogram from another', () => {
    const builder = new WriteRequestV2Builder();
    builder.addStaleHistogram(createSeries([['__name__', 'm']]), 5);
    const [series] = decodeWriteRequestV2(builder.uncompressed()).timeseries;
    expect(series!.histograms).toMatchObject([{ sumBits: 0x7ff0000000000002n, timestampMs: 5 }]);
  });

  it('refuses references to nothing', () => {
    const codeOf = (message: object) => {
      try {
        decodeWriteRequestV2(encodeProtoRequestV2(message));
        return undefined;
      } catch (error) {
        return (error as WireError).code;
      }
    };
    expect(codeOf({ symbols: ['', 'a'], timeseries: [{ labels_refs: [1, 2] }] })).toBe('bad_ref');
    expect(codeOf({ symbols: ['', 'a'], timeseries: [{ labels_refs: [1] }] })).toBe('bad_ref');
    expect(codeOf({ symbols: ['', 'a'], timeseries: [{ metadata: { help_ref: 9 } }] })).toBe('bad_ref');
  });

  it('either reads damaged bytes or says that they are damaged', () => {
    const builder = new WriteRequestV2Builder();
    fc.assert(
      fc.property(anySeries, anyHistogram, fc.nat(), fc.nat(255), (series, histogram, at, byte) => {
        builder.reset();
        builder.addHistogram(series, histogram, 1_700_000_000_000, { startMs: 5 });
        const damaged = Uint8Array.from(builder.uncompressed());
        damaged[at % damaged.length] = byte;
        try {
          decodeWriteRequestV2(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('decoding a 1.0 request', () => {
  it('gives native histograms back', () => {
    const builder = new WriteRequestBuilder();
    fc.assert(
      fc.property(anySeries, anyExponential, anyTimestampMs, (series, histogram, timestampMs) => {
        builder.reset();
        builder.addHistogram(series.labelBytes, histogram, timestampMs);
        expect(decodeWriteRequest(builder.uncompressed()).timeseries).toEqual([
          { labels: series.labels, samples: [], exemplars: [], histograms: [decoded(histogram, timestampMs)] },
        ]);
      }),
    );
  });

  it('reads numbers that are not packed', () => {
    // positive_deltas (12) as single fields: 2, then -1.
    const histogram = Buffer.from('60046001', 'hex');
    const series = Buffer.concat([Buffer.from([0x22, histogram.length]), histogram]);
    const { timeseries } = decodeWriteRequest(Buffer.concat([Buffer.from([0x0a, series.length]), series]));
    expect(timeseries[0]!.histograms[0]!.positiveCounts).toEqual([2, 1]);
  });
});
