// One batch of remote-write 2.0: a table of strings, and series that refer to it. Reused from batch to batch like the 1.0
// builder; it must never hold half a series, or a string twice. Source: Prometheus Remote-Write 2.0; numbers in FORMAT.md.

import type { NativeHistogram } from '../histogram/index.ts';
import type { Exemplar, Series, SymbolEntry } from '../labels/index.ts';
import { compressInto, maxCompressedLength } from '../snappy/index.ts';
import { HistogramWriter } from './histogram.ts';
import { checkStart, checkTimestamp } from './timestamp.ts';
import { int64Size, varint32Size, WireWriter } from './writer.ts';

const TAG_SYMBOLS = 0x22;
const TAG_TIMESERIES = 0x2a;
const TAG_LABELS_REFS = 0x0a;
const TAG_SAMPLES = 0x12;
const TAG_HISTOGRAMS = 0x1a;
const TAG_EXEMPLARS = 0x22;
const TAG_METADATA = 0x2a;
const TAG_SAMPLE_VALUE = 0x09;
const TAG_SAMPLE_TIMESTAMP = 0x10;
const TAG_SAMPLE_START = 0x18;
const TAG_EXEMPLAR_VALUE = 0x11;
const TAG_EXEMPLAR_TIMESTAMP = 0x18;
const TAG_METADATA_TYPE = 0x08;
const TAG_METADATA_HELP = 0x18;
const TAG_METADATA_UNIT = 0x20;
const DOUBLE_FIELD_BYTES = 9;
const MAX_HEADER_BYTES = 6;
const MAX_REF_BYTES = 5;
const NO_EXEMPLARS: readonly Exemplar[] = [];

/** What may go with a sample or a histogram. */
export interface PointExtras {
  /** When counting began, ms since the Unix epoch, not after the sample. 0 or missing: not known. */
  startMs?: number | undefined;
  exemplars?: readonly Exemplar[] | undefined;
}

// Each request's number, by which a symbol knows whether its place is of this request.
let lastEpoch = 0;

export class WriteRequestV2Builder {
  readonly #symbols: WireWriter;
  readonly #out: WireWriter;
  readonly #tail = new WireWriter(256);
  readonly #labelRefs = new WireWriter(256);
  readonly #refs = new Map<string, number>();
  readonly #histograms = new HistogramWriter('2.0');
  #request = new Uint8Array(0);
  #compressed = new Uint8Array(0);
  #epoch = 0;
  #symbolCount = 0;
  #samples = 0;
  #exemplars = 0;
  #histogramCount = 0;

  /** @param initialBytes room for the uncompressed request; it doubles as needed and is kept by `reset`. */
  constructor(initialBytes = 65_536) {
    this.#symbols = new WireWriter(initialBytes >>> 2);
    this.#out = new WireWriter(initialBytes);
    this.reset();
  }

  /** Samples and stale markers added since the last reset. */
  get sampleCount(): number {
    return this.#samples;
  }

  get exemplarCount(): number {
    return this.#exemplars;
  }

  /** Native histograms and their stale markers. */
  get histogramCount(): number {
    return this.#histogramCount;
  }

  /** Size of the request before compression. */
  get sizeBytes(): number {
    return this.#symbols.at + this.#out.at;
  }

  /**
   * One series with one sample. Any NaN becomes 0x7ff8000000000001: use `addStale` to end a series.
   * @param timestampMs milliseconds since the Unix epoch, a safe integer, negative before it.
   * @throws RangeError for another timestamp, or a start after it; the request stays as it was.
   */
  addSample(series: Series, value: number, timestampMs: number, extras?: PointExtras): void {
    this.#addFloat(series, value, false, timestampMs, extras?.startMs ?? 0, extras?.exemplars ?? NO_EXEMPLARS);
  }

  /** One series with one stale marker, exactly 0x7ff0000000000002. Throws as `addSample` does. */
  addStale(series: Series, timestampMs: number): void {
    this.#addFloat(series, 0, true, timestampMs, 0, NO_EXEMPLARS);
  }

