// Reading protobuf in place (protobuf encoding guide). Functions return the value and leave the position after it in `at`,
// so that the hot path needs neither an object nor a closure. Must never read past the end it was given.

/** Position after the last thing that was read. */
export let at = 0;

export type DecodeReason = 'truncated' | 'wire_type' | 'varint' | 'tag' | 'depth';

/** Bytes that are no valid message. `position` is a byte offset into the message. */
export class DecodeError extends Error {
  readonly reason: DecodeReason;
  readonly position: number;
  private readonly what: string;
  constructor(reason: DecodeReason, what: string, position: number) {
    super(`${what} at byte ${position}`);
    this.name = 'DecodeError';
    this.reason = reason;
    this.position = position;
    this.what = what;
  }

  /** The same error in a message that begins `bytes` earlier. */
  movedBy(bytes: number): DecodeError {
    return new DecodeError(this.reason, this.what, this.position + bytes);
  }
}

export function fail(reason: DecodeReason, what: string, position: number): never {
  throw new DecodeError(reason, what, position);
}

/** A varint up to 2^53 exactly; above, the nearest double (lengths and tags never get there unharmed: they are range-checked). */
export function varint(buf: Uint8Array, pos: number, end: number): number {
  if (pos < end) {
    const b = buf[pos]!;
    if (b < 128) {
      at = pos + 1;
      return b;
    }
  }
  return longVarint(buf, pos, end);
}

// Apart, so that the one-byte case above is small enough to be inlined at every call (bench/micro/decode.ts).
function longVarint(buf: Uint8Array, pos: number, end: number): number {
  let value = 0;
  let factor = 1;
  for (let i = 0; i < 10; i++) {
    if (pos >= end) fail('truncated', 'varint cut off', pos);
    const b = buf[pos++]!;
    value += (b & 127) * factor;
    if (b < 128) {
      at = pos;
      return value;
    }
    factor *= 128;
  }
  return fail('varint', 'varint longer than 10 bytes', pos);
}

/** The low 32 bits of a varint as a signed number: what an int32 or enum field holds. */
export function varint32(buf: Uint8Array, pos: number, end: number): number {
  let low = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (pos >= end) fail('truncated', 'varint cut off', pos);
    const b = buf[pos++]!;
    if (shift < 32) low |= (b & 127) << shift;
    if (b < 128) {
      at = pos;
      return low;
    }
  }
  return fail('varint', 'varint longer than 10 bytes', pos);
}

/** A length prefix; `at` is the first byte, and the whole body is inside `end`. */
export function length(buf: Uint8Array, pos: number, end: number): number {
  if (pos + 1 < end) {
    const low = buf[pos]!;
    const high = buf[pos + 1]!;
    // One byte or two: all but bodies of 16 KiB and more.
    if (low < 128 || high < 128) {
      const n = low < 128 ? low : (low & 127) | (high << 7);
      at = low < 128 ? pos + 1 : pos + 2;
      if (n <= end - at) return n;
    }
  }
  return longLength(buf, pos, end);
}

function longLength(buf: Uint8Array, pos: number, end: number): number {
  const n = varint(buf, pos, end);
  if (n > end - at) fail('truncated', `field of ${n} bytes cut off`, pos);
  return n;
}

/** A field's tag. Field number 0 is no field. */
export function tagAt(buf: Uint8Array, pos: number, end: number): number {
  if (pos < end) {
    const b = buf[pos]!;
    if (b < 128 && b >= 8) {
      at = pos + 1;
      return b;
    }
  }
  return longTag(buf, pos, end);
}

function longTag(buf: Uint8Array, pos: number, end: number): number {
  const tag = varint(buf, pos, end);
  if (tag < 8 || tag > 0xffffffff) fail('tag', `field number ${Math.floor(tag / 8)}`, pos);
  return tag;
}

/** Skips one field's value; returns the position after it. Groups are refused: nothing that speaks OTLP sends them. */
export function skip(buf: Uint8Array, tag: number, pos: number, end: number): number {
  switch (tag % 8) {
    case 0:
      varint(buf, pos, end);
      return at;
    case 1:
      if (end - pos < 8) fail('truncated', 'fixed64 cut off', pos);
      return pos + 8;
    case 2: {
      const n = length(buf, pos, end);
      return at + n;
    }
    case 5:
      if (end - pos < 4) fail('truncated', 'fixed32 cut off', pos);
      return pos + 4;
    default:
      return fail('wire_type', `wire type ${tag % 8}`, pos);
  }
}

/** Bytes that a varint of this value takes. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  let n = 5;
  for (let v = Math.floor(value / 0x800000000); v >= 1; v = Math.floor(v / 128)) n++;
  return n;
}

/** Size of a length-delimited field with a one-byte tag. */
export function fieldSize(bodySize: number): number {
  return 1 + varintSize(bodySize) + bodySize;
}
