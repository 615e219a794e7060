// The client against real receivers: Prometheus with native histograms, of either protocol, and VictoriaMetrics, which speaks 1.0. What
// a receiver of 1.0 can't do is asked of it as well: then the fallback must hold.

import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bucketIndex,
  createExemplar,
  createRemoteWrite,
  createSeries,
  customHistogram,
  exponentialHistogram,
  halveResolution,
  type NativeHistogram,
  type Point,
  type RemoteWrite,
  type Series,
  type WriteOutcome,
} from '../../src/index.ts';
import {
  abilitiesOf,
  api,
  findBinary,
  instant,
  type Live,
  liveTitle,
  startPrometheus,
  startVictoriaMetrics,
} from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const { speaks2 } = abilitiesOf(PROMETHEUS);
const VICTORIA = findBinary('VICTORIA_METRICS_BIN', 'victoria-metrics');

function clientOf(live: Live, outcomes: WriteOutcome[]): RemoteWrite {
  return createRemoteWrite({
    url: `${live.base}/api/v1/write`,
    userAgent: 'remote-write-ts-test/0.1',
    maxBackoffMs: 200,
    queue: { minShards: 4, maxShards: 4 },
    onOutcome: (outcome) => outcomes.push(outcome),
  });
}

function pointsOf(exported: Map<string, unknown[]>): number {
  return [...exported.values()].reduce((sum, points) => sum + points.length, 0);
}

function sample(series: Series, value: number, timestampMs: number): Point {
  return { kind: 'sample', series, value, timestampMs };
}

/** Latencies of a service: a long tail over four decades, the same each time. */
function latencies(count: number): number[] {
  let seed = 42;
  const random = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (seed + 1) / 2 ** 32;
  };
  return Array.from({ length: count }, () =>
    Math.exp(-3 + 1.2 * Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random())),
  );
}

function histogramOf(values: readonly number[], schema: number, isFloat = false): NativeHistogram {
  const positive = new Map<number, number>();
  for (const value of values) {
    const index = bucketIndex(value, schema);
    positive.set(index, (positive.get(index) ?? 0) + (isFloat ? 0.5 : 1));
  }
  return exponentialHistogram({ schema, positive, isFloat, sum: values.reduce((sum, value) => sum + value, 0) });
}

