// Compresses a request so that its values and its timestamp can be changed in the compressed bytes. Whatever changes lies in a
// literal and must never be what a copy refers to, but for timestamps: each is a copy of the one before, so that one write
// changes them all. It searches harder than the ordinary compressor, for it runs once per batch. See FORMAT.md.

import { matchLength, maxCompressedLength, putCopy, putLiteral, putPreamble } from '../snappy/index.ts';

const VALUE_BYTES = 8;
const MAX_OFFSET = 0xffff;
const MIN_MATCH = 4;
const HASH_FACTOR = 0x1e35a7bd;
const MAX_TABLE_BITS = 14;
/** Places remembered for the same four bytes: what a series shares with another one often lies further back than the last place. */
const WAYS = 4;
/** Of what a copy covers, only every so many bytes can be found again: matches grow backwards as well, so they lose little. */
const STEP_BYTES = 8;
/** A match of this length is taken without a look at others. */
const LONG_MATCH = 48;

export interface PatchableStream {
  bytes: Uint8Array;
  /** Where each value stands in `bytes`, in the order of the series. */
  valueAt: Uint32Array;
  /** Where the timestamp stands: once, and once more after each series of more than 64 KiB. */
  timestampAt: Uint32Array;
}

/**
 * @param src a request in which a timestamp of `timestampBytes` follows each value, with a tag of one byte between them.
 * @param values where the values stand in `src`, ascending.
 */
export function compressAround(src: Uint8Array, values: Uint32Array, timestampBytes: number): PatchableStream {
  return new AroundCompressor(src, values, timestampBytes).run();
}

/**
 * One run. A segment is what lies between two values: a head that holds the timestamp of the sample before (not in the first
 * segment), and then bytes that never change, up to the next value. Only these are searched for matches and found as ones.
 */
class AroundCompressor {
  readonly #src: Uint8Array;
  readonly #view: DataView;
  readonly #values: Uint32Array;
  readonly #headBytes: number;
  readonly #dst: Uint8Array;
  readonly #shift: number;
  /** By hash, `WAYS` of them, the latest first: a place (-1 for none), and the segment that it lies in. */
  readonly #places: Int32Array;
  readonly #segments: Int32Array;
  readonly #valueAt: Uint32Array;
  /** In `src`, of timestamps that aren't copies. */
  readonly #timestamps: number[] = [];
  readonly #timestampAt: number[] = [];
  #at: number;
  /** Everything before it is written. */
  #pending = 0;
  #valuesWritten = 0;
  // The match that was found last.
  #from = 0;
  #fromSegment = 0;
  #length = 0;

  constructor(src: Uint8Array, values: Uint32Array, timestampBytes: number) {
    this.#src = src;
    this.#view = new DataView(src.buffer, src.byteOffset, src.byteLength);
    this.#values = values;
    this.#headBytes = 1 + timestampBytes;
    // Copies of short timestamps may be longer than what they stand for.
    this.#dst = new Uint8Array(maxCompressedLength(src.length) + 4 * values.length);
    const bits = Math.min(MAX_TABLE_BITS, Math.max(8, 30 - Math.clz32(src.length)));
    this.#shift = 32 - bits;
    this.#places = new Int32Array(WAYS << bits).fill(-1);
    this.#segments = new Int32Array(WAYS << bits);
    this.#valueAt = new Uint32Array(values.length);
    this.#at = putPreamble(this.#dst, src.length);
  }

