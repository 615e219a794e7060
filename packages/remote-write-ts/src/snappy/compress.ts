// The snappy block format, compressing (never the framed format: remote-write forbids it). Greedy: one hash table of the
// last place where four bytes stood, 64 KiB of input at a time, so that an offset always fits two bytes. See FORMAT.md.

import { SnappyError } from './errors.ts';

const BLOCK_BYTES = 65_536;
const MAX_INPUT_BYTES = 0xffff_ffff;
const TABLE_BITS = 14;
const HASH_FACTOR = 0x1e35a7bd;
/** No search starts in the last bytes of a block: a match there saves nothing, and four bytes can be read without a check. */
const TAIL_BYTES = 15;
/** After 32 misses in a row every 2nd position is tried, after 64 every 3rd: data that doesn't compress goes by fast. */
const SKIP_SHIFT = 5;
const FIRST_SKIP = 1 << SKIP_SHIFT;

// Positions relative to the block. Shared by all calls: each block clears its part first, and nothing here awaits.
const table = new Uint16Array(1 << TABLE_BITS);

/** The most bytes that compressing `bytes` bytes can give. */
export function maxCompressedLength(bytes: number): number {
  return 32 + bytes + Math.floor(bytes / 6);
}

/**
 * Compresses into an array of its own, exactly as long as needed.
 * @throws SnappyError `too_large` from 4 GiB on.
 */
export function snappyCompress(src: Uint8Array): Uint8Array {
  const room = new Uint8Array(maxCompressedLength(src.length));
  return room.slice(0, compressInto(src, room));
}

/**
 * Compresses `src` into `dst`, which must hold `maxCompressedLength(src.length)` bytes and share no memory with it.
 * @returns the number of bytes written.
 */
export function compressInto(src: Uint8Array, dst: Uint8Array): number {
  if (src.length > MAX_INPUT_BYTES) throw new SnappyError('too_large', 'a snappy block holds less than 4 GiB');
  const view = new DataView(src.buffer, src.byteOffset, src.byteLength);
  let at = 0;
  let rest = src.length;
  for (; rest >= 0x80; rest >>>= 7) dst[at++] = (rest & 0x7f) | 0x80;
  dst[at++] = rest;
  for (let start = 0; start < src.length; start += BLOCK_BYTES) {
    at = compressBlock(src, view, start, Math.min(start + BLOCK_BYTES, src.length), dst, at);
  }
  return at;
}

function compressBlock(
  src: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  dst: Uint8Array,
  dstStart: number,
): number {
  let at = dstStart;
  let pending = start; // everything before it is written
  const lastSearch = end - TAIL_BYTES;
  const shift = clearTable(end - start);
  let here = start + 1; // an empty slot means `start`, so `start` itself needs no entry
  let skip = FIRST_SKIP;
  while (here <= lastSearch) {
    const word = view.getInt32(here, true);
    const slot = Math.imul(word, HASH_FACTOR) >>> shift;
    const seen = start + table[slot]!;
    table[slot] = here - start;
    if (view.getInt32(seen, true) !== word) {
      here += skip++ >>> SKIP_SHIFT;
      continue;
    }
    if (pending < here) at = putLiteral(src, pending, here, dst, at);
    const length = 4 + matchLength(src, view, seen + 4, here + 4, end);
    at = putCopy(dst, at, here - seen, length);
    here += length;
    pending = here;
    skip = FIRST_SKIP;
    // Entering the match's last byte as well finds runs of matches that follow one another.
    if (here <= lastSearch) {
      table[Math.imul(view.getInt32(here - 1, true), HASH_FACTOR) >>> shift] = here - 1 - start;
    }
  }
  return pending < end ? putLiteral(src, pending, end, dst, at) : at;
}

// A small block gets a small table: clearing 32 KiB for a hundred bytes would cost more than compressing them.
function clearTable(blockBytes: number): number {
  let bits = 8;
  while (bits < TABLE_BITS && 1 << bits < blockBytes) bits++;
  table.fill(0, 0, 1 << bits);
  return 32 - bits;
}

function matchLength(src: Uint8Array, view: DataView, from: number, to: number, end: number): number {
  let p = from;
  let q = to;
  while (q + 4 <= end) {
    const difference = view.getInt32(p, true) ^ view.getInt32(q, true);
    if (difference !== 0) return q - to + ((31 - Math.clz32(difference & -difference)) >>> 3);
    p += 4;
    q += 4;
  }
  while (q < end && src[p] === src[q]) {
    p++;
    q++;
  }
  return q - to;
}

function putLiteral(src: Uint8Array, from: number, to: number, dst: Uint8Array, dstStart: number): number {
  let at = dstStart;
  const length = to - from;
  const code = length - 1;
  if (code < 60) {
    dst[at++] = code << 2;
  } else if (code < 0x100) {
    dst[at++] = 60 << 2;
    dst[at++] = code;
  } else {
    dst[at++] = 61 << 2;
    dst[at++] = code & 0xff;
    dst[at++] = code >>> 8;
  }
  // Below this length a loop beats the view that `set` needs (bench/encode.ts).
  if (length > 48) {
    dst.set(src.subarray(from, to), at);
    return at + length;
  }
  for (let i = from; i < to; i++) dst[at++] = src[i]!;
  return at;
}

function putCopy(dst: Uint8Array, dstStart: number, offset: number, length: number): number {
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
  if (rest > 11 || offset > 0x7ff) return putCopy2(dst, at, offset, rest);
  dst[at] = ((offset >>> 8) << 5) | ((rest - 4) << 2) | 1;
  dst[at + 1] = offset & 0xff;
  return at + 2;
}

function putCopy2(dst: Uint8Array, at: number, offset: number, length: number): number {
  dst[at] = ((length - 1) << 2) | 2;
  dst[at + 1] = offset & 0xff;
  dst[at + 2] = offset >>> 8;
  return at + 3;
}