  /**
   * One series with one native histogram.
   * @param histogram one that `checkHistogram` takes: it isn't checked again.
   * @throws RangeError as `addSample` does.
   */
  addHistogram(series: Series, histogram: NativeHistogram, timestampMs: number, extras?: PointExtras): void {
    const startMs = extras?.startMs ?? 0;
    const exemplars = extras?.exemplars ?? NO_EXEMPLARS;
    check(timestampMs, startMs, exemplars);
    this.#putHistogram(series, this.#histograms.encode(histogram, timestampMs, startMs), exemplars);
  }

  /** The marker that ends a series of native histograms: one whose sum is the stale NaN. Throws as `addSample` does. */
  addStaleHistogram(series: Series, timestampMs: number): void {
    checkTimestamp(timestampMs);
    this.#putHistogram(series, this.#histograms.encodeStale(timestampMs), NO_EXEMPLARS);
  }

  /** The uncompressed request. A view: valid until the next call that adds or resets. */
  uncompressed(): Uint8Array {
    const { sizeBytes } = this;
    if (this.#request.length < sizeBytes) this.#request = new Uint8Array(sizeBytes * 2);
    this.#request.set(this.#symbols.buffer.subarray(0, this.#symbols.at));
    this.#request.set(this.#out.buffer.subarray(0, this.#out.at), this.#symbols.at);
    return this.#request.subarray(0, sizeBytes);
  }

  /** The request's body, snappy-compressed, in memory of its own. The builder stays as it is: reset it for the next batch. */
  finish(): Uint8Array {
    const needed = maxCompressedLength(this.sizeBytes);
    if (this.#compressed.length < needed) this.#compressed = new Uint8Array(needed);
    return this.#compressed.slice(0, compressInto(this.uncompressed(), this.#compressed));
  }

  /** Empties the request and keeps its room. */
  reset(): void {
    this.#symbols.at = 0;
    this.#out.at = 0;
    this.#refs.clear();
    this.#epoch = ++lastEpoch;
    this.#symbolCount = 0;
    this.#samples = 0;
    this.#exemplars = 0;
    this.#histogramCount = 0;
    this.#newSymbol('', new Uint8Array(0)); // the protocol wants the empty string first
  }

  #addFloat(
    series: Series,
    value: number,
    isStale: boolean,
    timestampMs: number,
    startMs: number,
    exemplars: readonly Exemplar[],
  ): void {
    check(timestampMs, startMs, exemplars);
    const tail = this.#tail;
    tail.at = 0;
    // 31 bytes at most: the sample's length is one byte.
    const sampleBytes = DOUBLE_FIELD_BYTES + 1 + int64Size(timestampMs) + (startMs === 0 ? 0 : 1 + int64Size(startMs));
    tail.reserve(2 + sampleBytes);
    tail.byte(TAG_SAMPLES);
    tail.byte(sampleBytes);
    tail.byte(TAG_SAMPLE_VALUE);
    if (isStale) tail.stale();
    else tail.double(value);
    tail.byte(TAG_SAMPLE_TIMESTAMP);
    tail.int64(timestampMs);
    if (startMs !== 0) {
      tail.byte(TAG_SAMPLE_START);
      tail.int64(startMs);
    }
    this.#samples++;
    this.#putSeries(series, exemplars);
  }

  #putHistogram(series: Series, histogram: Uint8Array, exemplars: readonly Exemplar[]): void {
    const tail = this.#tail;
    tail.at = 0;
    tail.reserve(MAX_HEADER_BYTES + histogram.length);
    tail.byte(TAG_HISTOGRAMS);
    tail.varint32(histogram.length);
    tail.bytes(histogram);
    this.#histogramCount++;
    this.#putSeries(series, exemplars);
  }

