// A segment: its name, its header, and the search for the frames in it. Pure. It must find every sound frame, whatever is
// damaged before it, and never take anything else for one. See FORMAT.md.

import { crc32 } from 'node:zlib';
import { DiskQueueError } from './errors.ts';
import { decodeFrameHeader, FRAME_HEADER_BYTES, FRAME_MAGIC, type FrameHeader, isBodySound } from './frame.ts';
import { MAX_SEQUENCE, readSequence } from './sequence.ts';

export const SEGMENT_HEADER_BYTES = 32;
const MAGIC = Buffer.from('RWQSEGMT', 'latin1');
const VERSION = 1;
const CRC_AT = 28;

export interface SegmentHeader {
  shards: number;
  firstSequence: number;
  /** Begins each CRC of its frames. */
  salt: number;
}

export interface SegmentName {
  firstSequence: number;
  number: number;
  /** So many sequences before the first were never given. In the name, as it must be known of what can't be read, too. */
  jumped: number;
}

const NAME = /^([0-9a-f]{16})-([0-9a-f]{8})(?:-([0-9a-f]{16}))?\.segment$/;

export function segmentName({ firstSequence, number, jumped }: SegmentName): string {
  const parts = [hex(firstSequence, 16), hex(number, 8)];
  if (jumped > 0) parts.push(hex(jumped, 16));
  return `${parts.join('-')}.segment`;
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0');
}

/** The last that is given. */
export const MAX_SEGMENT_NUMBER = 2 ** 31;

/** @returns undefined for the name of something else. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [firstSequence, number, jumped] = [1, 2, 3].map((i) => Number.parseInt(match[i] ?? '0', 16));
  return { firstSequence: firstSequence!, number: number!, jumped: jumped! };
}

/** Whether a disk queue can have given it. */
export function isPlausibleName({ firstSequence, number, jumped }: SegmentName): boolean {
  return firstSequence <= MAX_SEQUENCE && number <= MAX_SEGMENT_NUMBER && jumped <= firstSequence;
}

export function encodeSegmentHeader({ shards, firstSequence, salt }: SegmentHeader): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.set(MAGIC);
  header.writeUInt16LE(VERSION, 8);
  header.writeUInt32LE(shards, 12);
  header.writeBigUInt64LE(BigInt(firstSequence), 16);
  header.writeUInt32LE(salt, 24);
  header.writeUInt32LE(crc32(header.subarray(0, CRC_AT)), CRC_AT);
  return header;
}

/**
 * @returns undefined if it isn't sound.
 * @throws DiskQueueError `unknown_format`: sound, but of a later version, whose bodies must not be given up for damaged.
 */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  if (bytes.readUInt32LE(CRC_AT) !== crc32(bytes.subarray(0, CRC_AT))) return undefined;
  const version = bytes.readUInt16LE(8);
  if (version !== VERSION) throw new DiskQueueError('unknown_format', `a segment is of version ${version}`);
  const shards = bytes.readUInt32LE(12);
  const firstSequence = readSequence(bytes, 16);
  if (shards === 0 || firstSequence === undefined) return undefined;
  return { shards, firstSequence, salt: bytes.readUInt32LE(24) };
}

export interface ScannedFrame {
  header: FrameHeader;
  /** Where the body begins. */
  bodyAt: number;
  /** Whether the body is what it was. */
  isSound: boolean;
}

export interface SegmentScan {
  /** With a sound header each; their sequences rise. */
  frames: ScannedFrame[];
  /** Where the last sound frame ends. */
  endAt: number;
}

/** @param bytes of the whole segment. */
export function scanSegment(bytes: Buffer, { salt, shards, firstSequence }: SegmentHeader): SegmentScan {
  const frames: ScannedFrame[] = [];
  let endAt = SEGMENT_HEADER_BYTES;
  let next = firstSequence;
  for (let at = SEGMENT_HEADER_BYTES; at >= 0 && at < bytes.length; ) {
    const header = decodeFrameHeader(bytes, at, salt);
    const bodyAt = at + FRAME_HEADER_BYTES;
    const isFrame = header !== undefined && header.sequence >= next && header.shard < shards;
    if (!isFrame || bodyAt + header.bodyBytes > bytes.length) {
      at = bytes.indexOf(FRAME_MAGIC, at + 1);
      continue;
    }
    const isSound = isBodySound(bytes.subarray(bodyAt, bodyAt + header.bodyBytes), header, salt);
    frames.push({ header, bodyAt, isSound });
    next = header.sequence + 1;
    at = bodyAt + header.bodyBytes;
    if (isSound) endAt = at;
  }
  return { frames, endAt };
}
