// The histogram message, which both protocols share but for custom bounds and the start timestamp. See FORMAT.md.

import {
  type BucketSpan,
  CUSTOM_BUCKETS_SCHEMA,
  HistogramError,
  type NativeHistogram,
  RESET_HINTS,
} from '../histogram/index.ts';
import type { Protocol } from './protocol.ts';
import { WireWriter } from './writer.ts';

const TAG_COUNT_INT = 0x08;
const TAG_COUNT_FLOAT = 0x11;
const TAG_SUM = 0x19;
const TAG_SCHEMA = 0x20;
const TAG_ZERO_THRESHOLD = 0x29;
const TAG_ZERO_COUNT_INT = 0x30;
const TAG_ZERO_COUNT_FLOAT = 0x39;
const TAG_NEGATIVE_SPANS = 0x42;
const TAG_NEGATIVE_DELTAS = 0x4a;
const TAG_NEGATIVE_COUNTS = 0x52;
const TAG_POSITIVE_SPANS = 0x5a;
const TAG_POSITIVE_DELTAS = 0x62;
const TAG_POSITIVE_COUNTS = 0x6a;
const TAG_RESET_HINT = 0x70;
const TAG_TIMESTAMP = 0x78;
const TAG_CUSTOM_VALUES = [0x82, 0x01];
const TAG_START_TIMESTAMP = [0x88, 0x01];
const TAG_SPAN_OFFSET = 0x08;
const TAG_SPAN_LENGTH = 0x10;
/** Everything but spans, buckets and bounds. */
const FIXED_BYTES = 128;
const MAX_SPAN_BYTES = 14;
const MAX_VARINT_BYTES = 10;
const MAX_HEADER_BYTES = 8;

/** Writes one histogram at a time into memory of its own. */
export class HistogramWriter {
  readonly #version: Protocol;
  readonly #out = new WireWriter(1024);
  readonly #packed = new WireWriter(1024);

  constructor(version: Protocol) {
    this.#version = version;
  }

  /**
   * @param startMs 0 for none; not written on 1.0.
   * @returns the message without tag and length. A view: valid until the next call.
   * @throws HistogramError `bad_schema` for custom buckets on 1.0.
   */
  encode(histogram: NativeHistogram, timestampMs: number, startMs: number): Uint8Array {
    const { isFloat, count, zeroCount, customBounds = [] } = histogram;
    if (this.#version === '1.0' && histogram.schema === CUSTOM_BUCKETS_SCHEMA) {
      throw new HistogramError('bad_schema', 'remote-write 1.0 has no custom buckets');
    }
    const out = this.#begin();
    // A oneof is written even if it is zero: its field says whether the histogram is one of floats.
    if (isFloat) this.#double(TAG_COUNT_FLOAT, count);
    else this.#int(TAG_COUNT_INT, count);
    this.#double(TAG_SUM, histogram.sum);
    out.byte(TAG_SCHEMA);
    out.sint64(histogram.schema);
    this.#double(TAG_ZERO_THRESHOLD, histogram.zeroThreshold);
    if (isFloat) this.#double(TAG_ZERO_COUNT_FLOAT, zeroCount);
    else this.#int(TAG_ZERO_COUNT_INT, zeroCount);
    this.#spans(TAG_NEGATIVE_SPANS, histogram.negativeSpans);
    this.#buckets(isFloat, TAG_NEGATIVE_COUNTS, TAG_NEGATIVE_DELTAS, histogram.negativeCounts);
    this.#spans(TAG_POSITIVE_SPANS, histogram.positiveSpans);
    this.#buckets(isFloat, TAG_POSITIVE_COUNTS, TAG_POSITIVE_DELTAS, histogram.positiveCounts);
    this.#int(TAG_RESET_HINT, RESET_HINTS.indexOf(histogram.resetHint ?? 'unknown'));
    this.#int(TAG_TIMESTAMP, timestampMs);
    if (customBounds.length > 0) this.#packedDoubles(TAG_CUSTOM_VALUES, customBounds);
    if (this.#version === '2.0' && startMs !== 0) {
      for (const byte of TAG_START_TIMESTAMP) out.byte(byte);
      out.int64(startMs);
    }
    return out.buffer.subarray(0, out.at);
  }

  /** The histogram that ends a series. A view, as `encode` returns. */
  encodeStale(timestampMs: number): Uint8Array {
    const out = this.#begin();
    this.#int(TAG_COUNT_INT, 0);
    out.byte(TAG_SUM);
    out.stale();
    this.#int(TAG_TIMESTAMP, timestampMs);
    return out.buffer.subarray(0, out.at);
  }

  #begin(): WireWriter {
    this.#out.at = 0;
    this.#out.reserve(FIXED_BYTES);
    return this.#out;
  }

  #int(tag: number, value: number): void {
    this.#out.byte(tag);
    this.#out.int64(value);
  }

  #double(tag: number, value: number): void {
    this.#out.byte(tag);
    this.#out.double(value);
  }

  #spans(tag: number, spans: readonly BucketSpan[]): void {
    const out = this.#out;
    out.reserve(spans.length * MAX_SPAN_BYTES + FIXED_BYTES);
    for (const { offset, length } of spans) {
      const packed = this.#packed;
      packed.at = 0;
      packed.byte(TAG_SPAN_OFFSET);
      packed.sint64(offset);
      packed.byte(TAG_SPAN_LENGTH);
      packed.int64(length);
      this.#copyPacked([tag]);
    }
  }

  #buckets(isFloat: boolean, countsTag: number, deltasTag: number, counts: readonly number[]): void {
    if (counts.length === 0) return;
    if (isFloat) {
      this.#packedDoubles([countsTag], counts);
      return;
    }
    const packed = this.#packed;
    packed.at = 0;
    packed.reserve(counts.length * MAX_VARINT_BYTES);
    let previous = 0;
    for (let i = 0; i < counts.length; i++) {
      packed.sint64(counts[i]! - previous);
      previous = counts[i]!;
    }
    this.#copyPacked([deltasTag]);
  }

  #packedDoubles(tag: readonly number[], values: readonly number[]): void {
    const packed = this.#packed;
    packed.at = 0;
    packed.reserve(values.length * 8);
    for (let i = 0; i < values.length; i++) packed.double(values[i]!);
    this.#copyPacked(tag);
  }

  #copyPacked(tag: readonly number[]): void {
    const out = this.#out;
    const packed = this.#packed;
    out.reserve(MAX_HEADER_BYTES + packed.at + FIXED_BYTES);
    for (const byte of tag) out.byte(byte);
    out.varint32(packed.at);
    out.append(packed.buffer, packed.at);
  }
}
