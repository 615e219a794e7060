// Reads a segment's file, whole or what is left of it, and says what it makes of it. It changes nothing.

import { type DiskFile, type FileSystem, isBadPlace } from './file-system.ts';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  type SegmentName,
  type SegmentScan,
  scanSegment,
} from './segment.ts';

export interface SoundSegment extends SegmentScan {
  kind: 'sound';
  sizeBytes: number;
  header: SegmentHeader;
}

/**
 * - `blank`: too short for a header, or nothing but zeros: it holds nothing, and never will.
 * - `foreign`: not a segment, or one whose header is damaged.
 * - `unread`: the disk can't read it, now.
 */
export type SegmentContent = SoundSegment | { kind: 'blank' | 'foreign' | 'unread'; sizeBytes: number };

export type OnReadError = (error: unknown) => void;

const PIECE_BYTES = 65_536;
const SMALL_PIECE_BYTES = 4_096;
/** Each may take a dying disk seconds. */
const MAX_BAD_PIECES = 100;

/** Rejects for what may be mended, and with DiskQueueError `unknown_format`. */
export async function readSegment(
  fs: FileSystem,
  path: string,
  name: SegmentName,
  onError: OnReadError,
): Promise<SegmentContent> {
  try {
    return understand((await fs.read(path)) ?? Buffer.alloc(0), name);
  } catch (error) {
    if (!isBadPlace(error)) throw error;
    onError(error);
    const size = await fs.size(path).catch(onError);
    return { kind: 'unread', sizeBytes: size ?? 0 };
  }
}

/** What can be read of it, zeros for the rest. */
export async function salvageSegment(
  fs: FileSystem,
  path: string,
  name: SegmentName,
  onError: OnReadError,
): Promise<SegmentContent> {
  let sizeBytes = 0;
  try {
    sizeBytes = (await fs.size(path)) ?? 0;
    const file = await fs.open(path, 'existing');
    try {
      return understand(await readPieces(file, sizeBytes, onError), name);
    } finally {
      await file.close();
    }
  } catch (error) {
    onError(error);
    return { kind: 'unread', sizeBytes };
  }
}

function understand(bytes: Buffer, { firstSequence }: SegmentName): SegmentContent {
  const sizeBytes = bytes.length;
  const header = decodeSegmentHeader(bytes);
  if (header?.firstSequence === firstSequence)
    return { kind: 'sound', sizeBytes, header, ...scanSegment(bytes, header) };
  const isBlank = sizeBytes < SEGMENT_HEADER_BYTES || bytes.equals(Buffer.alloc(sizeBytes));
  return { kind: isBlank ? 'blank' : 'foreign', sizeBytes };
}

async function readPieces(file: DiskFile, sizeBytes: number, onError: OnReadError): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  let bad = 0;
  const read = async (from: number, to: number, pieceBytes: number) => {
    for (let at = from; at < to && bad < MAX_BAD_PIECES; at += pieceBytes) {
      const end = Math.min(to, at + pieceBytes);
      try {
        (await file.read(end - at, at)).copy(bytes, at);
      } catch (error) {
        onError(error);
        bad++;
        if (pieceBytes > SMALL_PIECE_BYTES) await read(at, end, SMALL_PIECE_BYTES);
      }
    }
  };
  await read(0, sizeBytes, PIECE_BYTES);
  return bytes;
}
