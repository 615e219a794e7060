// Snappy as Kafka's clients write it: either one raw block, or the "xerial" stream of the Java library: a magic, two versions, then
// blocks, each with its length before it. Must never give more than it was allowed.

import { snappyCompress, snappyUncompress } from 'remote-write-ts';

const MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00] as const;
const HEADER_BYTES = 16;
const BLOCK_BYTES = 32 * 1024;

export function isXerial(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && MAGIC.every((byte, i) => bytes[i] === byte);
}

/** @throws SnappyError, RangeError for a block that runs past the end or a result above `maxBytes` */
export function xerialUncompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (!isXerial(bytes)) return snappyUncompress(bytes, maxBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blocks: Uint8Array[] = [];
  let total = 0;
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new RangeError('a snappy stream ends inside a block length');
    const size = view.getUint32(at);
    const start = at + 4;
    if (start + size > bytes.length) throw new RangeError('a snappy stream ends inside a block');
    const block = snappyUncompress(bytes.subarray(start, start + size), maxBytes - total);
    total += block.length;
    blocks.push(block);
    at = start + size;
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks, total);
}

/** Writes the stream that the Java client writes: blocks of 32 KiB, version 1, compatible with 1. */
export function xerialCompress(bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = [Uint8Array.from([...MAGIC, 0, 0, 0, 1, 0, 0, 0, 1])];
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = snappyCompress(bytes.subarray(at, at + BLOCK_BYTES));
    const size = Buffer.alloc(4);
    size.writeUInt32BE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat(parts);
}
