// Reads what an earlier process has left in a directory. It must find each body that has no final fate, and change nothing
// but what can't be read by anybody: torn ends. See "Opening" in FORMAT.md.

import { join } from 'node:path';
import type { PointCounts } from '../points/index.ts';
import { isSettled, NO_CURSOR } from './cursor.ts';
import { type FoundCursor, readCursor } from './cursor-files.ts';
import type { Entry, Segment } from './entry.ts';
import { DiskQueueError } from './errors.ts';
import { type FileSystem, readIfPossible } from './file-system.ts';
import { Lanes } from './lanes.ts';
import {
  decodeSegmentHeader,
  parseSegmentName,
  type ScannedFrame,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  scanSegment,
} from './segment.ts';
import type { LogState } from './segment-log.ts';
import type { DiskErrorKind } from './stats.ts';

type OnError = (kind: DiskErrorKind, error: unknown) => void;

export interface Recovered extends LogState {
  cursor: FoundCursor;
  lanes: Lanes;
  /** Points of bodies that are damaged. */
  damaged: PointCounts[];
  lost: number;
  tornBytes: number;
}

interface SegmentFile {
  path: string;
  firstSequence: number;
  number: number;
  sizeBytes: number;
  /** Missing if it can't be read. */
  header: SegmentHeader | undefined;
  frames: ScannedFrame[];
  endAt: number;
}

/** @throws DiskQueueError `unreadable`, `unknown_format` */
export async function recover(fs: FileSystem, directory: string, onError: OnError): Promise<Recovered> {
  try {
    return await read(fs, directory, onError);
  } catch (cause) {
    if (cause instanceof DiskQueueError) throw cause;
    throw new DiskQueueError('unreadable', `can't read ${directory}`, { cause });
  }
}

async function read(fs: FileSystem, directory: string, onError: OnError): Promise<Recovered> {
  const cursor = await readCursor(fs, directory, onError);
  const files: SegmentFile[] = [];
  // Both numbers have leading zeros: by name is by sequence.
  for (const name of (await fs.list(directory)).sort()) {
    const numbers = parseSegmentName(name);
    if (numbers !== undefined) files.push({ ...(await readSegment(fs, join(directory, name), onError)), ...numbers });
  }
  const nextNumber = 1 + Math.max(0, ...files.map(({ number }) => number));
  const tornBytes = await cutTornEnd(fs, files, onError);
  for (const [i, file] of files.entries()) {
    // One without a body ends none: it may be left from before, where sequences have been given again.
    const next = files.slice(i + 1).find(({ frames }) => frames.some(({ isSound }) => isSound));
    const end = next?.firstSequence ?? Number.POSITIVE_INFINITY;
    file.frames = file.frames.filter(({ header }) => header.sequence < end);
  }
  // Whatever the policy: files that an earlier process has removed must not come back among those of this one.
  await fs.syncDirectory(directory).catch((error: unknown) => onError('sync', error));
  return { cursor, nextNumber, tornBytes, ...replay(files, cursor) };
}

async function readSegment(
  fs: FileSystem,
  path: string,
  onError: OnError,
): Promise<Omit<SegmentFile, 'firstSequence' | 'number'>> {
  const bytes = (await readIfPossible(fs, path, onError)) ?? Buffer.alloc(0);
  const header = decodeSegmentHeader(bytes);
  const sizeBytes = bytes.length;
  if (header === undefined) return { path, sizeBytes, header, frames: [], endAt: 0 };
  return { path, sizeBytes, header, ...scanSegment(bytes, header) };
}

// What was being written when the process died. A segment without a header has been begun, and no more; one that is cut
// to its header holds nothing either. If the file system refuses, it doesn't matter: the next segment ends this one.
async function cutTornEnd(fs: FileSystem, files: SegmentFile[], onError: OnError): Promise<number> {
  let tornBytes = 0;
  for (let last = files.at(-1); last !== undefined; last = files.at(-1)) {
    const { path, sizeBytes, header, endAt } = last;
    const isEmpty = header === undefined || endAt === SEGMENT_HEADER_BYTES;
    tornBytes += header === undefined ? sizeBytes : sizeBytes - endAt;
    last.frames = last.frames.filter(({ bodyAt }) => bodyAt < endAt);
    try {
      if (isEmpty) await fs.remove(path);
      else if (endAt < sizeBytes) await cut(fs, path, endAt);
    } catch (error) {
      onError('remove', error);
    }
    if (!isEmpty) {
      last.sizeBytes = endAt;
      break;
    }
    files.pop();
  }
  return tornBytes;
}

async function cut(fs: FileSystem, path: string, sizeBytes: number): Promise<void> {
  const file = await fs.open(path, 'existing');
  try {
    await file.truncate(sizeBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

function replay(files: readonly SegmentFile[], { cursor }: FoundCursor) {
  const segments: Segment[] = [];
  const damaged: PointCounts[] = [];
  const lanes = new Lanes(files.find(({ header }) => header)?.header?.shards ?? 1);
  const begun = new Set<number>();
  let lost = 0;
  /** What the next sequence should be. */
  let next = files[0]?.firstSequence ?? 0;
  const skipTo = (sequence: number) => {
    // Below the floor it doesn't matter what is missing.
    lost += Math.max(0, sequence - Math.max(next, cursor.floor));
    next = Math.max(next, sequence);
  };
  for (const { path, firstSequence, sizeBytes, header, frames } of files) {
    const segment: Segment = {
      path,
      firstSequence,
      sizeBytes,
      shards: header?.shards ?? 1,
      salt: header?.salt ?? 0,
      unsettled: 0,
    };
    segments.push(segment);
    for (const { header: frame, bodyAt, isSound } of frames) {
      skipTo(frame.sequence);
      next = frame.sequence + 1;
      if (isSettled(cursor, frame.sequence, frame.shard)) continue;
      if (!isSound) {
        damaged.push(frame.counts);
        continue;
      }
      lanes.relayout(segment.shards);
      lanes.advance();
      // Of each shard that was served, the first was perhaps on its way; without a cursor, nobody knows which.
      const isRepeat = cursor === NO_CURSOR || (segment.shards === lanes.served && !begun.has(frame.shard));
      begun.add(frame.shard);
      lanes.push(entryOf(segment, frame, bodyAt, isRepeat));
    }
  }
  const nextSequence = Math.max(1, next, cursor.floor, ...cursor.shards);
  lanes.passed(nextSequence);
  return { segments, damaged, lost, lanes, nextSequence };
}

function entryOf(segment: Segment, frame: ScannedFrame['header'], bodyAt: number, isRepeat: boolean): Entry {
  const { protocol, counts, minTimestampMs, maxTimestampMs, isSuspected, shard, storedMs } = frame;
  const { sequence, bodyBytes, bodyCrc } = frame;
  return {
    body: { protocol, counts, minTimestampMs, maxTimestampMs, isSuspected },
    shard,
    order: -1,
    storedMs,
    place: { segment, sequence, bodyAt, bodyBytes, bodyCrc },
    isRepeat,
    bytes: undefined,
    isUnderWay: false,
    accept: undefined,
  };
}