describe.skipIf(!PROMETHEUS)(
  liveTitle('the client and a real Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    const outcomes: WriteOutcome[] = [];
    let live: Live;
    let client: RemoteWrite;

    beforeAll(async () => {
      live = await startPrometheus(PROMETHEUS!, 'native-histograms,exemplar-storage');
      client = clientOf(live, outcomes);
    });
    afterAll(async () => {
      await client?.close(1_000);
      await live?.remove();
    });

    async function send(...points: Point[]): Promise<void> {
      await client.append(points);
      await client.flush();
    }

    it('find out which protocol is understood, and lose nothing by it', async () => {
      const series = createSeries([['__name__', 'first_total']], { type: 'counter', help: 'The first.' });
      const nowMs = Date.now();
      await send(sample(series, 7, nowMs));
      expect(outcomes[0]).toMatchObject({ sent: { samples: 1 }, failed: { samples: 0 }, refusals: [] });
      if (speaks2) {
        const written = { samples: 1, histograms: 0, exemplars: 0 };
        expect(outcomes[0]).toMatchObject({ protocol: '2.0', requests: 1, written, metadata: { sent: 1, failed: 0 } });
      } else {
        expect(outcomes[0]).toMatchObject({ protocol: '1.0', requests: 2 });
        expect(outcomes[0]).not.toHaveProperty('written');
      }
      expect(client.stats().protocol).toBe(speaks2 ? '2.0' : '1.0');
      expect((await instant(live.base, 'first_total', nowMs)).get('first_total')).toBe(7);
    });

    it('agree on quantiles within the width of a bucket, and on count and sum exactly', async () => {
      const values = latencies(20_000);
      const sorted = [...values].sort((a, b) => a - b);
      const kinds: [kind: string, histogram: NativeHistogram, schema: number, count: number][] = [
        ['integer', histogramOf(values, 3), 3, 20_000],
        ['fine', histogramOf(values, 8), 8, 20_000],
        ['coarse', halveResolution(histogramOf(values, 1)), 0, 20_000],
        ['float', histogramOf(values, 3, true), 3, 10_000],
      ];
      const timestampMs = Date.now();
      await send(
        ...kinds.map(([kind, histogram]): Point => {
          return {
            kind: 'histogram',
            series: createSeries([
              ['__name__', 'latency'],
              ['kind', kind],
            ]),
            histogram,
            timestampMs,
          };
        }),
      );
      const ask = (query: string) => instant(live.base, query, timestampMs, 'kind');
      const counts = await ask('histogram_count(latency)');
      const sums = await ask('histogram_sum(latency)');
      for (const [kind, histogram, , count] of kinds) {
        expect(counts.get(kind)).toBe(count);
        expect(sums.get(kind)).toBe(histogram.sum);
      }
      for (const q of [0.01, 0.5, 0.9, 0.99, 0.999]) {
        const truth = sorted[Math.ceil(q * sorted.length) - 1]!;
        const answers = await ask(`histogram_quantile(${q}, latency)`);
        for (const [kind, , schema] of kinds) {
          const width = 2 ** (2 ** -schema);
          const ratio = answers.get(kind)! / truth;
          expect(ratio, `${kind} at ${q}`).toBeLessThanOrEqual(width);
          expect(ratio, `${kind} at ${q}`).toBeGreaterThanOrEqual(1 / width);
        }
      }
    });

    it('agree on negative buckets and the zero bucket', async () => {
      const timestampMs = Date.now();
      const histogram = exponentialHistogram({
        schema: 0,
        sum: -2,
        negative: [[2, 30]], // -4 to -2
        zeroCount: 40,
        zeroThreshold: 0.5,
        positive: [[1, 30]], // 1 to 2
      });
      await send({ kind: 'histogram', series: createSeries([['__name__', 'signed']]), histogram, timestampMs });
      const ask = async (q: number) =>
        [...(await instant(live.base, `histogram_quantile(${q}, signed)`, timestampMs)).values()][0]!;
      expect(await ask(0.1)).toBeLessThan(-2);
      expect(Math.abs(await ask(0.5))).toBeLessThanOrEqual(0.5);
      expect(await ask(0.9)).toBeGreaterThan(1);
    });

    it('follow the increase of a native histogram from push to push', async () => {
      const series = createSeries([['__name__', 'growing']], { type: 'histogram' });
      const endMs = Date.now();
      const values = latencies(4_000);
      for (let k = 1; k <= 4; k++) {
        const histogram = histogramOf(values.slice(0, k * 1000), 3);
        await send({ kind: 'histogram', series, histogram, timestampMs: endMs - (4 - k) * 15_000 });
      }
      const increase = await instant(live.base, 'histogram_count(increase(growing[45s]))', endMs);
      // Three intervals of a thousand, without extrapolation: the range begins at the first push.
      expect([...increase.values()][0]).toBeCloseTo(3000, 6);
    });

    it('give exemplars back, of samples and of native histograms', async () => {
      const bucket = createSeries([
        ['__name__', 'classic_bucket'],
        ['le', '0.5'],
      ]);
      const native = createSeries([['__name__', 'native_with_exemplars']]);
      const nowMs = Date.now();
      const exemplarsOf = (id: string) => [createExemplar([['trace_id', id]], 0.25, nowMs)];
      // The first point of a native series would lose its exemplar in this receiver.
      await send({ kind: 'histogram', series: native, histogram: histogramOf([0.1], 3), timestampMs: nowMs - 1000 });
      await send(
        { kind: 'sample', series: bucket, value: 3, timestampMs: nowMs, exemplars: exemplarsOf('of-a-sample') },
        {
          kind: 'histogram',
          series: native,
          histogram: histogramOf([0.1, 0.25], 3),
          timestampMs: nowMs,
          exemplars: [...exemplarsOf('of-a-histogram'), createExemplar([['trace_id', 'another']], 0.5, nowMs)],
        },
      );
      const found = async (name: string) => {
        const [start, end] = [String(nowMs / 1000 - 60), String(nowMs / 1000 + 60)];
        const series = await api<{ exemplars: { labels: object; value: string; timestamp: number }[] }[]>(
          live.base,
          'query_exemplars',
          { query: name, start, end },
        );
        return series.flatMap(({ exemplars }) => exemplars);
      };
      const timestamp = nowMs / 1000;
      expect(await found('classic_bucket')).toEqual([
        { labels: { trace_id: 'of-a-sample' }, value: '0.25', timestamp },
      ]);
      // A receiver of 1.0 alone is from before there were several at one time.
      expect(await found('native_with_exemplars')).toEqual([
        { labels: { trace_id: 'of-a-histogram' }, value: '0.25', timestamp },
        ...(speaks2 ? [{ labels: { trace_id: 'another' }, value: '0.5', timestamp }] : []),
      ]);
    });

    it('end series of samples and of histograms of every kind at their stale markers', async () => {
      const histograms: Record<string, NativeHistogram> = {
        ending_native: histogramOf([1, 2], 3),
        ending_float_native: histogramOf([1, 2], 3, true),
        ...(speaks2 && { ending_custom: customHistogram({ bounds: [1, 2], counts: [1, 2, 3], sum: 9 }) }),
      };
      const gauge = createSeries([['__name__', 'ending_gauge']]);
      const natives = Object.keys(histograms).map((name) => createSeries([['__name__', name]]));
      const nowMs = Date.now();
      await send(
        sample(gauge, 1, nowMs - 2000),
        ...natives.map((series): Point => {
          return { kind: 'histogram', series, histogram: histograms[series.labels[0]![1]]!, timestampMs: nowMs - 2000 };
        }),
      );
      await send(
        { kind: 'stale', series: gauge, timestampMs: nowMs - 1000 },
        ...natives.map((series): Point => ({ kind: 'stale_histogram', series, timestampMs: nowMs - 1000 })),
      );
      for (const name of ['ending_gauge', ...Object.keys(histograms)]) {
        const at = async (ms: number) =>
          (await api<{ result: unknown[] }>(live.base, 'query', { query: name, time: String(ms / 1000) })).result
            .length;
        // The next evaluation is the one at the marker itself.
        expect([await at(nowMs - 1001), await at(nowMs - 1000), await at(nowMs)], name).toEqual([1, 0, 0]);
      }
    });

    it('lose only the series at fault of a batch, and custom buckets only where nobody has words for them', async () => {
      const sets = Array.from({ length: 500 }, (_, i) =>
        createSeries([
          ['__name__', 'batch_total'],
          ['i', String(i)],
        ]),
      );
      const nowMs = Date.now();
      await send(...sets.map((series, i) => sample(series, i, nowMs - 2000)));
      const before = client.stats();
      const custom = customHistogram({ bounds: [1, 2], counts: [1, 2, 3], sum: 9 });
      outcomes.length = 0;
      await send(...sets.map((series, i) => sample(series, i + 1, i === 137 ? nowMs - 60_000 : nowMs - 1000)), {
        kind: 'histogram',
        series: createSeries([['__name__', 'custom']]),
        histogram: custom,
        timestampMs: nowMs,
      });
      const after = client.stats();
      expect(after.sent.samples - before.sent.samples).toBe(499);
      expect(after.failed.samples - before.failed.samples).toBe(1);
      const refusals = outcomes.flatMap((outcome) => outcome.refusals);
      expect(refusals).toMatchObject([{ status: 400, message: expect.stringContaining('out of order sample') }]);
      const sentHistograms = after.sent.histograms - before.sent.histograms;
      const droppedHistograms = after.dropped.custom_buckets.histograms - before.dropped.custom_buckets.histograms;
      expect([sentHistograms, droppedHistograms]).toEqual(speaks2 ? [1, 0] : [0, 1]);
      if (speaks2) {
        // One request for each of the four shards: nothing was searched for, the receiver has counted what it took.
        expect(outcomes.map(({ requests }) => requests)).toEqual([1, 1, 1, 1]);
        const written = outcomes.reduce((sum, outcome) => sum + outcome.written!.samples, 0);
        expect(written).toBe(499);
      }
      const stored = await instant(live.base, 'batch_total', nowMs, 'i');
      expect(sets.map((_, i) => stored.get(String(i)))).toEqual(sets.map((_, i) => (i === 137 ? i : i + 1)));
    });

    it('get over a restart of the receiver without losing a sample', async () => {
      const sets = Array.from({ length: 20 }, (_, i) =>
        createSeries([
          ['__name__', 'outage_total'],
          ['i', String(i)],
        ]),
      );
      const endMs = Date.now();
      const round = (k: number) => sets.map((series) => sample(series, k, endMs - (9 - k) * 1000));
      for (let k = 0; k < 3; k++) await send(...round(k));
      await live.kill();
      for (let k = 3; k < 7; k++) await client.append(round(k));
      const flushed = client.flush();
      await live.restart();
      await flushed;
      for (let k = 7; k < 10; k++) await send(...round(k));
      const counts = await instant(live.base, 'count_over_time(outage_total[20s])', endMs, 'i');
      expect(counts.size).toBe(20);
      expect([...new Set(counts.values())]).toEqual([10]);
    });
  },
);

