// A frame: one request body with what must be known of it. Pure. See FORMAT.md.

import { crc32 } from 'node:zlib';
import type { RequestBody } from '../points/index.ts';
import { readSequence } from './sequence.ts';

export const FRAME_HEADER_BYTES = 80;
export const FRAME_MAGIC = Buffer.from('RWQF', 'latin1');

/** What a frame's header says. */
export interface FrameHeader extends Omit<RequestBody, 'bytes' | 'isSuspected'> {
  sequence: number;
  shard: number;
  /** Milliseconds since the Unix epoch. */
  storedMs: number;
  isSuspected: boolean;
  bodyBytes: number;
  bodyCrc: number;
}

const FIRST_BYTE_OF_CRC = 8;
const FLAG_SUSPECTED = 1;

/** The header of a frame; the body's bytes follow it as they are. */
export function encodeFrameHeader(
  body: RequestBody,
  place: { sequence: number; shard: number; storedMs: number },
  salt: number,
): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.set(FRAME_MAGIC);
  header.writeBigUInt64LE(BigInt(place.sequence), 8);
  header.writeDoubleLE(place.storedMs, 16);
  header.writeDoubleLE(body.minTimestampMs, 24);
  header.writeDoubleLE(body.maxTimestampMs, 32);
  header.writeUInt32LE(place.shard, 40);
  header.writeUInt32LE(body.counts.samples, 44);
  header.writeUInt32LE(body.counts.histograms, 48);
  header.writeUInt32LE(body.counts.exemplars, 52);
  header.writeUInt32LE(body.counts.metadata, 56);
  header.writeUInt8(body.protocol === '2.0' ? 2 : 1, 60);
  header.writeUInt8(body.isSuspected ? FLAG_SUSPECTED : 0, 61);
  header.writeUInt32LE(body.bytes.length, 64);
  header.writeUInt32LE(crc32(body.bytes, salt), 68);
  header.writeUInt32LE(crc32(header.subarray(FIRST_BYTE_OF_CRC), salt), 4);
  return header;
}

/** @returns undefined unless a sound header stands there. */
export function decodeFrameHeader(bytes: Buffer, at: number, salt: number): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length) return undefined;
  const header = bytes.subarray(at, at + FRAME_HEADER_BYTES);
  if (!header.subarray(0, 4).equals(FRAME_MAGIC)) return undefined;
  if (header.readUInt32LE(4) !== crc32(header.subarray(FIRST_BYTE_OF_CRC), salt)) return undefined;
  const protocol = header.readUInt8(60);
  if (protocol !== 1 && protocol !== 2) return undefined;
  const sequence = readSequence(header, 8);
  if (sequence === undefined) return undefined;
  return {
    protocol: protocol === 2 ? '2.0' : '1.0',
    sequence,
    storedMs: header.readDoubleLE(16),
    minTimestampMs: header.readDoubleLE(24),
    maxTimestampMs: header.readDoubleLE(32),
    shard: header.readUInt32LE(40),
    counts: {
      samples: header.readUInt32LE(44),
      histograms: header.readUInt32LE(48),
      exemplars: header.readUInt32LE(52),
      metadata: header.readUInt32LE(56),
    },
    isSuspected: (header.readUInt8(61) & FLAG_SUSPECTED) !== 0,
    bodyBytes: header.readUInt32LE(64),
    bodyCrc: header.readUInt32LE(68),
  };
}

export function isBodySound(
  body: Uint8Array,
  { bodyBytes, bodyCrc }: Pick<FrameHeader, 'bodyBytes' | 'bodyCrc'>,
  salt: number,
): boolean {
  return body.length === bodyBytes && crc32(body, salt) === bodyCrc;
}