  // The series' point stands in the tail already; exemplars and metadata go after it.
  #putSeries(series: Series, exemplars: readonly Exemplar[]): void {
    const { symbols, metadata } = series;
    const tail = this.#tail;
    for (let i = 0; i < exemplars.length; i++) this.#putExemplar(exemplars[i]!);
    if (metadata !== undefined) {
      const help = this.#refOf(metadata.help);
      const unit = this.#refOf(metadata.unit);
      const bodyBytes = 4 + varint32Size(help) + varint32Size(unit);
      tail.reserve(2 + bodyBytes);
      tail.byte(TAG_METADATA);
      tail.byte(bodyBytes);
      tail.byte(TAG_METADATA_TYPE);
      tail.byte(metadata.type);
      tail.byte(TAG_METADATA_HELP);
      tail.varint32(help);
      tail.byte(TAG_METADATA_UNIT);
      tail.varint32(unit);
    }
    const refs = this.#labelRefs;
    refs.at = 0;
    refs.reserve(symbols.length * MAX_REF_BYTES);
    const epoch = this.#epoch;
    for (let i = 0; i < symbols.length; i++) {
      const symbol = symbols[i]!;
      refs.varint32(symbol.epoch === epoch ? symbol.ref : this.#refOf(symbol));
    }
    const out = this.#out;
    const seriesBytes = 1 + varint32Size(refs.at) + refs.at + tail.at;
    out.reserve(2 * MAX_HEADER_BYTES + seriesBytes);
    out.byte(TAG_TIMESERIES);
    out.varint32(seriesBytes);
    out.byte(TAG_LABELS_REFS);
    out.varint32(refs.at);
    out.append(refs);
    out.append(tail);
  }

  #putExemplar({ pairs, value, timestampMs }: Exemplar): void {
    // Ids of traces come once: nothing is gained by interning them beyond the request.
    const refs = pairs.flatMap(([name, text]) => [this.#refOfText(name), this.#refOfText(text)]);
    let refsBytes = 0;
    for (const ref of refs) refsBytes += varint32Size(ref);
    const bodyBytes = 1 + varint32Size(refsBytes) + refsBytes + DOUBLE_FIELD_BYTES + 1 + int64Size(timestampMs);
    const tail = this.#tail;
    tail.reserve(MAX_HEADER_BYTES + bodyBytes);
    tail.byte(TAG_EXEMPLARS);
    tail.varint32(bodyBytes);
    tail.byte(TAG_LABELS_REFS);
    tail.varint32(refsBytes);
    for (const ref of refs) tail.varint32(ref);
    tail.byte(TAG_EXEMPLAR_VALUE);
    tail.double(value);
    tail.byte(TAG_EXEMPLAR_TIMESTAMP);
    tail.int64(timestampMs);
    this.#exemplars++;
  }

  // The entry remembers its place in this request. When another builder has used it since, the map still knows.
  #refOf(entry: SymbolEntry): number {
    if (entry.epoch === this.#epoch) return entry.ref;
    const ref = this.#refs.get(entry.text) ?? this.#newSymbol(entry.text, entry.bytes);
    entry.epoch = this.#epoch;
    entry.ref = ref;
    return ref;
  }

  #refOfText(text: string): number {
    return this.#refs.get(text) ?? this.#newSymbol(text, Buffer.from(text));
  }

  #newSymbol(text: string, bytes: Uint8Array): number {
    const symbols = this.#symbols;
    symbols.reserve(MAX_HEADER_BYTES + bytes.length);
    symbols.byte(TAG_SYMBOLS);
    symbols.varint32(bytes.length);
    symbols.bytes(bytes);
    const ref = this.#symbolCount++;
    this.#refs.set(text, ref);
    return ref;
  }
}

// Everything that can throw comes before the first byte is written.
function check(timestampMs: number, startMs: number, exemplars: readonly Exemplar[]): void {
  checkTimestamp(timestampMs);
  if (startMs !== 0) checkStart(startMs, timestampMs);
  for (let i = 0; i < exemplars.length; i++) checkTimestamp(exemplars[i]!.timestampMs);
}
