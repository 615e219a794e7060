// Walks the fields of a protobuf message (protobuf encoding guide). Whatever is wrong becomes a RecordDecodeError with its byte
// position; a field that the schema does not have is skipped, a field that it has in another wire type is refused.

import { utf8Text } from '../../bytes/index.ts';
import * as wire from '../wire.ts';
import { RecordDecodeError, type RecordEncoding, type RecordFault } from './errors.ts';

export class ProtoCursor {
  readonly bytes: Uint8Array;
  readonly #encoding: RecordEncoding;
  #pos = 0;
  #end: number;
  #tagPos = 0;
  /** Field number and wire type of the field that `next` has come to. */
  tag = 0;

  constructor(encoding: RecordEncoding, bytes: Uint8Array) {
    this.#encoding = encoding;
    this.bytes = bytes;
    this.#end = bytes.length;
  }

  /** Goes to the next field before `end`. The caller reads it, or skips it, before it asks again. */
  next(end: number): boolean {
    this.#end = end;
    if (this.#pos >= end) return false;
    this.#tagPos = this.#pos;
    this.tag = this.#guard(() => wire.tagAt(this.bytes, this.#pos, end));
    return true;
  }

  /** Of a length-delimited field: where it ends. The position is at its first byte. */
  open(): number {
    const size = this.#guard(() => wire.length(this.bytes, this.#pos, this.#end));
    return this.#pos + size;
  }

  /** A view, not a copy. */
  content(): Uint8Array {
    const end = this.open();
    const content = this.bytes.subarray(this.#pos, end);
    this.#pos = end;
    return content;
  }

  /** Bytes that are not UTF-8 become U+FFFD. */
  text(): string {
    return utf8Text(this.content());
  }

  /** Of `sizes` bytes, or of none: then it is absent. Shorter ones get zeros in front, up to `size`. */
  id(size: number, ...shorter: number[]): Uint8Array {
    const content = this.content();
    if (content.length !== 0 && content.length !== size && !shorter.includes(content.length)) {
      this.fail('id', `an id of ${content.length} bytes, not ${[...shorter, size].join(' or ')}`);
    }
    const id = new Uint8Array(size);
    id.set(content, size - content.length);
    return id;
  }

  /** All 64 bits of a varint, unsigned. */
  uint64(): bigint {
    const from = this.#pos;
    const nearly = this.#guard(() => wire.varint(this.bytes, from, this.#end));
    if (nearly <= Number.MAX_SAFE_INTEGER) return BigInt(nearly);
    let value = 0n;
    for (let i = this.#pos - 1; i >= from; i--) value = (value << 7n) | BigInt(this.bytes[i]! & 127);
    return BigInt.asUintN(64, value);
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** An int32, a bool or an enum. */
  int32(): number {
    return this.#guard(() => wire.varint32(this.bytes, this.#pos, this.#end));
  }

  fixed64(): bigint {
    return this.#eight().getBigUint64(0, true);
  }

  double(): number {
    return this.#eight().getFloat64(0, true);
  }

  /** Skips a field of a message whose own fields have the numbers 1 to `known`. */
  skip(known: number): void {
    const number = Math.floor(this.tag / 8);
    if (number <= known) this.fail('wire_type', `field ${number} of wire type ${this.tag % 8}`);
    this.#guard(() => wire.skip(this.bytes, this.tag, this.#pos, this.#end), true);
  }

  /** Blames the field that `next` has come to. */
  fail(reason: RecordFault, what: string): never {
    throw new RecordDecodeError(this.#encoding, reason, `byte ${this.#tagPos}`, what);
  }

  #eight(): DataView {
    if (this.#end - this.#pos < 8) this.fail('truncated', 'fixed64 cut off');
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.#pos, 8);
    this.#pos += 8;
    return view;
  }

  /** `wire` leaves the position after what it read in `at`, or returns it (`isPosition`). */
  #guard(read: () => number, isPosition = false): number {
    try {
      const value = read();
      this.#pos = isPosition ? value : wire.at;
      return value;
    } catch (error) {
      if (!(error instanceof wire.DecodeError)) throw error;
      const what = error.message.replace(/ at byte \d+$/, '');
      throw new RecordDecodeError(this.#encoding, error.reason, `byte ${error.position}`, what, { cause: error });
    }
  }
}
