// A cursor: what has its final fate. Pure. See FORMAT.md.

import { crc32 } from 'node:zlib';
import { readSequence } from './sequence.ts';

export interface Cursor {
  /** The greater is the newer. */
  generation: number;
  /** Bodies with a lower sequence have their final fate. */
  floor: number;
  /** So many sequences below the floor were never given. */
  floorJumped: number;
  /** Behind the last body that was stored. */
  end: number;
  /** So many sequences below the end were never given. */
  endJumped: number;
  /** By shard: its bodies with a lower sequence have their final fate. */
  shards: readonly number[];
  /** Sequences that have none, whatever `floor` and `shards` say: they were on their way when others behind them were dropped. */
  stragglers: readonly number[];
}

/** Before the first. */
export const NO_CURSOR: Cursor = {
  generation: 0,
  floor: 0,
  floorJumped: 0,
  end: 0,
  endJumped: 0,
  shards: [],
  stragglers: [],
};

const MAGIC = Buffer.from('RWQCURS2', 'latin1');
const LIST_AT = 56;

export function encodeCursor(cursor: Cursor): Buffer {
  const { generation, floor, floorJumped, end, endJumped, shards, stragglers } = cursor;
  const list = [...shards, ...stragglers];
  const bytes = Buffer.alloc(LIST_AT + list.length * 8 + 4);
  bytes.set(MAGIC);
  for (const [i, number] of [generation, floor, floorJumped, end, endJumped].entries()) {
    bytes.writeBigUInt64LE(BigInt(number), 8 + i * 8);
  }
  bytes.writeUInt32LE(shards.length, 48);
  bytes.writeUInt32LE(stragglers.length, 52);
  for (const [i, sequence] of list.entries()) bytes.writeBigUInt64LE(BigInt(sequence), LIST_AT + i * 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

/**
 * @param bytes what stands behind the cursor is the rest of a longer one that was there before.
 * @returns undefined if it isn't sound.
 */
export function decodeCursor(bytes: Buffer): Cursor | undefined {
  if (bytes.length < LIST_AT + 4 || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  const shards = bytes.readUInt32LE(48);
  const length = shards + bytes.readUInt32LE(52);
  const crcAt = LIST_AT + length * 8;
  if (bytes.length < crcAt + 4 || bytes.readUInt32LE(crcAt) !== crc32(bytes.subarray(0, crcAt))) return undefined;
  const numbers = Array.from({ length: 5 }, (_, i) => readSequence(bytes, 8 + i * 8));
  const list = Array.from({ length }, (_, i) => readSequence(bytes, LIST_AT + i * 8));
  if (!numbers.every((number) => number !== undefined) || !list.every((number) => number !== undefined))
    return undefined;
  const [generation, floor, floorJumped, end, endJumped] = numbers as [number, number, number, number, number];
  const [marks, stragglers] = [list.slice(0, shards), list.slice(shards)];
  return { generation, floor, floorJumped, end, endJumped, shards: marks, stragglers };
}

export function isSettled(
  { floor, shards, stragglers }: Pick<Cursor, 'floor' | 'shards' | 'stragglers'>,
  sequence: number,
  shard: number,
): boolean {
  return (sequence < floor || sequence < (shards[shard] ?? 0)) && !stragglers.includes(sequence);
}
