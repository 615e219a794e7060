// One batch of remote-write 1.0: samples and histograms are appended as wire bytes, and the body comes out compressed. The builder is
// reused from batch to batch and allocates nothing per sample; it must never hold half a series, whatever is thrown.
// Source: Prometheus Remote-Write 1.0, "Protocol"; field numbers in FORMAT.md.

import type { NativeHistogram } from '../histogram/index.ts';
import type { Series, SeriesMetadata } from '../labels/index.ts';
import { prepared } from '../labels/internal.ts';
import { SnappyCompressor } from '../snappy/index.ts';
import { HistogramWriter } from './histogram.ts';
import { COPY_SLACK_BYTES, ModelSample } from './model-sample.ts';
import { exemplarPointSize, putExemplarPoint, putSample, sampleFieldSize } from './sample.ts';
import { checkTimestamp } from './timestamp.ts';
import { varint32Size, WireWriter } from './writer.ts';

const TAG_TIMESERIES = 0x0a;
const TAG_EXEMPLARS = 0x1a;
const TAG_HISTOGRAMS = 0x22;
const TAG_METADATA = 0x1a;
const TAG_METADATA_TYPE = 0x08;
const TAG_METADATA_FAMILY = 0x12;
const TAG_METADATA_HELP = 0x22;
const TAG_METADATA_UNIT = 0x2a;
/** Tag and length of a series. */
const MAX_SERIES_HEADER_BYTES = 6;

export interface EncodedExemplar {
  /** From `encodeExemplarLabels`. */
  labels: Uint8Array;
  value: number;
  /** Milliseconds since the Unix epoch. */
  timestampMs: number;
}

/** A series, or what `encodeLabels` gave: to be copied, a series is as good, and costs less memory. */
export type SeriesLabels = Series | Uint8Array;

export class WriteRequestBuilder {
  readonly #out: WireWriter;
  readonly #histograms = new HistogramWriter('1.0');
  readonly #compressor = new SnappyCompressor();
  readonly #model = new ModelSample();
  #samples = 0;
  #exemplars = 0;
  #histogramCount = 0;
  #metadata = 0;

  /** @param initialBytes room for the uncompressed request; it doubles as needed and is kept by `reset`. */
  constructor(initialBytes = 65_536) {
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

  get metadataCount(): number {
    return this.#metadata;
  }

  /** Size of the request before compression. */
  get sizeBytes(): number {
    return this.#out.at;
  }

  /**
   * One series with one sample. Any NaN becomes 0x7ff8000000000001: use `addStale` to end a series.
   * @param timestampMs milliseconds since the Unix epoch, a safe integer, negative before it.
   * @throws RangeError for another timestamp; the request stays as it was.
   */
  addSample(labels: SeriesLabels, value: number, timestampMs: number): void {
    this.#putSample(labels, value, false, timestampMs, 0);
  }

  /** One series with one stale marker, exactly 0x7ff0000000000002. Throws as `addSample` does. */
  addStale(labels: SeriesLabels, timestampMs: number): void {
    this.#putSample(labels, 0, true, timestampMs, 0);
  }

  /** One series with one sample and exemplars of its own. Throws as `addSample` does, for each timestamp. */
  addSampleWithExemplars(
    labels: SeriesLabels,
    value: number,
    timestampMs: number,
    exemplars: readonly EncodedExemplar[],
  ): void {
    this.#putSample(labels, value, false, timestampMs, checkedExemplars(exemplars));
    for (let i = 0; i < exemplars.length; i++) this.#putExemplar(exemplars[i]!);
  }

  /**
   * One series with one native histogram, and exemplars of its own.
   * @param histogram one that `checkHistogram` takes: it isn't checked again.
   * @throws HistogramError `bad_schema` for custom buckets, which 1.0 can't carry, and RangeError as `addSample` does.
   */
  addHistogram(
    labels: SeriesLabels,
    histogram: NativeHistogram,
    timestampMs: number,
    exemplars: readonly EncodedExemplar[] = [],
  ): void {
    checkTimestamp(timestampMs);
    const exemplarBytes = checkedExemplars(exemplars);
    this.#putHistogram(labels, this.#histograms.encode(histogram, timestampMs, 0), exemplarBytes);
    for (let i = 0; i < exemplars.length; i++) this.#putExemplar(exemplars[i]!);
  }

  /** The marker that ends a series of native histograms: one whose sum is the stale NaN. Throws as `addSample` does. */
  addStaleHistogram(labels: SeriesLabels, timestampMs: number): void {
    checkTimestamp(timestampMs);
    this.#putHistogram(labels, this.#histograms.encodeStale(timestampMs), 0);
  }

  /** Metadata of one metric family. Outside the 1.0 text, but Prometheus sends and takes them, in requests of their own. */
  addMetadata(metadata: SeriesMetadata): void {
    const family = Buffer.from(metadata.family);
    const help = metadata.help.bytes;
    const unit = metadata.unit.bytes;
    const bodyBytes = 2 + stringSize(family) + stringSize(help) + stringSize(unit);
    const out = this.#out;
    out.reserve(MAX_SERIES_HEADER_BYTES + bodyBytes);
    out.byte(TAG_METADATA);
    out.varint32(bodyBytes);
    out.byte(TAG_METADATA_TYPE);
    out.byte(metadata.type);
    this.#putString(TAG_METADATA_FAMILY, family);
    this.#putString(TAG_METADATA_HELP, help);
    this.#putString(TAG_METADATA_UNIT, unit);
    this.#metadata++;
  }

  /** The uncompressed request. A view: valid until the next call that adds or resets. */
  uncompressed(): Uint8Array {
    return this.#out.buffer.subarray(0, this.#out.at);
  }

  /** The request's body, snappy-compressed, in memory of its own. The builder stays as it is: reset it for the next batch. */
  finish(): Uint8Array {
    return this.#compressor.compress(this.uncompressed());
  }

  /** Empties the request and keeps its room. */
  reset(): void {
    this.#out.at = 0;
    this.#model.reset();
    this.#samples = 0;
    this.#exemplars = 0;
    this.#histogramCount = 0;
    this.#metadata = 0;
  }

  #putHistogram(labels: SeriesLabels, histogram: Uint8Array, exemplarBytes: number): void {
    const out = this.#out;
    this.#openSeries(labels, stringSize(histogram) + exemplarBytes);
    out.byte(TAG_HISTOGRAMS);
    out.varint32(histogram.length);
    out.bytes(histogram);
    this.#histogramCount++;
  }

