// Series that are sent again and again, as one request that is compressed once: a push writes the new values and the new
// timestamp into the compressed bytes. What it gives must always say what the ordinary builders would say. See FORMAT.md.

import type { Series } from '../labels/index.ts';
import { decodePoints } from '../points/index.ts';
import {
  checkStart,
  checkTimestamp,
  int64Size,
  NAN_HIGH,
  NAN_LOW,
  type Protocol,
  WireWriter,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../wire/index.ts';
import { latestStart, refuseDuplicates } from './check.ts';
import { compressAround, type PatchableStream } from './compress.ts';
import { BatchError } from './errors.ts';
import { valuePlaces } from './values.ts';

export interface StableBatchOptions {
  protocol: Protocol;
  /** When counting began, ms since the Unix epoch, one for each series; 0: not known. Only 2.0 carries it. */
  startMs?: ArrayLike<number>;
}

/** From `createStableBatch`. It holds no series, only bytes: some thirty of them a series, labels included. */
export interface StableBatch {
  readonly protocol: Protocol;
  /** How many series. */
  readonly size: number;
  /** Of these, how many have metadata that go with each body: on 1.0 none. */
  readonly metadataCount: number;
  /** Of the compressed body. */
  readonly sizeBytes: number;
  /**
   * The compressed body of a request that has this value for each series, all at the same time.
   * @param values in the order of the series. Any NaN becomes the ordinary one: a series is ended by a builder's `addStale`. They
   * are read before the call returns, and not kept.
   * @param timestampMs milliseconds since the Unix epoch, a safe integer, negative before it. One whose varint is longer or shorter
   * than that of the push before (outside the years 1971 to 2109) costs as much as making the batch anew.
   * @returns the batch's own memory: read it, don't write it. It stays as it is until the next `push` of this batch, so
   * who sends it must have the final answer before then, or send a copy.
   * @throws BatchError `bad_values`; RangeError for another timestamp, or one before a series' start. The body that was returned
   * last stays as it is.
   */
  push(values: Float64Array, timestampMs: number): Uint8Array;
  /** The series, decoded from the bytes: costs about as much as making them did. On 1.0 they have no metadata. */
  decode(): { series: Series[]; startMs: Float64Array };
}

/** A timestamp that takes six bytes, as all of the years 1971 to 2109 do. */
const USUAL_MS = 2 ** 40;
/** Of a 1.0 series, as most are; the builder takes more where they are larger. */
const SERIES_ROOM_BYTES = 512;

/**
 * @param series are read, and not kept.
 * @throws BatchError `no_series`, `duplicate_series`, `bad_starts`; RangeError for a start that is no safe integer.
 */
export function createStableBatch(series: readonly Series[], options: StableBatchOptions): StableBatch {
  const { protocol, startMs } = options;
  if (series.length === 0) throw new BatchError('no_series', 'a batch of no series');
  if (startMs !== undefined && startMs.length !== series.length) {
    throw new BatchError('bad_starts', `${startMs.length} starts for ${series.length} series`);
  }
  refuseDuplicates(series);
  return new PatchableBatch(series, protocol, startMs ?? new Float64Array(series.length));
}

class PatchableBatch implements StableBatch {
  readonly protocol: Protocol;
  readonly size: number;
  readonly metadataCount: number;
  /** No sample may be older than that. */
  readonly #latestStartMs: number;
  readonly #varint = new WireWriter(10);
  #stream: PatchableStream;
  #view: DataView;
  #timestampMs: number;

  constructor(series: readonly Series[], protocol: Protocol, startMs: ArrayLike<number>) {
    this.protocol = protocol;
    this.size = series.length;
    this.metadataCount = protocol === '1.0' ? 0 : series.filter(({ metadata }) => metadata !== undefined).length;
    this.#latestStartMs = protocol === '2.0' ? latestStart(startMs) : Number.NEGATIVE_INFINITY;
    this.#timestampMs = Math.max(USUAL_MS, this.#latestStartMs);
    this.#stream = build(series, protocol, startMs, this.#timestampMs);
    this.#view = viewOf(this.#stream);
  }

  get sizeBytes(): number {
    return this.#stream.bytes.length;
  }

  push(values: Float64Array, timestampMs: number): Uint8Array {
    if (values.length !== this.size) {
      throw new BatchError('bad_values', `${values.length} values for ${this.size} series`);
    }
    checkTimestamp(timestampMs);
    if (timestampMs < this.#latestStartMs) checkStart(this.#latestStartMs, timestampMs);
    if (timestampMs !== this.#timestampMs) this.#setTimestamp(timestampMs);
    patchValues(this.#view, this.#stream.valueAt, values);
    return this.#stream.bytes;
  }

  decode(): { series: Series[]; startMs: Float64Array } {
    const points = decodePoints(this.protocol, this.#stream.bytes);
    return {
      series: points.map(({ series }) => series),
      startMs: Float64Array.from(points, (point) => (point.kind === 'sample' ? (point.startMs ?? 0) : 0)),
    };
  }

  #setTimestamp(timestampMs: number): void {
    if (int64Size(timestampMs) !== int64Size(this.#timestampMs)) {
      const { series, startMs } = this.decode();
      this.#stream = build(series, this.protocol, startMs, timestampMs);
      this.#view = viewOf(this.#stream);
    } else {
      const varint = this.#varint;
      varint.at = 0;
      varint.int64(timestampMs);
      const { bytes, timestampAt } = this.#stream;
      for (const place of timestampAt) bytes.set(varint.buffer.subarray(0, varint.at), place);
    }
    this.#timestampMs = timestampMs;
  }
}

function build(
  series: readonly Series[],
  protocol: Protocol,
  startMs: ArrayLike<number>,
  timestampMs: number,
): PatchableStream {
  const request = template(series, protocol, startMs, timestampMs);
  return compressAround(request, valuePlaces(request, protocol, series.length), int64Size(timestampMs));
}

/** The request with zeros for values. */
function template(
  series: readonly Series[],
  protocol: Protocol,
  startMs: ArrayLike<number>,
  timestampMs: number,
): Uint8Array {
  if (protocol === '1.0') {
    const builder = new WriteRequestBuilder(series.length * SERIES_ROOM_BYTES);
    for (const one of series) builder.addSample(one, 0, timestampMs);
    return builder.uncompressed();
  }
  const builder = new WriteRequestV2Builder();
  for (let i = 0; i < series.length; i++) builder.addSample(series[i]!, 0, timestampMs, { startMs: startMs[i]! });
  return builder.uncompressed();
}

function viewOf({ bytes }: PatchableStream): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// The whole cost of a push: bench/encode.ts.
function patchValues(view: DataView, places: Uint32Array, values: Float64Array): void {
  for (let i = 0; i < places.length; i++) {
    const value = values[i]!;
    const place = places[i]!;
    // biome-ignore lint/suspicious/noSelfCompare: the cheapest test for NaN, once per sample
    if (value === value) view.setFloat64(place, value, true);
    else {
      view.setUint32(place, NAN_LOW, true);
      view.setUint32(place + 4, NAN_HIGH, true);
    }
  }
}
