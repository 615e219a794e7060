// The snappy block format, compressing (never the framed format: remote-write forbids it). Greedy: one hash table of the
// last place where four bytes stood, 64 KiB of input at a time, so that an offset always fits two bytes. See FORMAT.md.

import { matchLength, maxCompressedLength, putCopy, putLiteral, putPreamble } from './elements.ts';
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
  const view = new DataView(src.buffer, src.byteOffset, src.byteLength);
  let at = putPreamble(dst, src.length);
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
