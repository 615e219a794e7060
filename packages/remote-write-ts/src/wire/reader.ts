// A bounds-checked cursor over protobuf bytes. It must never read past its end, whatever the bytes say.
// Source: Protocol Buffers, "Encoding".

import { WireError } from './errors.ts';

const TWO_32 = 2 ** 32;
const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next tag (field number and wire type as one number), or 0 at the end. */
  tag(): number {
    if (this.#at === this.#bytes.length) return 0;
    const tag = this.#unsigned();
    if (tag < 8 || tag >= TWO_32) throw new WireError('bad_tag', `tag ${tag}`);
    return tag;
  }

  /** An int64 as the nearest number: exact within the safe integers. */
  int64(): number {
    const [low, high] = this.#varint();
    return (high | 0) * TWO_32 + low;
  }

  /** A sint64 (zigzag) as the nearest number. */
  sint64(): number {
    const [low, high] = this.#varint();
    const half = high * 2 ** 31 + (low >>> 1);
    return (low & 1) === 0 ? half : -half - 1;
  }

  /** A uint32 or a uint64 as the nearest number. */
  unsigned(): number {
    return this.#unsigned();
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  double(): { value: number; bits: bigint } {
    const at = this.#take(8);
    return { value: this.#view.getFloat64(at, true), bits: this.#view.getBigUint64(at, true) };
  }

  message(): WireReader {
    return new WireReader(this.#delimited());
  }

  string(): string {
    try {
      return utf8.decode(this.#delimited());
    } catch (error) {
      if (error instanceof WireError) throw error;
      throw new WireError('bad_utf8', 'a string is not UTF-8');
    }
  }

  /** Skips the field that `tag` begins: unknown fields are legal. */
  skip(tag: number): void {
    const wireType = tag & 7;
    if (wireType === WIRE_VARINT) this.#varint();
    else if (wireType === WIRE_FIXED64) this.#take(8);
    else if (wireType === WIRE_BYTES) this.#delimited();
    else if (wireType === WIRE_FIXED32) this.#take(4);
    else throw new WireError('bad_tag', `wire type ${wireType}`);
  }

  #delimited(): Uint8Array {
    const length = this.#unsigned();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  #take(bytes: number): number {
    if (bytes > this.#bytes.length - this.#at) throw new WireError('truncated', 'a field goes past the end');
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  #unsigned(): number {
    const [low, high] = this.#varint();
    return high * TWO_32 + low;
  }

  #varint(): [low: number, high: number] {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#take(1)]!;
      const bits = byte & 0x7f;
      // Four groups of seven bits lie in the low word, the fifth straddles both, the rest lie in the high word.
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 0x80) return [low >>> 0, high >>> 0];
    }
    throw new WireError('bad_varint', 'a varint longer than ten bytes');
  }
}
