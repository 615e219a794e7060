// Reads a file frame by frame, and decides what bytes after the last good frame are. Each frame is durable before the next one
// is written, so a torn write has no sound frame behind it: where there is one, something that was durable has been damaged.
import { damaged, type Where } from './errors.ts';
import { type LedgerFile, readFully } from './file-system.ts';
import {
  ALIGNMENT,
  checkFrame,
  claimedBytes,
  DAMAGED,
  FRAME_HEAD_BYTES,
  type Frame,
  openFrame,
  viewOf,
} from './frame.ts';

const FIRST_READ_BYTES = 64 * 1024;
const SEARCH_BYTES = 1024 * 1024;

export interface WalkEnd {
  /** Where the last good frame ends. */
  end: number;
  sizeBytes: number;
  /** Where the last good frame begins; equal to `end` if there is none. */
  lastFrameAt: number;
  /** There are bytes behind the last good frame, and a sound frame among them. */
  hasFramesBehind: boolean;
}

/** Calls `onFrame` for each sound frame from the start of the file on. Its views are good until it returns. */
export async function walkFrames(
  file: LedgerFile,
  path: string,
  onFrame: (frame: Frame, where: Where, sizeBytes: number) => void,
): Promise<WalkEnd> {
  const sizeBytes = await file.sizeBytes();
  let at = 0;
  let lastFrameAt = 0;
  while (at < sizeBytes) {
    const bytes = await readSoundFrame(file, at, sizeBytes);
    if (bytes === undefined) break;
    const where = { file: path, position: at };
    onFrame(openFrame(bytes, where), where, bytes.length);
    lastFrameAt = at;
    at += bytes.length;
  }
  const hasFramesBehind = at < sizeBytes && (await hasSoundFrameIn(file, at + ALIGNMENT, sizeBytes));
  return { end: at, sizeBytes, lastFrameAt, hasFramesBehind };
}

/** The frame at `position`, or undefined if there is no sound one before `end`. Allocates no more than the file holds. */
export async function readSoundFrame(file: LedgerFile, position: number, end: number): Promise<Uint8Array | undefined> {
  const first = new Uint8Array(Math.min(FIRST_READ_BYTES, end - position));
  const got = first.subarray(0, await readFully(file, first, position));
  const size = claimedBytes(got, viewOf(got), 0, position);
  if (size <= 0 || position + size > end) return undefined;
  let frame = got.subarray(0, size);
  if (size > got.length) {
    frame = new Uint8Array(size);
    frame.set(got, 0);
    if ((await readFully(file, frame.subarray(got.length), position + got.length)) < size - got.length)
      return undefined;
  }
  return checkFrame(frame, 0, position) === size ? frame : undefined;
}

/**
 * The frame that is known to be at `position`.
 * @throws LedgerError `ledger_damaged`
 */
export async function readFrame(
  file: LedgerFile,
  where: Where,
  end: number,
): Promise<{ frame: Frame; sizeBytes: number }> {
  const bytes = await readSoundFrame(file, where.position, end);
  if (bytes === undefined) throw damaged(where, 'the frame is damaged or cut short');
  return { frame: openFrame(bytes, where), sizeBytes: bytes.length };
}

async function hasSoundFrameIn(file: LedgerFile, from: number, end: number): Promise<boolean> {
  const bytes = new Uint8Array(SEARCH_BYTES + FRAME_HEAD_BYTES);
  for (let start = from; start + FRAME_HEAD_BYTES <= end; start += SEARCH_BYTES) {
    const window = bytes.subarray(0, Math.min(bytes.length, end - start));
    const length = await readFully(file, window, start);
    const view = viewOf(window);
    for (let at = 0; at < SEARCH_BYTES && at + FRAME_HEAD_BYTES <= length; at += ALIGNMENT) {
      // A frame names its own position, so next to nothing but a frame gets past this.
      if (claimedBytes(window, view, at, start + at) === DAMAGED) continue;
      if ((await readSoundFrame(file, start + at, end)) !== undefined) return true;
    }
  }
  return false;
}