  run(): PatchableStream {
    for (let segment = 0; segment <= this.#values.length; segment++) this.#compress(segment);
    this.#putLiteral(this.#src.length);
    return {
      bytes: this.#dst.slice(0, this.#at),
      valueAt: this.#valueAt,
      timestampAt: Uint32Array.from(this.#timestampAt),
    };
  }

  #compress(segment: number): void {
    const end = this.#endOf(segment);
    let here = segment === 0 ? 0 : this.#putHead(segment, end);
    while (here + MIN_MATCH <= end) {
      const isFound = this.#find(here, end);
      this.#remember(here, segment);
      if (isFound) {
        const next = here + this.#length;
        const back = this.#sameBefore(here, segment);
        this.#putLiteral(here - back);
        this.#putCopy(here - this.#from, back + this.#length);
        this.#rememberSome(here + STEP_BYTES, next, segment, end);
        here = next;
      } else here++;
    }
  }

  /** The head as a copy of the one before, and what goes on the same after it. @returns where the search begins. */
  #putHead(segment: number, end: number): number {
    const start = this.#values[segment - 1]! + VALUE_BYTES;
    const stable = start + this.#headBytes;
    const before = segment === 1 ? 0 : this.#values[segment - 2]! + VALUE_BYTES;
    if (segment === 1 || start - before > MAX_OFFSET) {
      this.#timestamps.push(start + 1);
      return stable;
    }
    const room = Math.min(end, start + this.#endOf(segment - 1) - before);
    const length = matchLength(this.#src, this.#view, before, start, room);
    this.#putLiteral(start);
    this.#putCopy(start - before, length);
    this.#rememberSome(stable, start + length, segment, end);
    return start + length;
  }

  /** Looks for the match that saves most. */
  #find(here: number, end: number): boolean {
    const src = this.#src;
    const view = this.#view;
    const word = view.getInt32(here, true);
    const first = (Math.imul(word, HASH_FACTOR) >>> this.#shift) * WAYS;
    let mostSaved = 0;
    for (let i = first; i < first + WAYS; i++) {
      const place = this.#places[i]!;
      if (place < 0 || here - place > MAX_OFFSET) break; // those after it are older still
      if (view.getInt32(place, true) !== word) continue;
      const limit = Math.min(end, here + this.#endOf(this.#segments[i]!) - place);
      const length = matchLength(src, view, place, here, limit);
      const saved = length - (length < 12 && here - place < 2048 ? 2 : 3);
      if (saved <= mostSaved) continue;
      mostSaved = saved;
      this.#from = place;
      this.#length = length;
      this.#fromSegment = this.#segments[i]!;
      if (length >= LONG_MATCH) break;
    }
    return mostSaved > 0;
  }

  /** How far the match that was found goes on backwards, over what isn't written yet. */
  #sameBefore(here: number, segment: number): number {
    const src = this.#src;
    const from = this.#from;
    const most = Math.min(
      here - Math.max(this.#pending, this.#stableFrom(segment)),
      from - this.#stableFrom(this.#fromSegment),
    );
    let back = 0;
    while (back < most && src[here - back - 1] === src[from - back - 1]) back++;
    return back;
  }

  #rememberSome(from: number, to: number, segment: number, end: number): void {
    const last = Math.min(to - 1, end - MIN_MATCH);
    for (let place = from; place <= last; place += STEP_BYTES) this.#remember(place, segment);
  }

  #remember(place: number, segment: number): void {
    const places = this.#places;
    const segments = this.#segments;
    const first = (Math.imul(this.#view.getInt32(place, true), HASH_FACTOR) >>> this.#shift) * WAYS;
    for (let i = first + WAYS - 1; i > first; i--) {
      places[i] = places[i - 1]!;
      segments[i] = segments[i - 1]!;
    }
    places[first] = place;
    segments[first] = segment;
  }

  #stableFrom(segment: number): number {
    return segment === 0 ? 0 : this.#values[segment - 1]! + VALUE_BYTES + this.#headBytes;
  }

  #endOf(segment: number): number {
    return segment === this.#values.length ? this.#src.length : this.#values[segment]!;
  }

  /** What is pending, up to `to`; notes where values and timestamps in it come to stand. */
  #putLiteral(to: number): void {
    const from = this.#pending;
    if (from === to) return;
    this.#at = putLiteral(this.#src, from, to, this.#dst, this.#at);
    const moved = this.#at - to;
    while (this.#values[this.#valuesWritten]! < to) {
      this.#valueAt[this.#valuesWritten] = this.#values[this.#valuesWritten]! + moved;
      this.#valuesWritten++;
    }
    while (this.#timestamps[this.#timestampAt.length]! < to) {
      this.#timestampAt.push(this.#timestamps[this.#timestampAt.length]! + moved);
    }
    this.#pending = to;
  }

  #putCopy(offset: number, length: number): void {
    this.#at = putCopy(this.#dst, this.#at, offset, length);
    this.#pending += length;
  }
}
