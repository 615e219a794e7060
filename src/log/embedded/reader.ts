// Reads records of one partition from its segment files, chunk by chunk. Must never hand out a record that isn't durable, out
// of order, or whose checksum is wrong.
import { type LogBatch, LogError } from '../port.ts';
import { copyBatch, measure } from './batch.ts';
import { crc32c } from './crc32c.ts';
import { asLogError } from './errors.ts';
import { checkFrame, FRAME_HEAD_BYTES, frameTenantBytes, frameTimestampMs } from './frame.ts';
import type { ReadAccess, Window } from './read-access.ts';
import {
  endOffsetOf,
  noteFrame,
  type PartitionState,
  type Segment,
  seekFrame,
  segmentIndexOf,
  startOffset,
} from './segment.ts';

/** Where a reader stands. `offset` is the next record it wants; the rest is found again when it isn't known. */
export interface Cursor {
  offset: number;
  segment: Segment | undefined;
  /** The frame at `position` has this offset, which is at most `offset`. */
  frameOffset: number;
  position: number;
}

export function cursorAt(offset: number): Cursor {
  return { offset, segment: undefined, frameOffset: offset, position: 0 };
}

/**
 * Reads one chunk and gives its records to `emit`, batch by batch, until `emit` says stop. Nothing is given at the end, or
 * while the wanted record is still to be found further on: call again as long as `cursor.offset` is below the end.
 * @param batchBytes what the listener takes at once, asked before each batch
 * @throws LogError `log_damaged` with file and position, `offset_out_of_range`
 */
export async function readChunk(
  state: PartitionState,
  access: ReadAccess,
  cursor: Cursor,
  now: () => number,
  emit: (batch: LogBatch) => boolean,
  batchBytes: () => number | undefined = () => undefined,
): Promise<void> {
  const place = locate(state, cursor);
  if (place === undefined) return;
  const { segment, endPosition, endOffset } = place;
  await readAt(state, access, segment, cursor, endPosition, (window) => {
    let at = stepOver(window, segment, cursor, endOffset);
    if (at < 0) return;
    let wantsMore = true;
    const start = cursor.position - at;
    while (wantsMore && cursor.offset < endOffset) {
      const { bytes, view, length } = window;
      const stretch = measure(bytes, view, at, length, cursor.offset, endOffset, false, batchBytes());
      if (stretch.count === 0) {
        if (stretch.ended === 'not_whole' && at > 0 && start + length < endPosition) return;
        throw damaged(segment, cursor);
      }
      const batch = copyBatch(state.id, bytes, view, at, stretch, now());
      at = stretch.next;
      cursor.offset += stretch.count;
      cursor.frameOffset = cursor.offset;
      cursor.position = start + at;
      noteFrame(segment.index, cursor.frameOffset, cursor.position);
      wantsMore = emit(batch);
    }
  });
}

/** Timestamp and CRC-32C of one record's bytes; undefined if the offset is outside the partition's bounds. */
export async function identifyRecord(
  state: PartitionState,
  access: ReadAccess,
  offset: number,
): Promise<{ timestampMs: number; crc: number } | undefined> {
  if (!Number.isSafeInteger(offset) || offset < startOffset(state) || offset >= state.end) return undefined;
  const cursor = cursorAt(offset);
  for (;;) {
    if (offset < startOffset(state)) return undefined;
    const place = locate(state, cursor);
    if (place === undefined) return undefined;
    const { segment, endPosition, endOffset } = place;
    const found = await readAt(state, access, segment, cursor, endPosition, ({ bytes, view, length }) => {
      const at = stepOver({ bytes, view, length }, segment, cursor, endOffset);
      if (at < 0) return undefined;
      const size = checkFrame(bytes, view, at, length, offset);
      if (size <= 0) throw damaged(segment, cursor);
      const valueAt = at + FRAME_HEAD_BYTES + frameTenantBytes(view, at);
      return { timestampMs: frameTimestampMs(view, at), crc: crc32c(bytes, valueAt, at + size) };
    });
    if (found !== undefined) return found;
  }
}

interface Place {
  segment: Segment;
  /** Both as they were before the read began: what is appended meanwhile is for the next one. */
  endPosition: number;
  endOffset: number;
}

function locate(state: PartitionState, cursor: Cursor): Place | undefined {
  const start = startOffset(state);
  if (cursor.offset < start || cursor.offset > state.end) {
    const bounds = `partition ${state.id} holds ${start} to ${state.end}`;
    throw new LogError('offset_out_of_range', `offset ${cursor.offset} isn't in the log: ${bounds}`);
  }
  if (cursor.offset === state.end) return undefined;
  const index = segmentIndexOf(state, cursor.offset);
  const segment = state.segments[index]!;
  if (cursor.segment !== segment) {
    const frame = seekFrame(segment.index, cursor.offset);
    cursor.segment = segment;
    cursor.frameOffset = frame.offset;
    cursor.position = frame.position;
  }
  return { segment, endPosition: segment.endPosition, endOffset: endOffsetOf(state, index) };
}

async function readAt<T>(
  state: PartitionState,
  access: ReadAccess,
  segment: Segment,
  cursor: Cursor,
  endPosition: number,
  use: (window: Window) => T,
): Promise<T> {
  try {
    return await access.readWindow(segment.path, cursor.position, endPosition, use);
  } catch (cause) {
    if (cursor.offset < startOffset(state)) {
      throw new LogError('offset_out_of_range', `offset ${cursor.offset} of partition ${state.id} was deleted`, {
        cause,
      });
    }
    throw asLogError(cause, `reading ${segment.path}`);
  }
}

/**
 * Moves the cursor over frames before the wanted one. Position of the wanted frame in the window, or -1 if it lies behind it:
 * then the cursor has moved as far as the window goes.
 */
function stepOver(window: Window, segment: Segment, cursor: Cursor, endOffset: number): number {
  let at = 0;
  while (cursor.frameOffset < cursor.offset) {
    const size = checkFrame(window.bytes, window.view, at, window.length, cursor.frameOffset);
    if (size <= 0) {
      if (size === 0 && at > 0) return -1;
      throw damaged(segment, cursor);
    }
    at += size;
    cursor.frameOffset++;
    cursor.position += size;
    noteFrame(segment.index, cursor.frameOffset, cursor.position);
  }
  // The wanted frame may begin in this window and end in the next.
  if (at > 0 && checkFrame(window.bytes, window.view, at, window.length, cursor.offset) === 0) return -1;
  if (cursor.offset >= endOffset) throw damaged(segment, cursor);
  return at;
}

function damaged(segment: Segment, cursor: Cursor): LogError {
  const where = `${segment.path} at byte ${cursor.position} (offset ${cursor.frameOffset})`;
  return new LogError('log_damaged', `no sound record in ${where}`);
}
