// LZ4 frames (the "LZ4 Frame Format Description"). The library grows its result as far as the frame tells it to; so a frame is measured
// before it is unpacked.
//
//   magic 4 | flags 1 | block size 1 | content size 8? | dictionary 4? | check 1 | { size 4 | data | checksum 4? } | 0 4 | checksum 4?

import { decompressFrameSync } from 'lz4-napi';

const MAGIC = 0x184d2204;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
/** The high bit of a block's size: its data is not compressed. */
const SIZE_MASK = 0x7fffffff;

/** @throws Error for a frame that is damaged, RangeError for one that may become more than `maxBytes` */
export function lz4Uncompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (mostBytes(bytes) > maxBytes) throw new RangeError(`an LZ4 frame may become more than ${maxBytes} bytes`);
  return decompressFrameSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
}

/** No more than the frames' blocks may hold: all but the last one of a frame are full. */
function mostBytes(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let sum = 0;
  for (let at = 0; at < bytes.length; ) {
    if (view.getUint32(at, true) !== MAGIC) throw new Error('not an LZ4 frame');
    const flags = view.getUint8(at + 4);
    // 64 KiB, 256 KiB, 1 MiB, 4 MiB.
    const blockBytes = 2 ** (8 + 2 * ((view.getUint8(at + 5) >> 4) & 7));
    at += 7 + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY ? 4 : 0);
    const checksumBytes = flags & BLOCK_CHECKSUM ? 4 : 0;
    let blocks = 0;
    for (;;) {
      const size = view.getUint32(at, true) & SIZE_MASK;
      at += 4;
      if (size === 0) break;
      at += size + checksumBytes;
      blocks++;
    }
    sum += Math.max(0, blocks - 1) * blockBytes;
    if (flags & CONTENT_CHECKSUM) at += 4;
  }
  return sum;
}