describe.skipIf(!VICTORIA)(
  liveTitle('the client and a real VictoriaMetrics', VICTORIA, 'VICTORIA_METRICS_BIN', 'victoria-metrics'),
  () => {
    const outcomes: WriteOutcome[] = [];
    let live: Live;
    let client: RemoteWrite;

    beforeAll(async () => {
      live = await startVictoriaMetrics(VICTORIA!);
      client = clientOf(live, outcomes);
    });
    afterAll(async () => {
      await client?.close(1_000);
      await live?.remove();
    });

    async function exported(match: string): Promise<Map<string, [timestampMs: number, value: number][]>> {
      await fetch(`${live.base}/internal/force_flush`);
      const text = await (
        await fetch(`${live.base}/api/v1/export?${new URLSearchParams({ 'match[]': match })}`)
      ).text();
      const lines = text.split('\n').filter((line) => line !== '');
      return new Map(
        lines.map((line) => {
          const { metric, values, timestamps } = JSON.parse(line);
          return [metric.i, timestamps.map((timestampMs: number, i: number) => [timestampMs, values[i]])];
        }),
      );
    }

    /** What was taken becomes visible a little later, and not all at once. */
    async function visible(match: string, points: number): ReturnType<typeof exported> {
      let seen = await exported(match);
      for (let i = 0; i < 50 && pointsOf(seen) < points; i++) {
        await setTimeout(100);
        seen = await exported(match);
      }
      return seen;
    }

    it('find out that 2.0 is not understood, and store every sample exactly', async () => {
      const sets = Array.from({ length: 3_000 }, (_, i) =>
        createSeries(
          [
            ['__name__', 'stored_total'],
            ['i', String(i)],
            ['zone', 'zürich'],
          ],
          { type: 'counter' },
        ),
      );
      const nowMs = Date.now();
      for (let k = 0; k < 3; k++) {
        await client.append(sets.map((series, i) => sample(series, i + k * 0.25, nowMs - (2 - k) * 1000)));
      }
      await client.flush();
      expect(client.stats()).toMatchObject({ protocol: '1.0', sent: { samples: 9_000 }, failed: { samples: 0 } });
      const stored = await visible('stored_total', 9_000);
      expect(stored.size).toBe(3_000);
      for (const [i, points] of stored) {
        expect(points).toEqual([0, 1, 2].map((k) => [nowMs - (2 - k) * 1000, Number(i) + k * 0.25]));
      }
    });

    it('end a series at its stale marker', async () => {
      const series = createSeries([
        ['__name__', 'ending_gauge'],
        ['i', 'a'],
      ]);
      const nowMs = Date.now();
      await client.append([sample(series, 1, nowMs - 2000), { kind: 'stale', series, timestampMs: nowMs - 1000 }]);
      await client.flush();
      await visible('ending_gauge', 2);
      expect((await instant(live.base, 'ending_gauge', nowMs - 1500)).size).toBe(1);
      expect((await instant(live.base, 'ending_gauge', nowMs)).size).toBe(0);
    });
  },
);
