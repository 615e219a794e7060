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

export const CODEC_IDS: Record<Compression, number> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 };

export function isKnownCodec(id: number): boolean {
  return id >= 0 && id <= 4;
}

/** @throws Error when the bytes aren't what their codec writes, or become too many */
export function decompress(codec: number, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case 1:
      return gunzipSync(bytes, { maxOutputLength: MAX_UNCOMPRESSED_BYTES });
    case 2:
      return xerialUncompress(bytes, MAX_UNCOMPRESSED_BYTES);
    case 3:
      return lz4Uncompress(bytes, MAX_UNCOMPRESSED_BYTES);
    case 4:
      return zstdDecompressSync(bytes, { maxOutputLength: MAX_UNCOMPRESSED_BYTES });
    default:
      return bytes;
  }
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
