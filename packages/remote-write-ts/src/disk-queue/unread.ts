// A segment that couldn't be read when the queue was opened is read again when it is its turn; what the disk still refuses
// then is given up, piece by piece, so that what lies behind it goes on.

import type { PointCounts } from '../points/index.ts';
import type { Books } from './books.ts';
import type { Entry, Segment, Unread } from './entry.ts';
import { type FileSystem, MAX_READS, READ_PAUSE_MS } from './file-system.ts';
import type { Lanes } from './lanes.ts';
import { fill } from './replay.ts';
import type { Retention } from './retention.ts';
import { readSegment, type SegmentContent, salvageSegment } from './segment-file.ts';
import type { SegmentLog } from './segment-log.ts';

export interface ReadAgainParts {
  fs: FileSystem;
  lanes: Lanes;
  log: SegmentLog;
  retention: Retention;
  books: Books;
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** False if that isn't possible. */
  advanceCursor: () => Promise<boolean>;
  onFound: (counts: PointCounts, maxTimestampMs: number) => void;
  /** Ends it. */
  signal: AbortSignal;
}

/** Leaves it as it is only when it is ended. */
export async function readAgain(unread: Unread, parts: ReadAgainParts): Promise<void> {
  const { lanes, retention, books, advanceCursor, onFound } = parts;
  const content = await read(unread, parts);
  if (content === undefined) return;
  if (content.kind === 'sound') {
    const entries: Entry[] = fill(unread, content, lanes);
    books.replayed += entries.length;
    for (const { body } of entries) onFound(body.counts, body.maxTimestampMs);
  } else lanes.giveUp(unread);
  const { segment } = unread;
  // A blank one holds nothing that would be worth keeping.
  if (content.kind === 'foreign') segment.isHurt = true;
  if (segment.isHurt) {
    books.unreadable++;
    books.warn(`${segment.path} can't be read, or not all of it: what is missing is given up`);
  }
  if (segment.isHurt && content.kind !== 'sound') await forget(segment, parts);
  else await advanceCursor();
  await retention.reclaim();
}

// Before anything behind it is sent: or the next process could find it well, and send it behind that.
async function forget(segment: Segment, { log, sleep, advanceCursor, signal }: ReadAgainParts): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    // Put aside first: what a cursor has passed is removed as soon as it can be read.
    const isAside = await log.putAside(segment);
    if ((await advanceCursor()) || isAside || attempt === MAX_READS || signal.aborted) return;
    await sleep(READ_PAUSE_MS, signal).catch(() => {});
  }
}

// Undefined if nobody wants it any more: this is the end, or it was given up for the sake of its room meanwhile.
async function read(
  unread: Unread,
  { fs, lanes, books, sleep, signal }: ReadAgainParts,
): Promise<SegmentContent | undefined> {
  const { segment } = unread;
  const isWanted = () => !signal.aborted && lanes.unread === unread;
  const onError = (error: unknown) => books.failed('read', error);
  for (let attempt = 1; attempt <= MAX_READS; attempt++) {
    if (attempt > 1) await sleep(READ_PAUSE_MS, signal).catch(() => {});
    if (!isWanted()) return undefined;
    try {
      const content = await readSegment(fs, segment.path, segment, onError);
      if (!isWanted()) return undefined;
      if (content.kind !== 'unread') return content;
    } catch (error) {
      onError(error);
    }
  }
  segment.isHurt = true;
  const salvaged = await salvageSegment(fs, segment.path, segment, onError);
  return isWanted() ? salvaged : undefined;
}
