// One batch of remote-write 2.0: a table of strings, and series that refer to it. Reused from batch to batch like the 1.0
// builder; it must never hold half a series, or a string twice. Source: Prometheus Remote-Write 2.0; numbers in FORMAT.md.

import type { NativeHistogram } from '../histogram/index.ts';
import type { Exemplar, Series, SeriesMetadata } from '../labels/index.ts';
import { type PreparedSeries, prepared } from '../labels/internal.ts';
import { SnappyCompressor } from '../snappy/index.ts';
import { HistogramWriter } from './histogram.ts';
import { MAX_REFS_BYTES, putLabelRefs } from './label-refs.ts';
import { COPY_SLACK_BYTES, ModelSample } from './model-sample.ts';
import { MAX_EXEMPLAR_POINT_BYTES, MAX_SAMPLE_BYTES, putExemplarPoint, putSample } from './sample.ts';
import { SymbolTable } from './symbol-table.ts';
import { checkStart, checkTimestamp } from './timestamp.ts';
import { WireWriter } from './writer.ts';

const TAG_TIMESERIES = 0x2a;
const TAG_LABELS_REFS = 0x0a;
const TAG_HISTOGRAMS = 0x1a;
const TAG_EXEMPLARS = 0x22;
const TAG_METADATA = 0x2a;
const TAG_METADATA_TYPE = 0x08;
const TAG_METADATA_HELP = 0x18;
const TAG_METADATA_UNIT = 0x20;
const MAX_HEADER_BYTES = 6;
const MAX_METADATA_BYTES = 16;
const NO_EXEMPLARS: readonly Exemplar[] = [];

/** What may go with a sample or a histogram. */
export interface PointExtras {
  /** When counting began, ms since the Unix epoch, not after the sample. 0 or missing: not known. */
  startMs?: number | undefined;
  exemplars?: readonly Exemplar[] | undefined;
}

export class WriteRequestV2Builder {
  readonly #symbols: SymbolTable;
  readonly #out: WireWriter;
  readonly #histograms = new HistogramWriter('2.0');
  readonly #compressor = new SnappyCompressor();
  #request = new Uint8Array(0);
  readonly #model = new ModelSample();
  #samples = 0;
  #exemplars = 0;
  #histogramCount = 0;

  /** @param initialBytes room for the uncompressed request; it doubles as needed and is kept by `reset`. */
  constructor(initialBytes = 65_536) {
    this.#symbols = new SymbolTable(initialBytes >>> 2);
    this.#out = new WireWriter(initialBytes);
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
    return this.#symbols.sizeBytes + this.#out.at;
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
    this.#request.set(this.#symbols.bytes());
    this.#request.set(this.#out.buffer.subarray(0, this.#out.at), this.#symbols.sizeBytes);
    return this.#request.subarray(0, sizeBytes);
  }

  /** The request's body, snappy-compressed, in memory of its own. The builder stays as it is: reset it for the next batch. */
  finish(): Uint8Array {
    return this.#compressor.compress(this.uncompressed());
  }

  /** Empties the request and keeps its room. */
  reset(): void {
    this.#symbols.reset();
    this.#out.at = 0;
    this.#model.reset();
    this.#samples = 0;
    this.#exemplars = 0;
    this.#histogramCount = 0;
  }

  #addFloat(
    series: Series,
    value: number,
    isStale: boolean,
    timestampMs: number,
    startMs: number,
    exemplars: readonly Exemplar[],
  ): void {
    const model = this.#model;
    const hasKnownTimes = model.hasTimes(timestampMs, startMs);
    if (!hasKnownTimes || exemplars.length > 0) check(timestampMs, startMs, exemplars);
    const own = prepared(series);
    const { metadata } = own;
    const out = this.#out;
    const start = this.#openSeries(own, MAX_SAMPLE_BYTES);
    if (hasKnownTimes && model.hasMetadata(metadata) && exemplars.length === 0 && !isStale) {
      model.copy(out, value);
      out.close(start);
    } else {
      const { at } = out;
      putSample(out, value, isStale, timestampMs, startMs);
      this.#putRest(metadata, exemplars);
      const bytes = out.at - at;
      out.close(start);
      if (exemplars.length === 0) model.set(out, bytes, timestampMs, startMs, metadata);
    }
    this.#samples++;
  }

  #putHistogram(series: Series, histogram: Uint8Array, exemplars: readonly Exemplar[]): void {
    const own = prepared(series);
    const start = this.#openSeries(own, MAX_HEADER_BYTES + histogram.length);
    const out = this.#out;
    out.byte(TAG_HISTOGRAMS);
    out.varint32(histogram.length);
    out.bytes(histogram);
    this.#putRest(own.metadata, exemplars);
    out.close(start);
    this.#histogramCount++;
  }

  /** Up to the labels. Reserves room for the point and for metadata. */
  #openSeries(series: PreparedSeries, pointBytes: number): number {
    const out = this.#out;
    const group = series.group();
    const { wordAt } = series;
    const refsBytes = group.words[wordAt]! * MAX_REFS_BYTES;
    out.reserve(2 * MAX_HEADER_BYTES + refsBytes + pointBytes + MAX_METADATA_BYTES + COPY_SLACK_BYTES);
    const start = out.open(TAG_TIMESERIES);
    const refs = out.open(TAG_LABELS_REFS);
    putLabelRefs(out, group, wordAt, this.#symbols);
    out.close(refs);
    return start;
  }

  /** What follows the point. */
  #putRest(metadata: SeriesMetadata | undefined, exemplars: readonly Exemplar[]): void {
    const out = this.#out;
    if (exemplars.length > 0) {
      for (let i = 0; i < exemplars.length; i++) this.#putExemplar(exemplars[i]!);
      out.reserve(MAX_METADATA_BYTES);
    }
    if (metadata === undefined) return;
    const body = out.open(TAG_METADATA);
    out.byte(TAG_METADATA_TYPE);
    out.byte(metadata.type);
    out.byte(TAG_METADATA_HELP);
    out.varint32(this.#symbols.refOf(metadata.help));
    out.byte(TAG_METADATA_UNIT);
    out.varint32(this.#symbols.refOf(metadata.unit));
    out.close(body);
  }

  #putExemplar({ pairs, value, timestampMs }: Exemplar): void {
    const out = this.#out;
    out.reserve(2 * MAX_HEADER_BYTES + pairs.length * MAX_REFS_BYTES + MAX_EXEMPLAR_POINT_BYTES);
    const body = out.open(TAG_EXEMPLARS);
    const refs = out.open(TAG_LABELS_REFS);
    for (const [name, text] of pairs) {
      out.varint32(this.#symbols.refOfText(name));
      out.varint32(this.#symbols.refOfText(text));
    }
    out.close(refs);
    putExemplarPoint(out, value, timestampMs);
    out.close(body);
    this.#exemplars++;
  }
}

// Everything that can throw comes before the first byte is written.
function check(timestampMs: number, startMs: number, exemplars: readonly Exemplar[]): void {
  checkTimestamp(timestampMs);
  if (startMs !== 0) checkStart(startMs, timestampMs);
  for (let i = 0; i < exemplars.length; i++) checkTimestamp(exemplars[i]!.timestampMs);
}
