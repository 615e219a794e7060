// What of a boundary goes over the wire where rows have native histograms.

import { readFileSync } from 'node:fs';
import {
  checkHistogram,
  type DecodedHistogram,
  type DecodedSeries,
  decodeWriteRequest,
  encodeLabels,
  snappyUncompress,
  WriteRequestBuilder,
} from 'remote-write-ts';
import { describe, expect, it } from 'vitest';
import { makeSchema, type PartSpec, Registry, ZERO_THRESHOLD } from '../../src/registry/index.ts';
import { BoundaryEncoder } from '../../src/shard/boundary-requests.ts';
import { nativeHistogram } from '../../src/shard/native-histograms.ts';
import type { HistogramJson } from '../../src/simulate/native-view.ts';
import { imageOf } from '../fold/series.ts';
import { settingsWith } from '../fold/settings.ts';
import { Life, nameOf, T } from './life.ts';

const STALE_BITS = 0x7ff0000000000002n;
const LATENCY = 'traces_spanmetrics_latency';
/** Bucket i ends at 2^i seconds. */
const BY_TWO = { histogramMode: 'native', nativeBucketFactor: 2 } as const;
const FEW = { ...BY_TWO, nativeMaxBuckets: 2, nativeMinResetMs: 60_000 };

const natives = (series: DecodedSeries[]) => series.filter((one) => nameOf(one) === LATENCY);
const only = (series: DecodedSeries[]): DecodedHistogram => {
  expect(natives(series)).toHaveLength(1);
  return natives(series)[0]!.histograms[0]!;
};

const STATE = { schema: 3, zeroCount: 0, sum: 1, exemplars: [], resetMs: 0, dueMs: Number.POSITIVE_INFINITY };

function overTheWire(state: Parameters<typeof nativeHistogram>[0]): DecodedHistogram {
  const builder = new WriteRequestBuilder();
  builder.addHistogram(encodeLabels([['__name__', 'x']]), nativeHistogram(state, 'unknown'), T);
  return decodeWriteRequest(snappyUncompress(builder.finish(), 1e6)).timeseries[0]!.histograms[0]!;
}

