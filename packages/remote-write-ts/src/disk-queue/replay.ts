// Puts what was found in segments into the lanes: each body that has no final fate, and the numbers of those that should be
// there and aren't. Pure. Whatever it is given, it must not let a sequence come behind a later one.

import { type Cursor, isSettled, NO_CURSOR } from './cursor.ts';
import type { FoundCursor } from './cursor-files.ts';
import type { Entry, Segment, Unread } from './entry.ts';
import type { Lanes } from './lanes.ts';
import type { ScannedFrame } from './segment.ts';
import type { SegmentContent, SoundSegment } from './segment-file.ts';
import { givenUpTo, type Position } from './sequence.ts';

export interface FoundSegment {
  segment: Segment;
  content: SegmentContent;
}

export interface Replayed {
  /** Behind the last sequence that is known to have been given. */
  known: Position;
  /** To be read later. */
  unread: readonly Unread[];
  /** Bodies that aren't what they were, though their frames say whose they are: they are dropped when it is their turn. */
  damaged: number;
}

/** @param found in their order */
export function replay(found: readonly FoundSegment[], foundCursor: FoundCursor, lanes: Lanes): Replayed {
  const { cursor } = foundCursor;
  const { progress } = lanes;
  const unread: Unread[] = [];
  let known = firstKnown(found, foundCursor);
  let damaged = 0;
  /** The one before, if it couldn't be read. */
  let before: Unread | undefined;
  const begun = new Set<number>();
  for (const [i, { segment, content }] of found.entries()) {
    const { firstSequence, jumped } = segment;
    const endSequence = found[i + 1]?.segment.firstSequence ?? Number.POSITIVE_INFINITY;
    // Nobody knows what a blank one was.
    if (content.kind === 'blank') continue;
    const given = givenUpTo(known, { sequence: firstSequence, jumped });
    if (before === undefined) progress.miss(known.sequence, given);
    else before.knownEnd = Math.max(before.knownEnd, given);
    before = undefined;
    known = { sequence: Math.max(known.sequence, firstSequence), jumped };
    progress.jump({ sequence: firstSequence, jumped });
    if (content.kind !== 'sound') {
      segment.isHurt = true;
      // Where the next one begins with the same sequence, nothing in this one was ever accepted.
      if (endSequence === firstSequence) continue;
      before = { segment, endSequence, knownEnd: firstSequence };
      if (isPassed(before, cursor)) continue;
      segment.isHurt = false;
      unread.push(before);
      lanes.hold(before);
      continue;
    }
    adopt(segment, content);
    for (const frame of framesBelow(content, endSequence)) {
      const { sequence, shard } = frame.header;
      progress.miss(known.sequence, sequence);
      progress.found(sequence);
      known.sequence = sequence + 1;
      if (isSettled(cursor, sequence, shard)) continue;
      if (!frame.isSound) damaged++;
      lanes.relayout(segment.shards);
      lanes.advance();
      // Of each shard that was served, the first was perhaps on its way; without a cursor, nobody knows which.
      const isServed = segment.shards === lanes.served || segment.shards === cursor.shards.length;
      lanes.push(entryOf(segment, frame, cursor === NO_CURSOR || (isServed && !begun.has(shard))));
      begun.add(shard);
    }
  }
  const end = { sequence: cursor.end, jumped: cursor.endJumped };
  const stored = givenUpTo(known, end);
  if (before === undefined) progress.miss(known.sequence, stored);
  else before.knownEnd = Math.max(before.knownEnd, stored);
  progress.looked((sequence) => !unread.some((one) => isWithin(one, sequence)));
  return { known: end.sequence > known.sequence ? end : known, unread, damaged };
}

/** Of a segment that could be read at last. @returns its bodies that have no final fate. */
export function fill(unread: Unread, content: SoundSegment, lanes: Lanes): Entry[] {
  const { segment, endSequence, knownEnd } = unread;
  const { progress } = lanes;
  const stragglers = new Set(progress.unreadStragglers);
  const entries: Entry[] = [];
  const begun = new Set<number>();
  let known = segment.firstSequence;
  adopt(segment, content);
  for (const frame of framesBelow(content, endSequence)) {
    const { sequence, shard } = frame.header;
    progress.miss(known, sequence);
    progress.found(sequence);
    known = sequence + 1;
    if (progress.isPassed(sequence, shard, segment.shards) && !stragglers.has(sequence)) continue;
    entries.push(entryOf(segment, frame, progress.isBlind || !begun.has(shard)));
    begun.add(shard);
  }
  progress.miss(known, knownEnd);
  lanes.fill(unread, entries);
  return entries;
}

// Where to count from. What was there before the first was settled or dropped, if the cursor is the newest that there was.
function firstKnown(found: readonly FoundSegment[], { cursor, isIncomplete }: FoundCursor): Position {
  const { firstSequence = 1, jumped = 0 } = found[0]?.segment ?? {};
  const floor = { sequence: Math.max(1, cursor.floor), jumped: cursor.floorJumped };
  const isNewest = cursor !== NO_CURSOR && !isIncomplete;
  return isNewest || firstSequence <= floor.sequence ? floor : { sequence: firstSequence, jumped };
}

function adopt(segment: Segment, { header }: SoundSegment): void {
  segment.shards = header.shards;
  segment.salt = header.salt;
}

// What stands there beyond was left when storing it failed, and was then stored in the next segment.
function framesBelow({ frames }: SoundSegment, endSequence: number): ScannedFrame[] {
  return frames.filter(({ header }) => header.sequence < endSequence);
}

// It was given up, or done with, by a process before.
function isPassed(unread: Unread, { floor, stragglers }: Cursor): boolean {
  return unread.endSequence <= floor && !stragglers.some((sequence) => isWithin(unread, sequence));
}

function isWithin({ segment, endSequence }: Unread, sequence: number): boolean {
  return sequence >= segment.firstSequence && sequence < endSequence;
}

// Counts it, too.
function entryOf(segment: Segment, { header, bodyAt }: ScannedFrame, isRepeat: boolean): Entry {
  const { protocol, counts, minTimestampMs, maxTimestampMs, isSuspected, shard, storedMs } = header;
  const { sequence, bodyBytes, bodyCrc } = header;
  segment.unsettled++;
  return {
    body: { protocol, counts, minTimestampMs, maxTimestampMs, isSuspected },
    shard,
    order: -1,
    storedMs,
    place: { segment, sequence, bodyAt, bodyBytes, bodyCrc },
    isStored: true,
    isRepeat,
    bytes: undefined,
    isUnderWay: false,
    accept: undefined,
  };
}
