// A cursor: what has its final fate. Pure. See FORMAT.md.

import { crc32 } from 'node:zlib';

export interface Cursor {
  /** The greater is the newer. */
  generation: number;
  /** Bodies with a lower sequence have their final fate. */
  floor: number;
  /** By shard: its bodies with a lower sequence have their final fate. */
  shards: readonly number[];
}

/** Before the first. */
export const NO_CURSOR: Cursor = { generation: 0, floor: 0, shards: [] };

const MAGIC = Buffer.from('RWQCURSR', 'latin1');
const SHARDS_AT = 28;

export function encodeCursor({ generation, floor, shards }: Cursor): Buffer {
  const bytes = Buffer.alloc(SHARDS_AT + shards.length * 8 + 4);
  bytes.set(MAGIC);
  bytes.writeBigUInt64LE(BigInt(generation), 8);
  bytes.writeBigUInt64LE(BigInt(floor), 16);
  bytes.writeUInt32LE(shards.length, 24);
  for (const [i, sequence] of shards.entries()) bytes.writeBigUInt64LE(BigInt(sequence), SHARDS_AT + i * 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

/**
 * @param bytes what stands behind the cursor is the rest of a longer one that was there before.
 * @returns undefined if it isn't sound.
 */
export function decodeCursor(bytes: Buffer): Cursor | undefined {
  if (bytes.length < SHARDS_AT + 4 || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  const count = bytes.readUInt32LE(24);
  const crcAt = SHARDS_AT + count * 8;
  if (bytes.length < crcAt + 4 || bytes.readUInt32LE(crcAt) !== crc32(bytes.subarray(0, crcAt))) return undefined;
  return {
    generation: Number(bytes.readBigUInt64LE(8)),
    floor: Number(bytes.readBigUInt64LE(16)),
    shards: Array.from({ length: count }, (_, i) => Number(bytes.readBigUInt64LE(SHARDS_AT + i * 8))),
  };
}

export function isSettled({ floor, shards }: Cursor, sequence: number, shard: number): boolean {
  return sequence < floor || sequence < (shards[shard] ?? 0);
}
