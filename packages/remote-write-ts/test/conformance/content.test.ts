import { afterEach, describe, expect, it } from 'vitest';
import { createSeries, type Point } from '../../src/index.ts';
import { closeMocks } from '../client/mock.ts';
import {
  classic,
  closeClients,
  exchange,
  exemplar,
  hasStaleMarker,
  named,
  native,
  PROTOCOLS,
  point,
} from './exchange.ts';

const MINUTE_MS = 60_000;

afterEach(async () => {
  await closeClients();
  await closeMocks();
});

describe.each(PROTOCOLS)('content of %s', (protocol) => {
  const isV2 = protocol === '2.0';

  describe('samples', () => {
    it.each<[string, number]>([
      ['an ordinary value', 42.5],
      ['an integer', 42],
      ['zero', 0],
      ['a negative value', -17.25],
      ['+Inf', Number.POSITIVE_INFINITY],
      ['-Inf', Number.NEGATIVE_INFINITY],
      ['NaN', Number.NaN],
      ['a very large value', 1e308],
      ['a very small value', 5e-324],
      ['scientific notation', 1.23e-10],
      ['a value of high precision', 0.1234567890123456],
    ])('arrive exactly: %s', async (_title, value) => {
      const { series } = await exchange(protocol, [point('value', value)]);
      expect(named(series, 'value')[0]!.samples.map((sample) => sample.value)).toEqual([value]);
    });

    it('have millisecond timestamps near the present', async () => {
      const { series } = await exchange(protocol, [point('a', 1)]);
      const { timestampMs } = series[0]!.samples[0]!;
      expect(timestampMs).toBeGreaterThan(1e12);
      expect(timestampMs).toBeLessThan(1e16);
      expect(Math.abs(Date.now() - timestampMs)).toBeLessThan(5 * MINUTE_MS);
    });

    it('have the labels job and instance', async () => {
      const { series } = await exchange(protocol, [point('a', 1)]);
      expect(series[0]!.labels).toMatchObject({ job: 'test', instance: 'localhost:8080' });
    });

    it('stay in order within a series', async () => {
      const nowMs = Date.now();
      const points = Array.from({ length: 50 }, (_, i) => point('a', i, {}, { timestampMs: nowMs + i }));
      const { series } = await exchange(protocol, points, { queue: { maxSamplesPerSend: 7 } });
      expect(series.flatMap(({ samples }) => samples.map(({ value }) => value))).toEqual(points.map((_, i) => i));
    });
  });

  describe('timestamps', () => {
    it('keep the milliseconds they were given: past, present, a little ahead, and the epoch', async () => {
      const nowMs = Date.now();
      const times = [0, nowMs - 60 * MINUTE_MS, nowMs, nowMs + 30_000];
      const points = times.map((timestampMs, i) => point(`t${i}`, 1, {}, { timestampMs }));
      const { series } = await exchange(protocol, points);
      expect(series.map(({ samples }) => samples[0]!.timestampMs)).toEqual(times);
    });

    it('do not fall within a series of samples or histograms', async () => {
      const nowMs = Date.now();
      const points = Array.from({ length: 5 }, (_, i): Point[] => [
        point('a', i, {}, { timestampMs: nowMs + i }),
        native('h', [[1, i + 1]], i, { timestampMs: nowMs + i }),
      ]).flat();
      const { series } = await exchange(protocol, points);
      for (const name of ['a', 'h']) {
        const times = named(series, name).flatMap((s) => [...s.samples, ...s.histograms].map((p) => p.timestampMs));
        expect(times).toEqual([0, 1, 2, 3, 4].map((i) => nowMs + i));
      }
    });

    it('of the start go with counters and histograms where the protocol has them, in ms, not after the sample', async () => {
      const nowMs = Date.now();
      const startMs = nowMs - 10 * MINUTE_MS;
      const { series } = await exchange(protocol, [
        point('c_total', 1, {}, { type: 'counter', timestampMs: nowMs, startMs }),
        native('h', [[1, 1]], 1, { timestampMs: nowMs, startMs }),
        point('unknown_total', 1, {}, { type: 'counter', timestampMs: nowMs }),
      ]);
      expect(named(series, 'c_total')[0]!.samples[0]!.startMs).toBe(isV2 ? startMs : 0);
      expect(named(series, 'h')[0]!.histograms[0]!.start_timestamp).toBe(isV2 ? String(startMs) : undefined);
      expect(named(series, 'unknown_total')[0]!.samples[0]!.startMs).toBe(0);
    });
  });

  describe('labels', () => {
    it('are sorted by bytes, not by characters or without case', async () => {
      const { series } = await exchange(protocol, [
        point('a', 1, { z: '1', B: '2', _a: '3', a: '4', '\u{1f600}': '5', '\ufffd': '6', é: '7' }),
      ]);
      expect(series[0]!.pairs.map(([name]) => name)).toEqual([
        'B',
        '__name__',
        '_a',
        'a',
        'instance',
        'job',
        'z',
        'é',
        '\ufffd',
        '\u{1f600}',
      ]);
    });

    it('with an empty name or value, or given twice, never leave', () => {
      const of =
        (...labels: [string, string][]) =>
        () =>
          createSeries([['__name__', 'a'], ...labels]);
      expect(of(['', 'x'])).toThrow();
      expect(of(['x', ''])).toThrow();
      expect(of(['x', '1'], ['x', '2'])).toThrow();
      expect(() => createSeries([['x', '1']])).toThrow();
    });

    it('keep Unicode, special characters and great length', async () => {
      const labels = {
        unicode: '日本語 Ünïcödé \u{1f600}',
        special: 'a"b\\c\nd\te=f{g}',
        long: 'v'.repeat(10_240),
        [`long_${'n'.repeat(2_000)}`]: 'x',
        zero: '\u0000',
      };
      const name = `very_long_${'m'.repeat(1_000)}`;
      const { series } = await exchange(protocol, [point(name, 1, labels)]);
      expect(series[0]!.labels).toMatchObject({ ...labels, __name__: name });
    });

    it('may be many, and names may have colons', async () => {
      const labels = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`l${i}`, `v${i}`]));
      const { series } = await exchange(protocol, [point('job:calls:rate5m', 1, labels)]);
      expect(series[0]!.labels).toMatchObject({ ...labels, __name__: 'job:calls:rate5m' });
    });
  });

  describe('metadata', () => {
    const families: Point[] = [
      point('c_total', 1, {}, { type: 'counter', help: 'A counter.' }),
      point('g', 1, {}, { type: 'gauge', help: 'Lines\nand "quotes" \\ and ü', unit: 'bytes' }),
      ...classic('h', { '1.0': 1, '+Inf': 2 }, 3, { help: 'A histogram.', unit: 'seconds' }),
      point('s', 1, { quantile: '0.5' }, { type: 'summary' }),
    ];
    const expected: Record<string, [type: string, help: string, unit: string]> = {
      c_total: ['COUNTER', 'A counter.', ''],
      g: ['GAUGE', 'Lines\nand "quotes" \\ and ü', 'bytes'],
      h: ['HISTOGRAM', 'A histogram.', 'seconds'],
      s: ['SUMMARY', '', ''],
    };

    it('say type, help and unit, the same for the whole family', async () => {
      const { requests, series } = await exchange(protocol, families);
      if (isV2) {
        expect(requests.flatMap(({ metadata }) => metadata)).toEqual([]);
        for (const { labels, metadata } of series) {
          const [type, help, unit] = expected[labels['__name__']!.replace(/_(bucket|count|sum)$/, '')]!;
          expect(metadata).toEqual({ type, help, unit });
        }
        return;
      }
      expect(requests.flatMap(({ metadata }) => metadata)).toEqual(
        Object.entries(expected).map(([metric_family_name, [type, help, unit]]) => ({
          type,
          metric_family_name,
          help,
          unit,
        })),
      );
    });
  });

  describe('exemplars', () => {
    it('carry their ids, custom labels, value and time', async () => {
      const nowMs = Date.now();
      const exemplars = [
        exemplar({ trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' }, 0.25, nowMs - 5),
        exemplar({ trace_id: 'abc', tenant: 'ü' }, 0.5, nowMs),
      ];
      const { series } = await exchange(protocol, [point('c_total', 9, {}, { type: 'counter', exemplars })]);
      expect(series[0]!.exemplars).toEqual([
        {
          labels: { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736', span_id: '00f067aa0ba902b7' },
          value: 0.25,
          timestampMs: nowMs - 5,
        },
        { labels: { trace_id: 'abc', tenant: 'ü' }, value: 0.5, timestampMs: nowMs },
      ]);
    });

    it('ride on the bucket of a classic histogram, and on a native one itself', async () => {
      const of = { exemplars: [exemplar({ trace_id: 'abc' })] };
      const { series } = await exchange(protocol, [
        point('h_bucket', 1, { le: '1' }, { type: 'histogram', ...of }),
        native('n', [[1, 1]], 1, of),
      ]);
      expect(series.map(({ exemplars }) => exemplars[0]!.labels)).toEqual([{ trace_id: 'abc' }, { trace_id: 'abc' }]);
    });
  });

  describe('histograms', () => {
    it('of the classic kind keep count, sum and the order of buckets', async () => {
      const cumulative = { '0.1': 10, '0.5': 40, '1.0': 70, '+Inf': 100 };
      const { series } = await exchange(protocol, classic('h', cumulative, 250.5));
      expect(named(series, 'h_count')[0]!.samples[0]!.value).toBe(100);
      expect(named(series, 'h_sum')[0]!.samples[0]!.value).toBe(250.5);
      expect(named(series, 'h_bucket').map((s) => [s.labels['le'], s.samples[0]!.value])).toEqual(
        ['0.1', '0.5', '1.0', '+Inf'].map((le) => [le, cumulative[le as keyof typeof cumulative]]),
      );
    });

    it('of the native kind keep their fields and time, apart from samples', async () => {
      const timestampMs = Date.now();
      const { series } = await exchange(protocol, [
        native(
          'n',
          [
            [-3, 40],
            [5, 60],
          ],
          250.5,
          { timestampMs },
        ),
        point('g', 1),
      ]);
      const [histogram] = named(series, 'n')[0]!.histograms;
      expect(histogram).toMatchObject({
        count_int: '100',
        sum: 250.5,
        schema: 3,
        zero_threshold: 2 ** -128,
        positive_spans: [
          { offset: -3, length: 1 },
          { offset: 7, length: 1 },
        ],
        positive_deltas: ['40', '20'],
        timestampMs,
      });
      expect(named(series, 'n')[0]!.samples).toEqual([]);
    });

    it('may be empty or very full', async () => {
      const { series } = await exchange(protocol, [native('empty', [], 0), native('full', [[1, 1e9]], 1e9)]);
      expect(series.map(({ histograms }) => histograms[0]!.count_int)).toEqual(['0', '1000000000']);
    });
  });

  describe('stale markers', () => {
    it('have exactly the bits that mark the end, and an ordinary NaN has not', async () => {
      const [gauge, histogram] = [point('g', 1), native('n', [[1, 1]], 1)];
      const timestampMs = Date.now();
      const ends: Point[][] = [
        [{ kind: 'stale', series: gauge.series, timestampMs }],
        [{ kind: 'stale_histogram', series: histogram.series, timestampMs }],
      ];
      for (const end of ends) {
        const { requests } = await exchange(protocol, end);
        expect(hasStaleMarker(requests[0]!)).toBe(true);
        const [one] = requests[0]!.series;
        expect([...one!.samples.map(({ value }) => value), ...one!.histograms.map(({ sum }) => sum)]).toEqual([
          Number.NaN,
        ]);
      }
      const { requests } = await exchange(protocol, [point('g', Number.NaN)]);
      expect(hasStaleMarker(requests[0]!)).toBe(false);
    });
  });

  describe('everything together', () => {
    it('comes in one request: several types, metadata, exemplars, both kinds of histograms', async () => {
      const exemplars = [exemplar({ trace_id: 'abc' })];
      const { requests, series } = await exchange(protocol, [
        point('http_requests_total', 5, { method: 'GET' }, { type: 'counter', help: 'Requests.', exemplars }),
        point('http_requests_total', 6, { method: 'POST' }, { type: 'counter', help: 'Requests.' }),
        point('memory_bytes', 7, {}, { type: 'gauge', help: 'Memory.', unit: 'bytes' }),
        ...classic('latency', { '1.0': 1, '+Inf': 2 }, 3, { help: 'Latency.', exemplars }),
        native('duration', [[1, 2]], 3, { help: 'Duration.', exemplars }),
      ]);
      const first = requests[0]!;
      expect(first.series).toHaveLength(series.length);
      expect(new Set(series.map(({ labels }) => labels['__name__'])).size).toBeGreaterThanOrEqual(3);
      expect(series.flatMap((s) => s.exemplars)).toHaveLength(1 + 4 + 1);
    });

    it('may be a mix of families with no sample, special values and high cardinality', async () => {
      const points = Array.from({ length: 1_500 }, (_, i) => point('m', i % 3 ? i : Number.NaN, { id: String(i) }));
      const { requests, series } = await exchange(protocol, points);
      expect(requests[0]!.series.length).toBeGreaterThanOrEqual(50);
      expect(new Set(series.map(({ labels }) => labels['id'])).size).toBe(1_500);
    });

    it('may be nothing at all: an empty page sends no request', async () => {
      const { requests } = await exchange(protocol, []);
      expect(requests).toEqual([]);
    });
  });

  describe('batches', () => {
    it('have several series and metrics, 2,000 and a tenth at most, and all of 12,000 series arrive', async () => {
      const points = Array.from({ length: 12_000 }, (_, i) => point(`m${i % 5}`, i, { id: String(i) }));
      const { requests, series } = await exchange(protocol, points);
      const withSeries = requests.filter((request) => request.series.length > 0);
      for (const request of withSeries) expect(request.series.length).toBeLessThanOrEqual(2_200);
      expect(withSeries.length).toBeGreaterThan(1);
      expect(new Set(withSeries[0]!.series.map(({ labels }) => labels['__name__'])).size).toBe(5);
      expect(new Set(series.map(({ labels }) => labels['id'])).size).toBe(12_000);
    });

    if (!isV2) return;
    it('have each string once, and few of them for a repetitive page', async () => {
      const points = Array.from({ length: 100 }, (_, i) => point('m', i, { kind: `k${i % 10}`, zone: 'a' }));
      const { requests } = await exchange(protocol, points);
      expect(requests[0]!.v2!.symbols.length).toBeLessThanOrEqual(30);
    });
  });
});
