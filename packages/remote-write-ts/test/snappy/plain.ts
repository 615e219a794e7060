// The search of the compressor in its plainest form, with the elements of elements.ts: four bytes are compared as a number of their
// own, and nothing is read or written more than one byte at a time.

import { maxCompressedLength, putCopy, putLiteral, putPreamble } from '../../src/snappy/index.ts';

const BLOCK_BYTES = 65_536;
const TAIL_BYTES = 15;

export function plainCompress(src: Uint8Array): Uint8Array {
  const dst = new Uint8Array(maxCompressedLength(src.length));
  let at = putPreamble(dst, src.length);
  for (let start = 0; start < src.length; start += BLOCK_BYTES) {
    at = compressBlock(src, start, Math.min(start + BLOCK_BYTES, src.length), dst, at);
  }
  return dst.subarray(0, at);
}

function compressBlock(src: Uint8Array, start: number, end: number, dst: Uint8Array, dstStart: number): number {
  const word = (i: number) => src[i]! | (src[i + 1]! << 8) | (src[i + 2]! << 16) | (src[i + 3]! << 24);
  const bits = Math.min(14, Math.max(8, Math.ceil(Math.log2(end - start))));
  const slot = (i: number) => Math.imul(word(i), 0x1e35a7bd) >>> (32 - bits);
  const last = new Map<number, number>();
  let at = dstStart;
  let pending = start;
  let misses = 32;
  for (let here = start + 1; here <= end - TAIL_BYTES; ) {
    const seen = last.get(slot(here)) ?? start;
    last.set(slot(here), here);
    if (word(seen) !== word(here)) {
      here += Math.floor(misses++ / 32);
      continue;
    }
    if (pending < here) at = putLiteral(src, pending, here, dst, at);
    let length = 4;
    while (here + length < end && src[seen + length] === src[here + length]) length++;
    at = putCopy(dst, at, here - seen, length);
    here += length;
    pending = here;
    misses = 32;
    if (here <= end - TAIL_BYTES) last.set(slot(here - 1), here - 1);
  }
  return pending < end ? putLiteral(src, pending, end, dst, at) : at;
}
