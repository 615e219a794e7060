// A growing protobuf buffer. Room is taken once per series with `reserve`; the writes after it check nothing. Nothing here
// allocates but `reserve`, and it never touches what was written before.
// Source: Protocol Buffers, "Encoding".

const TWO_32 = 2 ** 32;
/** The ordinary NaN, 0x7ff8000000000001, as two words. */
export const NAN_LOW = 0x0000_0001;
export const NAN_HIGH = 0x7ff8_0000;
// The one NaN that ends a series, 0x7ff0000000000002 (Remote-Write 1.0, "Stale Markers"). It exists here only as two words:
// as a JavaScript number it may lose its bits on the way (0x7ff8000000000002 is no stale marker).
const STALE_LOW = 0x0000_0002;
const STALE_HIGH = 0x7ff0_0000;

// Node's buffers have it, its types have not: `write` with the name of the encoding, in two thirds of the time.
interface Latin1Writer {
  latin1Write(text: string, at: number, bytes: number): number;
}

export class WireWriter {
  buffer: Uint8Array;
  /** The same memory. */
  view: DataView;
  #characters: Latin1Writer;
  /** Bytes written. */
  at = 0;
  /** The timestamp written last, if it takes six bytes, and these as two words. */
  #lastMs = Number.NaN;
  #lastLow = 0;
  #lastHigh = 0;

  constructor(initialBytes: number) {
    this.buffer = new Uint8Array(initialBytes);
    this.view = new DataView(this.buffer.buffer);
    this.#characters = charactersOf(this.buffer);
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const needed = this.at + bytes;
    if (needed > this.buffer.length) this.#grow(needed);
  }

  byte(value: number): void {
    this.buffer[this.at++] = value;
  }

  /** A non-negative integer below 2^31. */
  varint32(value: number): void {
    const { buffer } = this;
    let at = this.at;
    let rest = value;
    for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80;
    buffer[at++] = rest;
    this.at = at;
  }

  /** A safe integer as int64: a negative one takes ten bytes, as two's complement. */
  int64(value: number): void {
    const { buffer } = this;
    let at = this.at;
    let low = value >>> 0;
    let high = Math.floor(value / TWO_32) >>> 0;
    while (high !== 0) {
      buffer[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    for (; low >= 0x80; low >>>= 7) buffer[at++] = (low & 0x7f) | 0x80;
    buffer[at++] = low;
    this.at = at;
  }

  /** As `int64`. Most timestamps of a request are the same, so the last one's bytes are remembered. */
  timestamp(ms: number): void {
    if (ms !== this.#lastMs && !this.#remember(ms)) {
      this.int64(ms);
      return;
    }
    this.view.setInt32(this.at, this.#lastLow, true);
    this.view.setInt16(this.at + 4, this.#lastHigh, true);
    this.at += 6;
  }

  /** A safe integer as sint64 (zigzag): small numbers of either sign are short. */
  sint64(value: number): void {
    // Beyond 2^52 twice the number is no safe integer any more.
    if (value < -(2 ** 52) || value >= 2 ** 52)
      this.#bigVarint(BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n)));
    else this.int64(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Every NaN becomes the ordinary one, 0x7ff8000000000001: only `stale` may end a series. */
  double(value: number): void {
    this.#setDouble(this.at, value);
    this.at += 8;
  }

  stale(): void {
    this.#setWords(this.at, STALE_LOW, STALE_HIGH);
    this.at += 8;
  }

  /** What stands from `from` on once more, but for the double at `doubleAt` of it. It needs room for three bytes more. */
  repeat(from: number, bytes: number, doubleAt: number, value: number): void {
    const { at, view } = this;
    for (let i = 0; i < bytes; i += 4) view.setInt32(at + i, view.getInt32(from + i, true), true);
    this.#setDouble(at + doubleAt, value);
    this.at = at + bytes;
  }

  bytes(source: Uint8Array): void {
    this.buffer.set(source, this.at);
    this.at += source.length;
  }

  /** A text of which each character is a byte. */
  latin1(text: string): void {
    this.#characters.latin1Write(text, this.at, text.length);
    this.at += text.length;
  }

  /**
   * Begins a message whose length isn't known yet, as if it would take one byte.
   * @returns what `close` wants to know.
   */
  open(tag: number): number {
    this.buffer[this.at] = tag;
    this.at += 2;
    return this.at;
  }

  /** Ends the message that `open` began. A longer one is moved, for which it makes room itself. */
  close(start: number): void {
    const length = this.at - start;
    if (length < 0x80) this.buffer[start - 1] = length;
    else this.#widen(start, length);
  }

  /** The first bytes of `source`. */
  append(source: Uint8Array, bytes: number): void {
    // Below this length a loop beats `set` and the view that it may need (bench/encode.ts).
    if (bytes > 64) {
      this.bytes(bytes === source.length ? source : source.subarray(0, bytes));
      return;
    }
    const { buffer } = this;
    let at = this.at;
    for (let i = 0; i < bytes; i++) buffer[at++] = source[i]!;
    this.at = at;
  }

  // Of the years 1971 to 2109: six bytes as a varint.
  #remember(ms: number): boolean {
    if (!(ms >= 2 ** 35 && ms < 2 ** 42)) return false;
    const low = ms % 2 ** 28;
    const high = (ms - low) / 2 ** 28;
    this.#lastMs = ms;
    this.#lastLow =
      (low & 0x7f) | ((low & 0x3f80) << 1) | ((low & 0x1f_c000) << 2) | ((low >>> 21) << 24) | 0x8080_8080;
    this.#lastHigh = (high & 0x7f) | ((high & 0x3f80) << 1) | 0x80;
    return true;
  }

  #widen(start: number, length: number): void {
    const more = varint32Size(length) - 1;
    this.reserve(more);
    this.buffer.copyWithin(start + more, start, this.at);
    this.at = start - 1;
    this.varint32(length);
    this.at += length;
  }

  #bigVarint(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
    this.byte(Number(rest));
  }

  #setDouble(at: number, value: number): void {
    // biome-ignore lint/suspicious/noSelfCompare: the cheapest test for NaN, once per sample
    if (value === value) this.view.setFloat64(at, value, true);
    else this.#setWords(at, NAN_LOW, NAN_HIGH);
  }

  #setWords(at: number, low: number, high: number): void {
    this.view.setUint32(at, low, true);
    this.view.setUint32(at + 4, high, true);
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, needed));
    grown.set(this.buffer.subarray(0, this.at));
    this.buffer = grown;
    this.view = new DataView(grown.buffer);
    this.#characters = charactersOf(grown);
  }
}

function charactersOf({ buffer }: Uint8Array): Latin1Writer {
  return Buffer.from(buffer) as unknown as Latin1Writer;
}

export function varint32Size(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

export function int64Size(value: number): number {
  // First of all the milliseconds of the years 1971 to 2109.
  if (value >= 2 ** 35 && value < 2 ** 42) return 6;
  if (value < 0) return 10;
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}