describe('a native histogram on the wire', () => {
  it.each(['sm-native', 'sm-native-both', 'sm-native-factor', 'sm-native-max-buckets', 'sg-native'])(
    'has the spans, deltas and counts of the reference: %s',
    (name) => {
      const file = new URL(`../conformance/generator/${name}/expected.json`, import.meta.url);
      const { collections } = JSON.parse(readFileSync(file, 'utf8')) as {
        collections: { series: { histogram?: HistogramJson }[] }[];
      };
      const wanted = collections.flatMap(({ series }) => series.flatMap(({ histogram }) => histogram ?? []));
      expect(wanted.length).toBeGreaterThan(0);
      for (const { positive_spans, positive_deltas, positive_buckets, count, sum, ...rest } of wanted) {
        const got = overTheWire({
          ...STATE,
          schema: rest.schema,
          zeroCount: rest.zero_count,
          sum,
          indexes: Int32Array.from(positive_buckets, ({ index }) => index),
          counts: Float64Array.from(positive_buckets, (bucket) => bucket.count),
        });
        const { schema, zeroThreshold, zeroCount, positiveCounts } = got;
        expect({
          count: got.count,
          sum: got.sum,
          schema,
          zero_threshold: zeroThreshold,
          zero_count: zeroCount,
          positive_spans: got.positiveSpans,
          positive_deltas: positiveCounts.map((n, i) => n - (positiveCounts[i - 1] ?? 0)),
        }).toEqual({ count, sum, ...rest, positive_spans, positive_deltas });
        expect(got).toMatchObject({ isFloat: false, negativeSpans: [], negativeCounts: [] });
      }
    },
  );

  it('counts in floats where whole numbers end, and takes any count', () => {
    const huge = { ...STATE, indexes: Int32Array.of(3, 9), counts: Float64Array.of(2 ** 60, 1) };
    expect(overTheWire(huge)).toMatchObject({ isFloat: true, count: 2 ** 60 + 1 });
    checkHistogram(nativeHistogram(huge, 'unknown'));
    const endless = { ...STATE, indexes: Int32Array.of(3), counts: Float64Array.of(Number.POSITIVE_INFINITY) };
    expect(overTheWire(endless).count).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('the native histograms of a boundary', () => {
  it('begin with an empty one in a request before, and are cumulative at the time of each boundary', () => {
    const life = new Life(BY_TWO).push([1_000, 1_500, 0]).at(15_000);
    const first = life.boundary();
    expect(only(first.zeros)).toMatchObject({ count: 0, sum: 0, schema: 0, zeroThreshold: 0, positiveSpans: [] });
    expect(only(first.zeros).timestampMs).toBe(T - 1_000);
    expect(only(first.values)).toMatchObject({
      timestampMs: T + 15_000,
      count: 3,
      sum: 2.5,
      zeroCount: 1,
      zeroThreshold: ZERO_THRESHOLD,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveCounts: [1, 1],
    });
    const second = life.at(16_000).push([1_000]).at(30_000).boundary();
    expect(second.zeros).toEqual([]);
    expect(only(second.values)).toMatchObject({ timestampMs: T + 30_000, count: 4, positiveCounts: [2, 1] });
    expect(only(life.at(45_000).boundary().values)).toMatchObject({ timestampMs: T + 45_000, count: 4 });
  });

  it('are not there before anything was observed', () => {
    const registry = new Registry(settingsWith());
    const parts: PartSpec[] = [
      { kind: 'counter', metric: 'calls' },
      { kind: 'native', metric: LATENCY, native: { schema: 3, maxBuckets: 100, minResetMs: 0 } },
    ];
    const table = registry.table(makeSchema('span-metrics', ['service'], parts, {}, 'traceID'));
    table.key[0] = registry.symbols.internText('web');
    table.admit(T, table.fullMask);
    const image = imageOf(registry.changes(T + 15_000));
    const { zeros, values } = new BoundaryEncoder({}, 2_000, true).requests(image, T + 15_000);
    expect([zeros.flat(), values.flat()]).toMatchObject([[{ kind: 'sample' }], [{ kind: 'sample' }]]);
  });

  it('have no classic series beside them, unless both are asked for', () => {
    const names = (mode: 'native' | 'both') => {
      const { values } = new Life({ histogramMode: mode }).push([1_000]).at(15_000).boundary();
      return [...new Set(values.map(nameOf))].sort();
    };
    expect(names('native')).toEqual([LATENCY]);
    expect(names('both')).toEqual([LATENCY, `${LATENCY}_bucket`, `${LATENCY}_count`, `${LATENCY}_sum`]);
  });

  it('end with a stale histogram, classic series beside them with stale samples', () => {
    const life = new Life({ ...BY_TWO, histogramMode: 'both', staleDurationMs: 60_000 }).push([1_000]).at(15_000);
    life.boundary();
    const { values, stales } = life.at(300_000).boundary();
    expect(values).toEqual([]);
    expect(only(stales)).toMatchObject({ sumBits: STALE_BITS, timestampMs: T + 300_000 });
    const classic = stales.filter((one) => nameOf(one) !== LATENCY);
    expect(classic).toHaveLength(17);
    for (const { samples, histograms } of classic) {
      expect(samples).toMatchObject([{ bits: STALE_BITS, timestampMs: T + 300_000 }]);
      expect(histograms).toEqual([]);
    }
  });

  it('go on under another layout with an empty one that declares it, and end where classic ones take over', () => {
    const life = new Life(BY_TWO).push([1_000]).at(9_000);
    life.boundary();
    life
      .configure({ ...BY_TWO, nativeBucketFactor: 1.1 })
      .at(10_000)
      .push([1_000, 1_000]);
    const other = life.at(15_000).boundary();
    expect(other.stales).toEqual([]);
    expect(only(other.zeros)).toMatchObject({ count: 0, schema: 3 });
    expect(only(other.zeros).timestampMs).toBeGreaterThan(T + 9_000);
    expect(only(other.values)).toMatchObject({ count: 2, schema: 3 });
    life.configure({ histogramMode: 'classic' }).at(20_000).push([1_000]);
    const classic = life.at(30_000).boundary();
    expect(only(classic.stales).sumBits).toBe(STALE_BITS);
    expect(natives(classic.values)).toEqual([]);
    expect(classic.values).toHaveLength(17);
  });
});

describe('exemplars of native histograms', () => {
  const exemplarsOf = (series: DecodedSeries[], name: string) =>
    series
      .filter((one) => nameOf(one) === name)
      .flatMap(({ exemplars }) => exemplars.map(({ labels, value, timestampMs }) => ({ labels, value, timestampMs })));
  const labels = [['traceID', 'ab'.repeat(16)]];

  it('are all that it keeps, ascending, with every boundary at its time', () => {
    const life = new Life(BY_TWO).push([4_000, 1_000, 2_000]).at(15_000);
    for (const ms of [15_000, 30_000]) {
      expect(exemplarsOf(life.at(ms).boundary().values, LATENCY)).toEqual(
        [1, 2, 4].map((value) => ({ labels, value, timestampMs: T + ms })),
      );
    }
  });

  it('are on the classic buckets where there are both, once', () => {
    const life = new Life({ histogramMode: 'both' }).push([1_000]).at(15_000);
    const { values } = life.boundary();
    expect(exemplarsOf(values, LATENCY)).toEqual([]);
    expect(exemplarsOf(values, `${LATENCY}_bucket`)).toEqual([{ labels, value: 1, timestampMs: T + 15_000 }]);
    expect(exemplarsOf(life.at(30_000).boundary().values, `${LATENCY}_bucket`)).toEqual([]);
  });

  it('name traces as they are, however short the id is without its zeros', () => {
    const ids = ['ab'.repeat(16), `${'0'.repeat(29)}c0d`, `${'0'.repeat(31)}1`, 'ef'.repeat(60)];
    const life = new Life(BY_TWO);
    ids.forEach((id, i) => {
      life.push([1_000 * (i + 1)], id);
    });
    expect(exemplarsOf(life.at(15_000).boundary().values, LATENCY).map((exemplar) => exemplar.labels)).toEqual([
      [['traceID', ids[0]]],
      [['traceID', 'c0d']],
      [['traceID', '1']],
      [['traceID', ids[3]]],
    ]);
    // Longer than receivers take.
    life.push([9_000], 'ef'.repeat(61));
    expect(exemplarsOf(life.at(30_000).boundary().values, LATENCY)).toHaveLength(4);
  });

  it('are not sent to who wants none', () => {
    const { values } = new Life(BY_TWO, false).push([1_000]).at(15_000).boundary();
    expect(exemplarsOf(values, LATENCY)).toEqual([]);
  });
});

describe('a reset of a native histogram', () => {
  const hint = (life: Life) => only(life.boundary().values).resetHint;

  it('is said with the boundary that follows it, and no other', () => {
    const life = new Life(FEW).push([1_000, 2_000, 4_000]).at(15_000);
    expect(hint(life)).toBeUndefined();
    expect(hint(life.at(45_000))).toBeUndefined();
    // Grown past what it was: its counts alone would not show that it began anew.
    const after = life.at(60_000).push([1_000, 2_000, 4_000, 8_000]).push([1_000, 2_000, 4_000]).at(75_000).boundary();
    expect(only(after.values)).toMatchObject({ resetHint: 'yes', count: 7 });
    expect(hint(life.at(90_000))).toBeUndefined();
  });

  it('is left to the receiver to find where it is not known what was said last', () => {
    const life = new Life(FEW).push([1_000, 2_000, 4_000]).at(15_000);
    life.boundary();
    life.encoder = new BoundaryEncoder({}, 2_000, true);
    expect(hint(life.at(75_000))).toBeUndefined();
  });
});
