// Opens a partition's directory: learns its segments from their names and headers, scans the last one and cuts its torn tail.
// Must never cut anything but bytes behind the last good frame of the last segment.
import path from 'node:path';
import { LogError } from '../port.ts';
import { asLogError } from './errors.ts';
import { type LogFileSystem, readFully } from './file-system.ts';
import { checkFrame, decodeHeader, frameTimestampMs, HEADER_BYTES, type SegmentHeader } from './frame.ts';
import type { ReadAccess } from './read-access.ts';
import { firstOffsetOf, newSegment, noteFrame, type PartitionState, type Segment } from './segment.ts';
import { hasSoundFrameBehind, setAside } from './torn-tail.ts';

export interface Logger {
  warn(details: object, message: string): void;
  info(details: object, message: string): void;
}

export interface RecoveredPartition {
  state: PartitionState;
  /** Bytes cut off behind the last good frame; 0 after a clean end. */
  tornBytes: number;
}

interface Recovery {
  fileSystem: LogFileSystem;
  access: ReadAccess;
  identity: string;
  logger: Logger | undefined;
}

/** @throws LogError `log_damaged` if the last segment isn't of this log, or its header is damaged; `disk_full` */
export async function recoverPartition(recovery: Recovery, id: number, directory: string): Promise<RecoveredPartition> {
  const { fileSystem, logger } = recovery;
  await fileSystem.makeDirectory(directory);
  const state: PartitionState = {
    id,
    directory,
    segments: [],
    end: 0,
    lastTimestampMs: 0,
    lastFramePosition: HEADER_BYTES,
  };
  for (const name of await fileSystem.readDirectory(directory)) {
    const firstOffset = firstOffsetOf(name);
    if (firstOffset !== undefined) state.segments.push(newSegment(directory, firstOffset, Number.POSITIVE_INFINITY));
    else logger?.warn({ file: path.join(directory, name) }, 'not a segment: left alone');
  }
  state.segments.sort((a, b) => a.firstOffset - b.firstOffset);
  let tornBytes = await learnHeaders(recovery, state);
  const last = state.segments.at(-1);
  if (last !== undefined) tornBytes += await recoverLast(recovery, state, last);
  return { state, tornBytes };
}

/** Reads sizes and headers. A last segment whose creation was cut short holds nothing acknowledged: it is removed. */
async function learnHeaders(recovery: Recovery, state: PartitionState): Promise<number> {
  let tornBytes = 0;
  for (let i = 0; i < state.segments.length; i++) {
    const segment = state.segments[i]!;
    const isLast = i === state.segments.length - 1;
    const { header, sizeBytes } = await readHeader(recovery.fileSystem, segment.path);
    segment.endPosition = sizeBytes;
    const fits = header !== undefined && isHeaderOf(header, recovery.identity, state.id, segment.firstOffset);
    if (fits && i > 0) state.segments[i - 1]!.lastTimestampMs = header.floorMs;
    if (fits && isLast) state.lastTimestampMs = header.floorMs;
    if (fits) continue;
    if (!isLast) {
      // Sealed: its frames are checked when they are read, so the log can be opened without it.
      recovery.logger?.warn({ file: segment.path }, 'segment header damaged');
      continue;
    }
    if (header !== undefined || sizeBytes > HEADER_BYTES) {
      const what = header === undefined ? 'has a damaged header' : 'belongs to another log or place';
      throw new LogError('log_damaged', `${segment.path} ${what}: put it right or move it away`);
    }
    await recovery.fileSystem.unlink(segment.path);
    recovery.logger?.warn({ file: segment.path, sizeBytes }, 'segment whose creation was cut short removed');
    state.segments.pop();
    tornBytes += sizeBytes;
    state.end = segment.firstOffset;
    i = Math.max(-1, i - 2);
  }
  return tornBytes;
}

async function recoverLast(recovery: Recovery, state: PartitionState, segment: Segment): Promise<number> {
  const sizeBytes = segment.endPosition;
  const end = await scan(recovery.access, state, segment);
  if (end === sizeBytes) return 0;
  const { fileSystem, logger } = recovery;
  await recovery.access.drop(segment.path);
  const file = await fileSystem.open(segment.path, 'r+');
  const cut = { file: segment.path, position: end, bytes: sizeBytes - end, nextOffset: state.end };
  try {
    if (await hasSoundFrameBehind(file, end, sizeBytes, state.end)) {
      const copy = `${segment.path}.cut-${end}`;
      await setAside(fileSystem, file, end, sizeBytes, copy);
      logger?.warn({ ...cut, copy }, 'damaged record with sound ones behind it: cut here, the rest was set aside');
    } else {
      logger?.warn(cut, 'torn tail cut at the last good record');
    }
    await file.truncate(end);
    await file.datasync();
  } catch (cause) {
    throw asLogError(cause, `cutting ${segment.path}`);
  } finally {
    await file.close();
  }
  return cut.bytes;
}

/** Walks the frames of the last segment and fills in the partition's end. Position after the last good frame. */
async function scan(access: ReadAccess, state: PartitionState, segment: Segment): Promise<number> {
  const limit = segment.endPosition;
  let position = HEADER_BYTES;
  state.end = segment.firstOffset;
  segment.lastTimestampMs = state.lastTimestampMs;
  for (let isMore = true; isMore; ) {
    const before = position;
    await access.readWindow(segment.path, position, limit, ({ bytes, view, length }) => {
      let at = 0;
      for (;;) {
        const size = checkFrame(bytes, view, at, length, state.end);
        if (size <= 0) {
          isMore = size === 0 && at > 0 && before + length < limit;
          break;
        }
        state.lastTimestampMs = frameTimestampMs(view, at);
        state.lastFramePosition = before + at;
        noteFrame(segment.index, state.end, before + at);
        state.end++;
        at += size;
      }
      position = before + at;
    });
  }
  segment.endPosition = position;
  segment.lastTimestampMs = state.lastTimestampMs;
  return position;
}

async function readHeader(
  fileSystem: LogFileSystem,
  file: string,
): Promise<{ header: SegmentHeader | undefined; sizeBytes: number }> {
  const handle = await fileSystem.open(file, 'r');
  try {
    const bytes = new Uint8Array(HEADER_BYTES);
    const length = await readFully(handle, bytes, 0);
    return { header: decodeHeader(bytes.subarray(0, length)), sizeBytes: await handle.sizeBytes() };
  } finally {
    await handle.close();
  }
}

function isHeaderOf(header: SegmentHeader, identity: string, partition: number, firstOffset: number): boolean {
  return header.identity === identity && header.partition === partition && header.firstOffset === firstOffset;
}
