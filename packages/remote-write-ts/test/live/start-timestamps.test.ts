// Start timestamps at real receivers. With its feature `created-timestamp-zero-ingestion` a Prometheus makes a zero sample of them, so
// that the first increment counts: from 3.8 on of those that a sample carries, before of one for the whole series, which nobody sends
// any more, in 2.x of none. Source: Prometheus, CHANGELOG, 3.8.0.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createSeries,
  createSeriesBatch,
  createWriter,
  customHistogram,
  exponentialHistogram,
  type HistogramPoint,
  type Series,
  snappyCompress,
  type Writer,
} from '../../src/index.ts';
import { abilitiesOf, findBinary, instant, type Live, liveTitle, raw, startPrometheus } from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const { speaks2, queriesStarts } = abilitiesOf(PROMETHEUS);
const INTERVAL_MS = 15_000;
/** A first increment that nothing else could make up for. */
const FIRST = 1_000;

const counter = (name: string, ...labels: [string, string][]): Series =>
  createSeries([['__name__', name], ...labels], { type: 'counter' });

/** The start, and three boundaries. */
function times(): [startMs: number, ...boundaries: number[]] {
  const lastMs = Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS - INTERVAL_MS;
  return [lastMs - 3 * INTERVAL_MS, lastMs - 2 * INTERVAL_MS, lastMs - INTERVAL_MS, lastMs];
}

function writerTo(live: Live): Writer {
  return createWriter({ url: `${live.base}/api/v1/write`, userAgent: 'remote-write-ts-test/0.1' });
}

async function writeAll(writer: Writer, points: Parameters<Writer['write']>[0]): Promise<void> {
  const outcome = await writer.write(points);
  expect(outcome).toMatchObject({ kind: 'settled', protocol: speaks2 ? '2.0' : '1.0', refusals: [] });
}

/** Of the three boundaries, in a window that begins with the start: nothing is extrapolated where there is a zero sample at it. */
async function increase(live: Live, selector: string, atMs: number, wrap = (query: string) => query): Promise<number> {
  const query = wrap(`increase(${selector}[${3 * INTERVAL_MS + 1}ms])`);
  return [...(await instant(live.base, query, atMs)).values()][0]!;
}

describe.skipIf(!PROMETHEUS)(
  liveTitle('start timestamps and a real Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    let live: Live;
    let writer: Writer;
    let takesStarts: boolean;

    beforeAll(async () => {
      live = await startPrometheus(PROMETHEUS!, 'native-histograms,created-timestamp-zero-ingestion');
      writer = writerTo(live);
      takesStarts = speaks2 && !(await readsStartOfSeries(live));
    });
    afterAll(async () => {
      await writer?.close();
      await live?.remove();
    });

    it('make the first increment of a counter count where the receiver takes them, and change nothing elsewhere', async () => {
      const series = counter('started_total');
      const [startMs, ...boundaries] = times();
      for (const [k, timestampMs] of boundaries.entries()) {
        await writeAll(writer, [{ kind: 'sample', series, value: FIRST + k, timestampMs, startMs }]);
      }
      const stored = boundaries.map((timestampMs, k) => [timestampMs, FIRST + k]);
      expect(await raw(live.base, 'started_total', '2m', boundaries.at(-1)!)).toEqual(
        takesStarts ? [[startMs, 0], ...stored] : stored,
      );
      const counted = await increase(live, 'started_total', boundaries.at(-1)!);
      if (takesStarts) expect(counted).toBeCloseTo(FIRST + 2, 6);
      else expect(counted).toBeLessThan(5);
    });

    it('are in patched bodies, too', async () => {
      const series = Array.from({ length: 50 }, (_, i) => counter('patched_total', ['i', String(i)]));
      const [startMs, ...boundaries] = times();
      const batch = createSeriesBatch(writer, series, { startMs: series.map(() => startMs) });
      for (const [k, timestampMs] of boundaries.entries()) {
        const values = Float64Array.from(series, (_, i) => i * FIRST + k);
        expect(await batch.push(values, timestampMs)).toMatchObject({ sent: { samples: 50 }, refusals: [] });
      }
      const first = await instant(live.base, `patched_total @ ${startMs / 1000}`, boundaries.at(-1)!, 'i');
      expect([...first.values()]).toEqual(takesStarts ? series.map(() => 0) : []);
      const counted = await increase(live, 'patched_total', boundaries.at(-1)!, (query) => `sum(${query})`);
      const total = (FIRST * 49 * 50) / 2 + 50 * 2;
      if (takesStarts) expect(counted).toBeCloseTo(total, 3);
      else expect(counted).toBeLessThan(50 * 5);
    });

    it('make the first observations of native histograms count in the same way', async () => {
      const [startMs, ...boundaries] = times();
      const kinds: Record<string, (k: number) => HistogramPoint['histogram']> = {
        integer: (k) => exponentialHistogram({ schema: 3, positive: [[1, FIRST + k]], sum: FIRST + k }),
        float: (k) => exponentialHistogram({ schema: 3, positive: [[1, FIRST + k]], sum: FIRST + k, isFloat: true }),
        ...(speaks2 && {
          custom: (k: number) => customHistogram({ bounds: [1, 2], counts: [1, 1, FIRST - 2 + k], sum: FIRST + k }),
        }),
      };
      for (const [k, timestampMs] of boundaries.entries()) {
        await writeAll(
          writer,
          Object.entries(kinds).map(([kind, make]): HistogramPoint => {
            const series = createSeries([['__name__', `started_${kind}`]], { type: 'histogram' });
            return { kind: 'histogram', series, histogram: make(k), timestampMs, startMs };
          }),
        );
      }
      for (const kind of Object.keys(kinds)) {
        const stored = boundaries.map((timestampMs, k) => [timestampMs, FIRST + k]);
        expect(await raw(live.base, `started_${kind}`, '2m', boundaries.at(-1)!), kind).toEqual(
          takesStarts ? [[startMs, 0], ...stored] : stored,
        );
        const counted = await increase(live, `started_${kind}`, boundaries.at(-1)!, (q) => `histogram_count(${q})`);
        if (takesStarts) expect(counted, kind).toBeCloseTo(FIRST + 2, 6);
        else expect(counted, kind).toBeLessThan(5);
      }
    });

    it('tell of a restart that the values do not show', async () => {
      const series = counter('restarted_total');
      const [startMs, first, second, third] = times();
      await writeAll(writer, [{ kind: 'sample', series, value: 5, timestampMs: first!, startMs }]);
      await writeAll(writer, [{ kind: 'sample', series, value: 7, timestampMs: third!, startMs: second! }]);
      const resets = [...(await instant(live.base, 'resets(restarted_total[2m])', third!)).values()];
      expect(resets).toEqual([takesStarts ? 1 : 0]);
    });

    it('count nothing twice beside a zero sample of their own', async () => {
      const series = counter('declared_total');
      const [startMs, ...boundaries] = times();
      await writeAll(writer, [{ kind: 'sample', series, value: 0, timestampMs: startMs }]);
      for (const [k, timestampMs] of boundaries.entries()) {
        await writeAll(writer, [{ kind: 'sample', series, value: FIRST + k, timestampMs, startMs }]);
      }
      expect(await raw(live.base, 'declared_total', '2m', boundaries.at(-1)!)).toEqual([
        [startMs, 0],
        ...boundaries.map((timestampMs, k) => [timestampMs, FIRST + k]),
      ]);
      expect(await increase(live, 'declared_total', boundaries.at(-1)!)).toBeCloseTo(FIRST + 2, 6);
    });
  },
);

