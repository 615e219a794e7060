// The compressions of Kafka's record batches (attributes, bits 0 to 2), for reading here and for kafkajs's producer. An unknown
// number is the caller's event to count; it must never end a consumer.

import { createRequire } from 'node:module';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compressFrameSync } from 'lz4-napi';
import { lz4Uncompress } from './lz4.ts';
import type { Compression } from './options.ts';
import { xerialCompress, xerialUncompress } from './xerial.ts';

/** What one record batch may become: a small one that claims more is damaged or hostile. */
export const MAX_UNCOMPRESSED_BYTES = 256 * 1024 * 1024;

/** zlib's output comes in pieces of a size that is given: one piece, if what the bytes say of themselves is known and so much at most. */
const MOST_PIECE_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 128 * 1024;
const LEAST_PIECE_BYTES = 1024;

export const CODEC_IDS: Record<Compression, number> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 };

export function isKnownCodec(id: number): boolean {
  return id >= 0 && id <= 4;
}

/** @throws Error when the bytes aren't what their codec writes, or become too many */
export function decompress(codec: number, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case 1:
      return gunzipSync(bytes, { maxOutputLength: MAX_UNCOMPRESSED_BYTES, chunkSize: pieceBytes(gzipSize(bytes)) });
    case 2:
      return xerialUncompress(bytes, MAX_UNCOMPRESSED_BYTES);
    case 3:
      return lz4Uncompress(bytes, MAX_UNCOMPRESSED_BYTES);
    case 4:
      return zstdDecompressSync(bytes, {
        maxOutputLength: MAX_UNCOMPRESSED_BYTES,
        chunkSize: pieceBytes(zstdSize(bytes)),
      });
    default:
      return bytes;
  }
}

function pieceBytes(size: number): number {
  return Math.min(Math.max(size, LEAST_PIECE_BYTES), MOST_PIECE_BYTES);
}

/** What the end of the last member says (RFC 1952, 2.3.1). */
function gzipSize(bytes: Uint8Array): number {
  return bytes.length < 18 ? 0 : viewOf(bytes).getUint32(bytes.length - 4, true);
}

/** What the head of the first frame says (RFC 8878, 3.1.1.1). */
function zstdSize(bytes: Uint8Array): number {
  if (bytes.length < 18) return 0;
  const view = viewOf(bytes);
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? view.getUint8(at) : PIECE_BYTES;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const COMPRESSORS: Record<number, (bytes: Buffer) => Buffer> = {
  1: (bytes) => gzipSync(bytes),
  2: xerialCompress,
  3: (bytes) => compressFrameSync(bytes),
  4: (bytes) => zstdCompressSync(bytes),
};

/** Tells kafkajs all codecs; it has only gzip of its own. */
export function registerCodecs(): void {
  const { CompressionCodecs } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');
  const codecs = CompressionCodecs as Record<
    number,
    () => { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(bytes: Buffer): Promise<Buffer> }
  >;
  for (const [id, compress] of Object.entries(COMPRESSORS)) {
    codecs[Number(id)] = () => ({
      compress: async (encoder) => compress(encoder.buffer),
      decompress: async (bytes) => Buffer.from(decompress(Number(id), bytes)),
    });
  }
}
