// The elements of the snappy block format, as compressors write them: a preamble, literals and copies. See FORMAT.md.

/** The most bytes that compressing `bytes` bytes can give. */
export function maxCompressedLength(bytes: number): number {
  return 32 + bytes + Math.floor(bytes / 6);
}

/** How many bytes will come out, below 2^32. @returns where the next element goes. */
export function putPreamble(dst: Uint8Array, lengthBytes: number): number {
  let at = 0;
  let rest = lengthBytes;
  for (; rest >= 0x80; rest >>>= 7) dst[at++] = (rest & 0x7f) | 0x80;
  dst[at++] = rest;
  return at;
}

/** `src` from `from` to `to`, at least one byte. @returns where the next element goes. */
export function putLiteral(src: Uint8Array, from: number, to: number, dst: Uint8Array, dstStart: number): number {
  let at = dstStart;
  const length = to - from;
  const code = length - 1;
  if (code < 60) {
    dst[at++] = code << 2;
  } else if (code < 0x100) {
    dst[at++] = 60 << 2;
    dst[at++] = code;
  } else if (code < 0x1_0000) {
    dst[at++] = 61 << 2;
    dst[at++] = code & 0xff;
    dst[at++] = code >>> 8;
  } else {
    dst[at++] = 63 << 2;
    for (let shift = 0; shift < 32; shift += 8) dst[at++] = code >>> shift;
  }
  // Below this length a loop beats the view that `set` needs (bench/encode.ts).
  if (length > 48) {
    dst.set(src.subarray(from, to), at);
    return at + length;
  }
  for (let i = from; i < to; i++) dst[at++] = src[i]!;
  return at;
}

/** `length` bytes, one at least, from `offset` bytes back, below 64 KiB. @returns where the next element goes. */
export function putCopy(dst: Uint8Array, dstStart: number, offset: number, length: number): number {
  let at = dstStart;
  let rest = length;
  // A copy element holds 64 bytes at most; what is left must be 4 or more, for the short form.
  while (rest >= 68) {
    at = putCopy2(dst, at, offset, 64);
    rest -= 64;
  }
  if (rest > 64) {
    at = putCopy2(dst, at, offset, 60);
    rest -= 60;
  }
  if (rest > 11 || rest < 4 || offset > 0x7ff) return putCopy2(dst, at, offset, rest);
  dst[at] = ((offset >>> 8) << 5) | ((rest - 4) << 2) | 1;
  dst[at + 1] = offset & 0xff;
  return at + 2;
}

/** How many bytes from `to` on, and before `end`, are those from `from` on. */
export function matchLength(src: Uint8Array, view: DataView, from: number, to: number, end: number): number {
  let p = from;
  let q = to;
  // Eight bytes at a time: matches are long where series share their labels (bench/encode.ts).
  while (q + 8 <= end) {
    const low = view.getInt32(p, true) ^ view.getInt32(q, true);
    const high = view.getInt32(p + 4, true) ^ view.getInt32(q + 4, true);
    if ((low | high) !== 0) return q - to + (low !== 0 ? sameBytes(low) : 4 + sameBytes(high));
    p += 8;
    q += 8;
  }
  while (q < end && src[p] === src[q]) {
    p++;
    q++;
  }
  return q - to;
}

// Of two words that differ: how many of their first bytes are the same.
function sameBytes(difference: number): number {
  return (31 - Math.clz32(difference & -difference)) >>> 3;
}

function putCopy2(dst: Uint8Array, at: number, offset: number, length: number): number {
  dst[at] = ((length - 1) << 2) | 2;
  dst[at + 1] = offset & 0xff;
  dst[at + 2] = offset >>> 8;
  return at + 3;
}
