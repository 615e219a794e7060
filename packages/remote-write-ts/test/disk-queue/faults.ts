// What can go wrong with a disk: operations that fail, places that can't be read, bytes that change while nobody looks.

import { decodeCursor } from '../../src/disk-queue/cursor.ts';
import { FRAME_HEADER_BYTES } from '../../src/disk-queue/frame.ts';
import { decodeSegmentHeader, type ScannedFrame, scanSegment } from '../../src/disk-queue/segment.ts';
import { type Random, seeded } from './random.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import type { Body, World } from './world.ts';

type Fault = SimulatedDisk['fault'];
const SEGMENT = /\.segment$/;

/** Whatever is changed fails now and then. */
export function failingWrites(seed: number, share = 0.15): Fault {
  const random = seeded(seed);
  return (operation) => {
    if (operation === 'read' || operation === 'size' || !random.chance(share)) return undefined;
    return operation === 'sync' || operation === 'remove' ? 'EIO' : 'ENOSPC';
  };
}

/** What begins so can't be changed at all. */
export function fullFor(prefix: string): Fault {
  return (operation, name) => (operation === 'write' && name.startsWith(prefix) ? 'ENOSPC' : undefined);
}

/** Reads fail now and then, and succeed when they are made again. */
export function failingReads(seed: number, share: number): Fault {
  const random = seeded(seed);
  return (operation) => (operation === 'read' && random.chance(share) ? 'EIO' : undefined);
}

/** Some files can't be read as long as the machine runs. */
export function unreadableFiles(seed: number, which: RegExp, share: number): Fault {
  return (operation, name) => {
    if (operation !== 'read' || !which.test(name)) return undefined;
    const number = [...name].reduce((sum, char) => (Math.imul(sum, 31) + char.charCodeAt(0)) >>> 0, seed);
    return seeded(number)() < share ? 'EIO' : undefined;
  };
}

export function both(...faults: Fault[]): Fault {
  return (...what) => faults.map((fault) => fault(...what)).find((code) => code !== undefined);
}

interface Stored {
  name: string;
  content: Buffer;
  frames: (ScannedFrame & { id: number })[];
}

/** The segments on a disk with the bodies in them, as far as their bytes are sound. */
export function storedBodies({ files }: SimulatedDisk, which = SEGMENT): Stored[] {
  const found: Stored[] = [];
  for (const [name, { content }] of files) {
    const header = which.test(name) ? decodeSegmentHeader(content) : undefined;
    if (header === undefined) continue;
    const frames = scanSegment(content, header).frames.filter(({ isSound }) => isSound);
    const idOf = ({ header: { bodyBytes }, bodyAt }: ScannedFrame) =>
      (JSON.parse(content.subarray(bodyAt, bodyAt + bodyBytes).toString()) as Body).id;
    found.push({ name, content, frames: frames.map((frame) => ({ ...frame, id: idOf(frame) })) });
  }
  return found;
}

/**
 * Damages a segment: a byte of it, or its end, or all of it. Only bodies that the cursor knows of: nobody can tell whether
 * what comes behind was stored, or was being written.
 * @returns the bodies of it, if its header is what was hit
 */
export function rot({ disk, random }: World): number[] {
  const end = Math.max(0, ...cursors(disk).map((cursor) => cursor.end));
  const all = storedBodies(disk).filter(({ frames }) => frames.length > 0);
  const victim = all[random.below(all.length)];
  if (victim === undefined) return [];
  const { name, content, frames } = victim;
  const inode = disk.files.get(name)!;
  const isKnown = frames.every(({ header }) => header.sequence < end);
  const change = (by: Buffer) => {
    inode.content = by;
    inode.durable = by;
  };
  const frame = frames[random.below(frames.length)]!;
  if (!isKnown && frame.header.sequence >= end) return [];
  switch (random.below(isKnown ? 6 : 2)) {
    case 0:
      change(flipped(content, frame.bodyAt + random.below(frame.header.bodyBytes), random));
      return [];
    case 1:
      change(flipped(content, frame.bodyAt - FRAME_HEADER_BYTES + random.below(FRAME_HEADER_BYTES), random));
      return [];
    case 2:
      change(Buffer.from(content.subarray(0, random.below(content.length))));
      return [];
    case 3:
      change(Buffer.alloc(0));
      return [];
    case 4:
      (disk.files as Map<string, unknown>).delete(name);
      return [];
    default:
      change(flipped(content, random.below(32), random));
      return frames.map(({ id }) => id);
  }
}

export function cursors({ files }: SimulatedDisk) {
  const contents = [...files].filter(([name]) => name.startsWith('cursor')).map(([, { content }]) => content);
  return contents.map(decodeCursor).filter((cursor) => cursor !== undefined);
}

function flipped(bytes: Buffer, at: number, random: Random): Buffer {
  const result = Buffer.from(bytes);
  result[at]! ^= 1 << random.below(8);
  return result;
}
