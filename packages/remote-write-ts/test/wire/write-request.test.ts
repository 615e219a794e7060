import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeWriteRequest,
  type EncodedExemplar,
  encodeExemplarLabels,
  encodeLabels,
  snappyUncompress,
  WriteRequestBuilder,
} from '../../src/index.ts';
import { protoRequest } from './proto.ts';

const LABELS = encodeLabels([['__name__', 'calls_total']]);
const PROTO_LABELS = [{ name: '__name__', value: 'calls_total' }];
const MAX_BYTES = 1 << 24;

const value = fc.oneof(fc.double(), fc.constantFrom(0, -0, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));
const timestampMs = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: 1.6e12, max: 2e12 }),
  fc.constantFrom(0, -1, 1, 2 ** 32, -(2 ** 32)),
);
const exemplar = fc.record({
  id: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }),
  value,
  timestampMs,
});
const sample = fc.record({ value, timestampMs, exemplars: fc.array(exemplar, { maxLength: 3 }) });

function encoded({
  id,
  value: v,
  timestampMs: t,
}: {
  id: string;
  value: number;
  timestampMs: number;
}): EncodedExemplar {
  return { labels: encodeExemplarLabels([['trace_id', id]]), value: v, timestampMs: t };
}

/** The eight bytes of the only sample, as they stand on the wire. */
function rawValue(builder: WriteRequestBuilder): string {
  const bytes = builder.uncompressed();
  const at = bytes.length - 8 - 7; // the value, then tag and six bytes of the timestamp
  expect(bytes[at - 1]).toBe(0x09);
  return Buffer.from(bytes.subarray(at, at + 8)).toString('hex');
}

describe('building a request', () => {
  it('gives what an independent decoder reads as the samples and exemplars that were added', () => {
    const builder = new WriteRequestBuilder(16);
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 20 }), (samples) => {
        builder.reset();
        for (const s of samples)
          builder.addSampleWithExemplars(LABELS, s.value, s.timestampMs, s.exemplars.map(encoded));
        const { timeseries } = protoRequest(snappyUncompress(builder.finish(), MAX_BYTES));
        expect(timeseries).toEqual(
          samples.map((s) => ({
            labels: PROTO_LABELS,
            histograms: [],
            samples: [{ value: s.value, timestamp: String(s.timestampMs) }],
            exemplars: s.exemplars.map((e) => ({
              labels: [{ name: 'trace_id', value: e.id }],
              value: e.value,
              timestamp: String(e.timestampMs),
            })),
          })),
        );
        expect(builder.sampleCount).toBe(samples.length);
        expect(builder.exemplarCount).toBe(samples.reduce((sum, s) => sum + s.exemplars.length, 0));
      }),
    );
  });

  it('writes a sample without exemplars as one with an empty list', () => {
    const plain = new WriteRequestBuilder();
    const empty = new WriteRequestBuilder();
    plain.addSample(LABELS, 1.5, 1_700_000_000_000);
    empty.addSampleWithExemplars(LABELS, 1.5, 1_700_000_000_000, []);
    expect(plain.uncompressed()).toEqual(empty.uncompressed());
  });

  it('writes a stale marker as exactly the bytes 0x7ff0000000000002', () => {
    const builder = new WriteRequestBuilder();
    builder.addStale(LABELS, 1_700_000_000_000);
    expect(rawValue(builder)).toBe('020000000000f07f');
    expect(decodeWriteRequest(builder.uncompressed()).timeseries[0]!.samples[0]!.bits).toBe(0x7ff0000000000002n);
  });

  it('writes every other NaN as 0x7ff8000000000001, so that none can end a series', () => {
    const bits = new DataView(new ArrayBuffer(8));
    for (const pattern of [0x7ff0000000000002n, 0x7ff8000000000000n, 0xfff8000000000000n, 0x7ff8000000000002n]) {
      bits.setBigUint64(0, pattern);
      const builder = new WriteRequestBuilder();
      builder.addSample(LABELS, bits.getFloat64(0), 1_700_000_000_000);
      expect(rawValue(builder)).toBe('010000000000f87f');
    }
  });

  it('hands out a body of its own that later batches do not touch', () => {
    const builder = new WriteRequestBuilder();
    builder.addSample(LABELS, 1, 1000);
    const first = builder.finish();
    const copy = Uint8Array.from(first);
    builder.reset();
    for (let i = 0; i < 100; i++) builder.addSample(LABELS, i, 2000 + i);
    builder.finish();
    expect(first).toEqual(copy);
    expect(first.buffer.byteLength).toBe(first.length);
  });

  it('starts from nothing after a reset', () => {
    const builder = new WriteRequestBuilder();
    builder.addSampleWithExemplars(LABELS, 1, 1000, [encoded({ id: 'a', value: 1, timestampMs: 1000 })]);
    builder.reset();
    expect([builder.sampleCount, builder.exemplarCount, builder.sizeBytes]).toEqual([0, 0, 0]);
    builder.addSample(LABELS, 2, 3000);
    expect(protoRequest(builder.uncompressed()).timeseries).toHaveLength(1);
  });

  it('refuses a timestamp that is no whole number of milliseconds, and keeps the request as it was', () => {
    const builder = new WriteRequestBuilder();
    builder.addSample(LABELS, 1, 1000);
    const before = Uint8Array.from(builder.uncompressed());
    for (const bad of [Number.NaN, 1.5, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => builder.addSample(LABELS, 1, bad)).toThrow(RangeError);
      expect(() => builder.addStale(LABELS, bad)).toThrow(RangeError);
      const exemplars = [encoded({ id: 'a', value: 1, timestampMs: bad })];
      expect(() => builder.addSampleWithExemplars(LABELS, 1, 1000, exemplars)).toThrow(RangeError);
    }
    expect(builder.uncompressed()).toEqual(before);
    expect(builder.sampleCount).toBe(1);
    expect(builder.exemplarCount).toBe(0);
  });

  it('writes timestamps that alternate, near the borders of their lengths and of 32 bits', () => {
    const times = [
      2 ** 35 - 1,
      2 ** 35,
      2 ** 42 - 1,
      2 ** 42,
      1_700_000_000_000,
      2 ** 40,
      2 ** 40 + 2 ** 31,
      0,
      -1,
      2 ** 41 - 1,
    ];
    const builder = new WriteRequestBuilder(16);
    const all = times.flatMap((a) => times.flatMap((b) => [a, b, a, a]));
    for (const timestampMs of all) builder.addSample(LABELS, 1, timestampMs);
    const read = protoRequest(builder.uncompressed()).timeseries.map(({ samples }) => samples[0]!.timestamp);
    expect(read).toEqual(all.map(String));
  });

  it('takes a series of any size', () => {
    const builder = new WriteRequestBuilder(16);
    const big = 'v'.repeat(300_000);
    builder.addSample(
      encodeLabels([
        ['__name__', 'x'],
        ['big', big],
      ]),
      1,
      1000,
    );
    builder.addSample(LABELS, 2, 1000);
    const { timeseries } = protoRequest(builder.uncompressed());
    expect(timeseries.map((series) => series.labels.at(-1)!.value)).toEqual([big, 'calls_total']);
  });
});
