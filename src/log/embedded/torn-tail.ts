// Decides what the bytes after the last good frame are. A torn write leaves no sound frame behind it: it is cut, and nothing is
// lost. Sound frames behind a damaged one may have been acknowledged: they are set aside in a file of their own before the cut.

import { type LogFile, type LogFileSystem, readFully, writeFully } from './file-system.ts';
import { checkFrame, DAMAGED, FRAME_HEAD_BYTES, frameOffset, viewOf } from './frame.ts';

/** How far behind the damage a sound frame is looked for; the rest is taken for torn. */
const SEARCH_BYTES = 8 * 1024 * 1024;
const COPY_BYTES = 1024 * 1024;

/** Whether a sound frame with an offset above `expected` begins between `position` and `end`. */
export async function hasSoundFrameBehind(
  file: LogFile,
  position: number,
  end: number,
  expected: number,
): Promise<boolean> {
  const bytes = new Uint8Array(Math.min(SEARCH_BYTES, end - position));
  const length = await readFully(file, bytes, position);
  const view = viewOf(bytes);
  for (let at = 1; at + FRAME_HEAD_BYTES <= length; at++) {
    const offset = frameOffset(view, at);
    // Few byte sequences look like an offset that could come next, so nearly no checksum is computed in vain.
    if (offset <= expected || offset > expected + length / FRAME_HEAD_BYTES) continue;
    const size = checkFrame(bytes, view, at, length, offset);
    if (size !== DAMAGED && size > 0) return true;
  }
  return false;
}

/** Copies what is about to be cut to `target` and makes it durable. */
export async function setAside(
  fileSystem: LogFileSystem,
  file: LogFile,
  position: number,
  end: number,
  target: string,
): Promise<void> {
  const copy = await fileSystem.open(target, 'w+');
  try {
    const bytes = new Uint8Array(COPY_BYTES);
    for (let at = position; at < end; ) {
      const n = await readFully(file, bytes.subarray(0, Math.min(COPY_BYTES, end - at)), at);
      if (n === 0) break;
      await writeFully(copy, bytes.subarray(0, n), at - position);
      at += n;
    }
    await copy.datasync();
  } finally {
    await copy.close();
  }
}
