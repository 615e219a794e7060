// The snappy block format, compressing (never the framed format: remote-write forbids it). Greedy: one hash table of the
// last place where four bytes stood, 64 KiB of input at a time, so that an offset always fits two bytes. See FORMAT.md.

import { maxCompressedLength, putLiteral, putPreamble } from './elements.ts';
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

/**
 * Compresses into an array of its own, exactly as long as needed.
 * @throws SnappyError `too_large` from 4 GiB on.
 */
export function snappyCompress(src: Uint8Array): Uint8Array {
  const room = new Uint8Array(maxCompressedLength(src.length));
  return room.slice(0, compressInto(src, room));
}

/** Compresses one input after another, in room that it keeps. */
export class SnappyCompressor {
  #room = new Uint8Array(0);

  /** As `snappyCompress`. */
  compress(src: Uint8Array): Uint8Array {
    const needed = maxCompressedLength(src.length);
    if (this.#room.length < needed) this.#room = new Uint8Array(needed);
    return this.#room.slice(0, compressInto(src, this.#room));
  }
}

/**
 * Compresses `src` into `dst`, which must hold `maxCompressedLength(src.length)` bytes and share no memory with it.
 * @returns the number of bytes written.
 */
export function compressInto(src: Uint8Array, dst: Uint8Array): number {
  if (src.length > MAX_INPUT_BYTES) throw new SnappyError('too_large', 'a snappy block holds less than 4 GiB');
  const srcView = new DataView(src.buffer, src.byteOffset, src.byteLength);
  const dstView = new DataView(dst.buffer, dst.byteOffset, dst.byteLength);
  let at = putPreamble(dst, src.length);
  for (let start = 0; start < src.length; start += BLOCK_BYTES) {
    at = compressBlock(src, srcView, start, Math.min(start + BLOCK_BYTES, src.length), dst, dstView, at);
  }
  return at;
}

// One function, with the elements of elements.ts written out: a call in the loop that isn't inlined, however rare, makes the compiler
// check each array again at each access, and compressing take a third more (bench/encode.ts). Where less than four bytes are to be
// written, four are: what is too much is overwritten, and fits, for the input goes on for `TAIL_BYTES` at least.
function compressBlock(
  src: Uint8Array,
  srcView: DataView,
  start: number,
  end: number,
  dst: Uint8Array,
  dstView: DataView,
  dstStart: number,
): number {
  let at = dstStart;
  const lastSearch = end - TAIL_BYTES;
  let here = start + 1; // an empty slot means `start`, so `start` itself needs no entry
  if (here > lastSearch) return putLiteral(src, start, end, dst, at);
  let pending = start; // everything before it is written
  let skip = FIRST_SKIP;
  const shift = clearTable(end - start);
  // Each array once before the loop, so that the compiler need not check it in there. These bytes are overwritten.
  table[0] = 0;
  dst[at] = 0;
  dstView.setInt32(at, srcView.getInt32(start, true), true);
  while (here <= lastSearch) {
    const word = srcView.getInt32(here, true);
    const slot = Math.imul(word, HASH_FACTOR) >>> shift;
    const seen = start + table[slot]!;
    table[slot] = here - start;
    if (srcView.getInt32(seen, true) !== word) {
      here += skip++ >>> SKIP_SHIFT;
      continue;
    }
    if (pending < here) {
      const code = here - pending - 1;
      if (code < 60) {
        dst[at] = code << 2;
        at += 1;
      } else if (code < 0x100) {
        dstView.setUint16(at, (60 << 2) | (code << 8), true);
        at += 2;
      } else {
        dstView.setInt32(at, (61 << 2) | (code << 8), true);
        at += 3;
      }
      for (let i = 0; i <= code; i += 4) dstView.setInt32(at + i, srcView.getInt32(pending + i, true), true);
      at += code + 1;
    }
    let from = seen + 4;
    let to = here + 4;
    let difference = 0;
    for (; to + 4 <= end; from += 4, to += 4) {
      difference = srcView.getInt32(from, true) ^ srcView.getInt32(to, true);
      if (difference !== 0) break;
    }
    if (difference !== 0) to += (31 - Math.clz32(difference & -difference)) >>> 3;
    else {
      while (to < end && src[from] === src[to]) {
        from++;
        to++;
      }
    }
    const offset = here - seen;
    let length = to - here;
    // A copy element holds 64 bytes at most; what is left must be 4 or more, for the short form.
    for (; length >= 68; length -= 64) {
      dstView.setInt32(at, (63 << 2) | 2 | (offset << 8), true);
      at += 3;
    }
    if (length > 64) {
      dstView.setInt32(at, (59 << 2) | 2 | (offset << 8), true);
      at += 3;
      length -= 60;
    }
    if (length < 12 && offset < 0x800) {
      dstView.setUint16(at, ((offset >>> 8) << 5) | ((length - 4) << 2) | 1 | ((offset & 0xff) << 8), true);
      at += 2;
    } else {
      dstView.setInt32(at, ((length - 1) << 2) | 2 | (offset << 8), true);
      at += 3;
    }
    here = to;
    pending = to;
    skip = FIRST_SKIP;
    // Entering the match's last byte as well finds runs of matches that follow one another.
    if (here <= lastSearch) {
      table[Math.imul(srcView.getInt32(here - 1, true), HASH_FACTOR) >>> shift] = here - 1 - start;
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
