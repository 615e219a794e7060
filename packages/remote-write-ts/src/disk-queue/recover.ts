// Reads what an earlier process has left in a directory. It must find each body that has no final fate, and remove nothing but
// what holds none: torn ends. What can't be read now is left to be read later. See "Opening" in FORMAT.md.

import { join } from 'node:path';
import { findAsides } from './aside.ts';
import { type Cursor, NO_CURSOR } from './cursor.ts';
import { type FoundCursor, type Patience, readCursor } from './cursor-files.ts';
import type { Segment } from './entry.ts';
import { DiskQueueError } from './errors.ts';
import type { FileSystem } from './file-system.ts';
import { Lanes } from './lanes.ts';
import { type FoundSegment, type Replayed, replay } from './replay.ts';
import { isPlausibleName, parseSegmentName, SEGMENT_HEADER_BYTES, type SegmentName } from './segment.ts';
import { readSegment } from './segment-file.ts';
import type { LogState } from './segment-log.ts';
import { SEGMENT_JUMP, startAt } from './sequence.ts';
import type { DiskErrorKind } from './stats.ts';

export interface RecoverOptions extends Patience {
  /** Of a segment that doesn't tell its size. */
  segmentBytes: number;
  onError: (kind: DiskErrorKind, error: unknown) => void;
}

export interface Recovered extends LogState, Replayed {
  cursor: FoundCursor;
  lanes: Lanes;
  tornBytes: number;
  /** With names that no queue has given: they are to be put aside. */
  strange: Segment[];
}

/** @throws DiskQueueError `unreadable`, `unknown_format` */
export async function recover(fs: FileSystem, directory: string, options: RecoverOptions): Promise<Recovered> {
  try {
    return await read(fs, directory, options);
  } catch (cause) {
    if (cause instanceof DiskQueueError) throw cause;
    throw new DiskQueueError('unreadable', `can't read ${directory}`, { cause });
  }
}

async function read(fs: FileSystem, directory: string, options: RecoverOptions): Promise<Recovered> {
  const { onError } = options;
  const onReadError = (error: unknown) => onError('read', error);
  const cursor = await readCursor(fs, directory, { ...options, onError });
  const names = (await fs.list(directory)).sort();
  const asides = await findAsides(fs, directory, names, onReadError);
  const files = await readSegments(fs, directory, names, options);
  const found = files.filter(({ segment }) => isPlausibleName(segment));
  const strange = files.map(({ segment }) => segment).filter((segment) => !isPlausibleName(segment));
  const taken = [...found.map(({ segment }) => segment), ...asides].filter(isPlausibleName);
  const { tornBytes, left } = await cutTornEnd(fs, found, cursor.cursor.end, onError);
  // Whatever the policy: files that an earlier process has removed must not come back among those of this one.
  await fs.syncDirectory(directory).catch((error: unknown) => {
    if (cursor.isIncomplete) throw error;
    onError('sync', error);
  });
  const lanes = new Lanes(cursor.cursor);
  const replayed = replay(left, cursor, lanes);
  const last = left.at(-1)?.content.kind;
  // How many bodies a segment holds that can't be read, only the cursor may know; if there is one.
  const isUnsure = last === 'unread' || last === 'foreign' || (cursor.cursor === NO_CURSOR && asides.length > 0);
  const start = startAt(replayed.known, neededSequence(replayed.known.sequence, taken, cursor.cursor, isUnsure));
  lanes.begin(start);
  const nextNumber = 1 + Math.max(0, ...taken.map(({ number }) => number));
  const segments = left.map(({ segment }) => segment);
  return { cursor, lanes, tornBytes, strange, asides, segments, start, nextNumber, ...replayed };
}

async function readSegments(
  fs: FileSystem,
  directory: string,
  names: readonly string[],
  { segmentBytes, onError }: RecoverOptions,
): Promise<FoundSegment[]> {
  const found: FoundSegment[] = [];
  // Both numbers have leading zeros: by name is by sequence.
  for (const fileName of names) {
    const name = parseSegmentName(fileName);
    if (name === undefined) continue;
    const path = join(directory, fileName);
    const content = await readSegment(fs, path, name, (error) => onError('read', error));
    const sizeBytes = content.kind === 'unread' ? content.sizeBytes || segmentBytes : content.sizeBytes;
    const segment: Segment = { path, ...name, shards: 1, salt: 0, sizeBytes, unsettled: 0, isHurt: false };
    found.push({ segment, content });
  }
  return found;
}

/**
 * What was being written when the process died: behind the last sound frame of the last segment, and of what the cursor knows
 * to have been stored. If the file system refuses to remove it, it doesn't matter: the next segment ends this one.
 */
async function cutTornEnd(
  fs: FileSystem,
  found: readonly FoundSegment[],
  storedEnd: number,
  onError: (kind: DiskErrorKind, error: unknown) => void,
): Promise<{ tornBytes: number; left: FoundSegment[] }> {
  const left = [...found];
  let tornBytes = 0;
  for (let last = left.at(-1); last !== undefined; last = left.at(-1)) {
    const { segment, content } = last;
    if (content.kind === 'foreign' || content.kind === 'unread') break;
    const endAt = content.kind === 'sound' ? content.endAt : 0;
    if (content.kind === 'sound') {
      const sound = content.frames.filter(({ bodyAt }) => bodyAt < endAt);
      // Stored once, so it isn't torn but damaged.
      if ((sound.at(-1)?.header.sequence ?? segment.firstSequence - 1) + 1 < storedEnd) break;
      content.frames = sound;
    }
    tornBytes += segment.sizeBytes - endAt;
    const isEmpty = endAt <= SEGMENT_HEADER_BYTES;
    try {
      if (isEmpty) await fs.remove(segment.path);
      else if (endAt < segment.sizeBytes) await cut(fs, segment.path, endAt);
    } catch (error) {
      onError('remove', error);
    }
    if (!isEmpty) {
      segment.sizeBytes = endAt;
      break;
    }
    left.pop();
  }
  return { tornBytes, left };
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

// So that no sequence is given twice, whatever can't be read, or has been lost.
function neededSequence(known: number, taken: readonly SegmentName[], cursor: Cursor, isUnsure: boolean): number {
  // A file without a body counts, too: it must not come to stand behind one with later sequences.
  const beyond = Math.max(known, ...taken.map(({ firstSequence }) => firstSequence));
  return Math.max(beyond + (isUnsure ? SEGMENT_JUMP : 0), cursor.floor, ...cursor.shards);
}
