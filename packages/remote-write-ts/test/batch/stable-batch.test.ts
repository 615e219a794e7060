import { uncompress } from 'snappyjs';
import { describe, expect, it } from 'vitest';
import {
  BatchError,
  createSeries,
  createStableBatch,
  type LabelPair,
  METRIC_TYPES,
  type Protocol,
  snappyUncompress,
} from '../../src/index.ts';
import { protoLabels, protoRequest, protoRequestV2 } from '../wire/proto.ts';
import { expectedRequest, randomFrom, randomSeries, randomTime, randomValues } from './random.ts';

const NOW_MS = 1_700_000_000_000;
const PROTOCOLS: readonly Protocol[] = ['1.0', '2.0'];

function counters(count: number): ReturnType<typeof createSeries>[] {
  return Array.from({ length: count }, (_, i) =>
    createSeries(
      [
        ['__name__', 'calls_total'],
        ['service', `shop-${i % 9}`],
        ['index', String(i)],
      ],
      { type: 'counter', help: 'Calls.' },
    ),
  );
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(BatchError);
    return (error as BatchError).code;
  }
}

describe.each(PROTOCOLS)('a stable batch of %s', (protocol) => {
  it('gives, push after push, the very bytes that the ordinary builder gives, for another implementation of snappy', () => {
    for (let seed = 1; seed <= 250; seed++) {
      const random = randomFrom(seed);
      const series = randomSeries(random, 1 + Math.floor(random() * 60));
      const startMs = random() < 0.5 ? undefined : Array.from(series, () => Math.floor(random() * 3) * 1_000_000);
      const batch = createStableBatch(series, { protocol, ...(startMs && { startMs }) });
      for (let push = 0; push < 4; push++) {
        const values = randomValues(random, series.length);
        const timestampMs = Math.max(randomTime(random), startMs === undefined ? -Infinity : 2_000_000);
        const request = uncompress(batch.push(values, timestampMs));
        const expected = expectedRequest(protocol, series, values, timestampMs, startMs);
        expect(Buffer.compare(request, expected), `seed ${seed}, push ${push}`).toBe(0);
      }
    }
  });

  it('does so across many blocks of 64 KiB', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = randomFrom(seed);
      const series = randomSeries(random, 3_000);
      const batch = createStableBatch(series, { protocol });
      for (let push = 0; push < 3; push++) {
        const values = randomValues(random, series.length);
        const body = batch.push(values, NOW_MS + push);
        const expected = expectedRequest(protocol, series, values, NOW_MS + push);
        expect(Buffer.compare(uncompress(body), expected), `seed ${seed}, push ${push}`).toBe(0);
        expect(Buffer.compare(snappyUncompress(body, expected.length), expected)).toBe(0);
      }
    }
  });

  it('does so for series of more than 64 KiB, whose timestamps no copy reaches', () => {
    const random = randomFrom(3);
    const big = (i: number): LabelPair[] => [
      ['__name__', `big_${i}`],
      ['text', Array.from({ length: 90_000 }, () => String.fromCharCode(97 + random() * 26)).join('')],
    ];
    const series = [...counters(3), createSeries(big(0)), createSeries(big(1)), ...randomSeries(random, 3)];
    // On 2.0 the texts stand in the table, before all series.
    const batch = createStableBatch(series, { protocol });
    for (const timestampMs of [NOW_MS, NOW_MS + 15_000, 5, NOW_MS]) {
      const values = randomValues(random, series.length);
      const expected = expectedRequest(protocol, series, values, timestampMs);
      expect(Buffer.compare(uncompress(batch.push(values, timestampMs)), expected)).toBe(0);
    }
  });

  it('is not fooled by labels that look like a value or a timestamp', () => {
    const sampleOfZero = `\x12\x10\t${'\0'.repeat(8)}\x10`;
    // The end of 2 ** 40 as a varint, and the beginning of a series named "b".
    const timestampAndNext = '\u{40000} \n!\n\r\n\x08__name__\x12\x01b';
    const lures = [sampleOfZero, timestampAndNext, `${timestampAndNext}${sampleOfZero}`, `x${sampleOfZero.repeat(3)}`];
    const series = [
      ...lures.map((lure, i) =>
        createSeries([
          ['__name__', `a${i}`],
          [`lure${i}`, lure],
        ]),
      ),
      createSeries([['__name__', 'b']]),
      ...lures.map((lure) =>
        createSeries([
          ['__name__', 'b'],
          ['lure', lure],
        ]),
      ),
    ];
    for (const order of [
      series,
      series.slice(1),
      series.toReversed(),
      [series[1]!, series[4]!],
      [series[4]!, series[0]!],
    ]) {
      const batch = createStableBatch(order, { protocol });
      for (const timestampMs of [2 ** 40, NOW_MS]) {
        const values = randomValues(randomFrom(timestampMs), order.length);
        const expected = expectedRequest(protocol, order, values, timestampMs);
        expect(Buffer.compare(uncompress(batch.push(values, timestampMs)), expected)).toBe(0);
      }
    }
  });

  it('is read as labels, values, times, starts and metadata by an independent decoder', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = randomFrom(seed);
      const series = randomSeries(random, 1 + Math.floor(random() * 20));
      const startMs = Array.from(series, () => Math.floor(random() * 2) * 1_600_000_000_000);
      const batch = createStableBatch(series, { protocol, startMs });
      const values = randomValues(random, series.length);
      const timestamp = String(NOW_MS + seed);
      const bytes = uncompress(batch.push(values, NOW_MS + seed));
      if (protocol === '1.0') {
        expect(protoRequest(bytes)).toEqual({
          timeseries: series.map(({ labels }, i) => ({
            labels: labels.map(([name, value]) => ({ name, value })),
            samples: [{ value: values[i], timestamp }],
            exemplars: [],
            histograms: [],
          })),
          metadata: [],
        });
        continue;
      }
      const request = protoRequestV2(bytes);
      expect(
        request.timeseries.map(({ labels_refs, samples, metadata }) => ({
          labels: protoLabels(request, labels_refs),
          samples,
          metadata: metadata && [metadata.type, request.symbols[metadata.help_ref], request.symbols[metadata.unit_ref]],
        })),
      ).toEqual(
        series.map(({ labels, metadata }, i) => ({
          labels: labels.map(([name, value]) => ({ name, value })),
          samples: [{ value: values[i], timestamp, start_timestamp: String(startMs[i]) }],
          metadata: metadata
            ? [
                METRIC_TYPES[metadata.type]!.toUpperCase().replace('UNKNOWN', 'UNSPECIFIED'),
                metadata.help.text,
                metadata.unit.text,
              ]
            : null,
        })),
      );
    }
  });

  it('keeps every value to the bit, but for NaN, which becomes the ordinary one', () => {
    const bits = (value: bigint) => {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, value);
      return view.getFloat64(0);
    };
    const values = Float64Array.of(-0, Number.NEGATIVE_INFINITY, 5e-324, -2.2e-308, 1 / 3, bits(0x7ff0000000000002n));
    const batch = createStableBatch(counters(6), { protocol });
    const request = Buffer.from(uncompress(batch.push(values, NOW_MS)));
    const expected = [...values.subarray(0, 5)].map((value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value);
      return bytes.toString('hex');
    });
    const found = [...request.toString('hex').matchAll(/12[0-9a-f]{2}09([0-9a-f]{16})10/g)].map((match) => match[1]);
    expect(found).toEqual([...expected, '010000000000f87f']);
  });

  it('takes timestamps of every length, one after another', () => {
    const series = counters(40);
    const batch = createStableBatch(series, { protocol });
    const times = [
      NOW_MS,
      0,
      1,
      127,
      128,
      2 ** 35 - 1,
      NOW_MS,
      -1,
      2 ** 42 - 1,
      2 ** 42,
      4_400_000_000_000,
      2 ** 53 - 1,
    ];
    for (const [push, timestampMs] of [...times, -(2 ** 53 - 1), NOW_MS].entries()) {
      const values = Float64Array.from(series, (_, i) => push * 1000 + i);
      const expected = expectedRequest(protocol, series, values, timestampMs);
      expect(Buffer.compare(uncompress(batch.push(values, timestampMs)), expected), `at ${timestampMs}`).toBe(0);
    }
  });

  it('hands out its own memory, which nothing but a push changes', () => {
    const batch = createStableBatch(counters(10), { protocol });
    const values = new Float64Array(10).fill(1);
    const first = batch.push(values, NOW_MS);
    const copy = Uint8Array.from(first);
    values.fill(7);
    expect(() => batch.push(values, 0.5)).toThrow(RangeError);
    expect(codeOf(() => batch.push(new Float64Array(9), NOW_MS))).toBe('bad_values');
    expect(Buffer.compare(first, copy)).toBe(0);
    expect(batch.push(values, NOW_MS)).toBe(first);
    expect(Buffer.compare(first, copy)).not.toBe(0);
    expect(batch.sizeBytes).toBe(first.length);
  });

  it('gives its series back', () => {
    const series = randomSeries(randomFrom(11), 50);
    const startMs = Array.from(series, (_, i) => i * 1000);
    const batch = createStableBatch(series, { protocol, startMs });
    batch.push(randomValues(randomFrom(12), 50), NOW_MS);
    const decoded = batch.decode();
    expect(decoded.series.map(({ labels }) => labels)).toEqual(series.map(({ labels }) => labels));
    expect([...decoded.startMs]).toEqual(protocol === '2.0' ? startMs : startMs.map(() => 0));
    const helpOf = (all: typeof series) => all.map(({ metadata }) => metadata?.help.text);
    expect(helpOf(decoded.series)).toEqual(protocol === '2.0' ? helpOf(series) : series.map(() => undefined));
    expect(batch.metadataCount).toBe(helpOf(decoded.series).filter((help) => help !== undefined).length);
  });

  it('refuses what receivers would, and what makes no batch', () => {
    const [a, b] = [counters(1)[0]!, counters(2)[1]!];
    expect(codeOf(() => createStableBatch([], { protocol }))).toBe('no_series');
    expect(codeOf(() => createStableBatch([a, b, createSeries(a.labels)], { protocol }))).toBe('duplicate_series');
    expect(codeOf(() => createStableBatch([a, b], { protocol, startMs: [1] }))).toBe('bad_starts');
    // Labels that differ, with hashes that don't.
    const twin: typeof b = Object.create(b, { hash: { value: a.hash } });
    expect(createStableBatch([a, twin], { protocol }).size).toBe(2);
  });
});

describe('a stable batch with starts', () => {
  it('refuses a timestamp before one of them on 2.0, as the builder does', () => {
    const batch = createStableBatch(counters(3), { protocol: '2.0', startMs: [0, 5_000, 3_000] });
    expect(() => batch.push(new Float64Array(3), 4_999)).toThrow(RangeError);
    expect(batch.push(new Float64Array(3), 5_000).length).toBeGreaterThan(0);
    expect(() => createStableBatch(counters(1), { protocol: '2.0', startMs: [0.5] })).toThrow(RangeError);
  });
});