  #putString(tag: number, text: Uint8Array): void {
    this.#out.byte(tag);
    this.#out.varint32(text.length);
    this.#out.bytes(text);
  }

  #putSample(labels: SeriesLabels, value: number, isStale: boolean, timestampMs: number, exemplarBytes: number): void {
    const out = this.#out;
    const model = this.#model;
    if (model.hasTimes(timestampMs, 0) && exemplarBytes === 0 && !isStale) {
      this.#openSeries(labels, model.bytes);
      model.copy(out, value);
    } else {
      checkTimestamp(timestampMs); // whatever can throw comes before the first byte
      const bytes = sampleFieldSize(timestampMs, 0);
      this.#openSeries(labels, bytes + exemplarBytes);
      putSample(out, value, isStale, timestampMs, 0);
      model.set(out, bytes, timestampMs, 0, undefined);
    }
    this.#samples++;
  }

  /** Writes the labels, and reserves room for what follows them. */
  #openSeries(labels: SeriesLabels, restBytes: number): void {
    if (labels instanceof Uint8Array) {
      this.#openMessage(labels.length + restBytes);
      this.#out.bytes(labels);
    } else {
      const { latin1 } = prepared(labels);
      this.#openMessage(latin1.length + restBytes);
      this.#out.latin1(latin1);
    }
  }

  #openMessage(seriesBytes: number): void {
    const out = this.#out;
    out.reserve(MAX_SERIES_HEADER_BYTES + seriesBytes + COPY_SLACK_BYTES);
    out.byte(TAG_TIMESERIES);
    out.varint32(seriesBytes);
  }

  #putExemplar(exemplar: EncodedExemplar): void {
    const out = this.#out;
    out.byte(TAG_EXEMPLARS);
    out.varint32(exemplarSize(exemplar));
    out.bytes(exemplar.labels);
    putExemplarPoint(out, exemplar.value, exemplar.timestampMs);
    this.#exemplars++;
  }
}

function exemplarSize(exemplar: EncodedExemplar): number {
  return exemplar.labels.length + exemplarPointSize(exemplar.timestampMs);
}

// The bytes of the exemplars' fields, once all their timestamps are known to be good.
function checkedExemplars(exemplars: readonly EncodedExemplar[]): number {
  let bytes = 0;
  for (let i = 0; i < exemplars.length; i++) {
    const exemplar = exemplars[i]!;
    checkTimestamp(exemplar.timestampMs);
    const bodyBytes = exemplarSize(exemplar);
    bytes += 1 + varint32Size(bodyBytes) + bodyBytes;
  }
  return bytes;
}

/** Tag, length and bytes of a field. */
function stringSize(text: Uint8Array): number {
  return 1 + varint32Size(text.length) + text.length;
}
