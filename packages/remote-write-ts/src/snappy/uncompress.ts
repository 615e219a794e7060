// The snappy block format, uncompressing, for data from anywhere: every read and write is checked, and no memory is taken
// that the input's own size doesn't justify. It must never trust a length. See FORMAT.md.

import { SnappyError } from './errors.ts';

/**
 * @param maxBytes the largest result that is accepted.
 * @throws SnappyError
 */
export function snappyUncompress(src: Uint8Array, maxBytes: number): Uint8Array {
  const preamble = readPreamble(src);
  const lengthBytes = preamble.value;
  if (lengthBytes > maxBytes) {
    throw new SnappyError('too_large', `uncompressed ${lengthBytes} bytes, ${maxBytes} are allowed`);
  }
  // The densest element is a 3-byte copy of 64 bytes. A longer promise can't be kept: refuse it before allocating.
  if (lengthBytes > Math.ceil(((src.length - preamble.size) * 64) / 3)) {
    throw new SnappyError('bad_preamble', `${src.length} bytes can't hold ${lengthBytes}`);
  }
  const dst = new Uint8Array(lengthBytes);
  let from = preamble.size;
  let at = 0;
  while (from < src.length) {
    const tag = src[from++]!;
    if ((tag & 3) === 0) {
      const wide = (tag >>> 2) - 59; // bytes of an explicit length; none if not positive
      let length = (tag >>> 2) + 1;
      if (wide > 0) {
        length = littleEndian(src, from, wide) + 1;
        from += wide;
      }
      if (length > src.length - from) throw new SnappyError('truncated', 'a literal goes past the end of the input');
      if (length > lengthBytes - at) throw overrun();
      dst.set(src.subarray(from, from + length), at);
      from += length;
      at += length;
      continue;
    }
    let length: number;
    let offset: number;
    if ((tag & 3) === 1) {
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | littleEndian(src, from, 1);
      from += 1;
    } else {
      const wide = (tag & 3) === 2 ? 2 : 4;
      length = (tag >>> 2) + 1;
      offset = littleEndian(src, from, wide);
      from += wide;
    }
    if (offset === 0 || offset > at) throw new SnappyError('bad_offset', `a copy from ${offset} bytes back, at ${at}`);
    if (length > lengthBytes - at) throw overrun();
    // Byte by byte on purpose: a copy may read what it has just written (run-length).
    for (const end = at + length; at < end; at++) dst[at] = dst[at - offset]!;
  }
  if (at !== lengthBytes) throw new SnappyError('truncated', `${at} bytes instead of ${lengthBytes}`);
  return dst;
}

function readPreamble(src: Uint8Array): { value: number; size: number } {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = src[i];
    if (byte === undefined) throw new SnappyError('truncated', 'the input ends inside its preamble');
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if (value > 0xffff_ffff) break;
      return { value, size: i + 1 };
    }
  }
  throw new SnappyError('bad_preamble', 'the preamble is no 32-bit varint');
}

function littleEndian(src: Uint8Array, from: number, bytes: number): number {
  if (bytes > src.length - from) throw new SnappyError('truncated', 'the input ends inside an element');
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + src[from + i]!;
  return value;
}

function overrun(): SnappyError {
  return new SnappyError('overrun', 'an element writes past the promised length');
}