describe.skipIf(!PROMETHEUS)(
  liveTitle('start timestamps and a real Prometheus that stores them', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'),
  () => {
    let live: Live;
    let writer: Writer;

    beforeAll(async () => {
      live = await startPrometheus(PROMETHEUS!, 'st-storage,use-start-timestamps');
      writer = writerTo(live);
    });
    afterAll(async () => {
      await writer?.close();
      await live?.remove();
    });

    it('leave no zero samples, and tell queries of a restart where these go by them', async () => {
      const series = counter('stored_total');
      const [startMs, first, second, third] = times();
      await writeAll(writer, [{ kind: 'sample', series, value: 5, timestampMs: first!, startMs }]);
      await writeAll(writer, [{ kind: 'sample', series, value: 7, timestampMs: third!, startMs: second! }]);
      expect(await raw(live.base, 'stored_total', '2m', third!)).toEqual([
        [first, 5],
        [third, 7],
      ]);
      // Five before the restart and seven since; or two more than before, extrapolated.
      const counted = await increase(live, 'stored_total', third!);
      if (queriesStarts) expect(counted).toBeCloseTo(12, 6);
      else expect(counted).toBeLessThan(4);
    });

    it('count nothing twice beside a zero sample of their own', async () => {
      const series = counter('declared_total');
      const [startMs, ...boundaries] = times();
      await writeAll(writer, [{ kind: 'sample', series, value: 0, timestampMs: startMs }]);
      for (const [k, timestampMs] of boundaries.entries()) {
        await writeAll(writer, [{ kind: 'sample', series, value: FIRST + k, timestampMs, startMs }]);
      }
      expect(await increase(live, 'declared_total', boundaries.at(-1)!)).toBeCloseTo(FIRST + 2, 6);
    });
  },
);

/** Asked of the receiver with bytes of the old layout, field 6 of the series: what it does with the new one must come from elsewhere. */
async function readsStartOfSeries(live: Live): Promise<boolean> {
  const [startMs, timestampMs] = times();
  const labels = field(1, [1, 2]);
  const value = [...new Uint8Array(Float64Array.of(5).buffer)];
  const sample = field(2, [(1 << 3) | 1, ...value, 2 << 3, ...varint(timestampMs!)]);
  const series = field(5, [...labels, ...sample, 6 << 3, ...varint(startMs)]);
  const symbols = ['', '__name__', 'old_layout_total'].flatMap((text) => field(4, [...new TextEncoder().encode(text)]));
  const response = await fetch(`${live.base}/api/v1/write`, {
    method: 'POST',
    body: snappyCompress(Uint8Array.from([...symbols, ...series])),
    headers: {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    },
  });
  expect(response.status).toBe(204);
  return (await raw(live.base, 'old_layout_total', '2m', timestampMs!)).some(([, stored]) => stored === 0);
}

function field(number: number, bytes: readonly number[]): number[] {
  return [(number << 3) | 2, ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}
