// A classic layout as one native histogram, at real receivers: 2.0 carries it, and the quantiles are those of its buckets; 1.0 has no
// words for it, and it must be dropped and counted, not sent as something else.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSeries, createWriter, customHistogram, type Point, type Writer } from '../../src/index.ts';
import { randomFrom } from '../batch/random.ts';
import { abilitiesOf, findBinary, instant, type Live, liveTitle, raw, startPrometheus } from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const { speaks2 } = abilitiesOf(PROMETHEUS);
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function bucketOf(value: number): number {
  const index = BOUNDS.findIndex((bound) => value <= bound);
  return index < 0 ? BOUNDS.length : index;
}

function histogramOf(values: readonly number[], isFloat: boolean) {
  const counts = [...BOUNDS, Number.POSITIVE_INFINITY].map(() => 0);
  for (const value of values) counts[bucketOf(value)]! += isFloat ? 0.5 : 1;
  return customHistogram({ bounds: BOUNDS, counts, sum: values.reduce((sum, value) => sum + value, 0), isFloat });
}

/** Over four decades, the same each time, some beyond the last bound. */
function latencies(count: number): number[] {
  const random = randomFrom(7);
  return Array.from({ length: count }, () => 10 ** (random() * 4.1 - 3));
}

describe.skipIf(!PROMETHEUS)(
  liveTitle('custom buckets and a real Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    let live: Live;
    let writer: Writer;

    beforeAll(async () => {
      live = await startPrometheus(PROMETHEUS!, 'native-histograms');
      writer = createWriter({ url: `${live.base}/api/v1/write`, userAgent: 'remote-write-ts-test/0.1' });
    });
    afterAll(async () => {
      await writer?.close();
      await live?.remove();
    });

    const pointOf = (kind: string, values: readonly number[], timestampMs: number): Point => {
      const series = createSeries([
        ['__name__', 'latency'],
        ['kind', kind],
      ]);
      return { kind: 'histogram', series, histogram: histogramOf(values, kind === 'float'), timestampMs };
    };

    it('answer quantiles from the bucket of the true one, and counts and sums exactly, or are dropped and counted', async () => {
      const values = latencies(10_000);
      const sorted = values.toSorted((a, b) => a - b);
      const nowMs = Date.now();
      const points = ['integer', 'float'].map((kind) => pointOf(kind, values, nowMs));
      const outcome = await writer.write(points);
      if (!speaks2) {
        expect(outcome.sent.histograms).toBe(0);
        expect(outcome.dropped.custom_buckets.histograms).toBe(2);
        expect(await raw(live.base, 'latency', '1m', nowMs)).toEqual([]);
        return;
      }
      expect(outcome).toMatchObject({ protocol: '2.0', sent: { histograms: 2 }, written: { histograms: 2 } });
      const ask = (query: string) => instant(live.base, query, nowMs, 'kind');
      expect(await ask('histogram_count(latency)')).toEqual(
        new Map([
          ['integer', 10_000],
          ['float', 5_000],
        ]),
      );
      const sums = await ask('histogram_sum(latency)');
      expect([...sums.values()]).toEqual(points.map((point) => point.kind === 'histogram' && point.histogram.sum));
      for (const q of [0.001, 0.1, 0.5, 0.9, 0.95]) {
        const truth = bucketOf(sorted[Math.ceil(q * sorted.length) - 1]!);
        const [from, to] = [BOUNDS[truth - 1] ?? 0, BOUNDS[truth]!];
        for (const [kind, answer] of await ask(`histogram_quantile(${q}, latency)`)) {
          expect(answer, `${kind} at ${q}`).toBeGreaterThan(from);
          expect(answer, `${kind} at ${q}`).toBeLessThanOrEqual(to);
        }
      }
      // Beyond the last bound nothing better is known than that.
      expect([...(await ask('histogram_quantile(0.9999, latency)')).values()]).toEqual([10, 10]);
    });

    it('grow from push to push, and take a change of the layout', async () => {
      if (!speaks2) {
        const outcome = await writer.write([pointOf('growing', [1], Date.now())]);
        expect(outcome).toMatchObject({ failed: { histograms: 0 }, dropped: { custom_buckets: { histograms: 1 } } });
        return;
      }
      const endMs = Date.now();
      const values = latencies(4_000);
      for (let k = 1; k <= 4; k++) {
        await writer.write([pointOf('growing', values.slice(0, k * 1_000), endMs - (4 - k) * 15_000)]);
      }
      const increase = await instant(live.base, 'histogram_count(increase(latency{kind="growing"}[45s]))', endMs);
      // The range begins just after the first push: two intervals of a thousand, and as much again extrapolated.
      expect([...increase.values()][0]).toBeCloseTo(3_000, 6);
      const { series } = pointOf('growing', [], endMs);
      const histogram = customHistogram({ bounds: [1, 100], counts: [4_000, 1_000, 0], sum: 1 });
      const outcome = await writer.write([{ kind: 'histogram', series, histogram, timestampMs: endMs + 15_000 }]);
      expect(outcome).toMatchObject({ sent: { histograms: 1 }, refusals: [] });
      const count = await instant(live.base, 'histogram_count(latency{kind="growing"})', endMs + 15_000);
      expect([...count.values()]).toEqual([5_000]);
    });
  },
);
