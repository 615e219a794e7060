// The bytes of a frame, the only thing that ledger files are made of (FORMAT.md draws it). Reads and writes buffers only; must
// never accept a frame whose checksum or place is wrong, nor allocate what a frame merely claims.
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { damaged, LedgerError, type Where } from './errors.ts';

export const FORMAT_VERSION = 1;
export const FRAME_HEAD_BYTES = 40;
/** Frames begin at multiples of this, and so do the columns in a body. */
export const ALIGNMENT = 8;
/** No frame, and no body before compression, is larger. */
export const MAX_FRAME_BYTES = 1024 * 1024 * 1024;

/** Frame types by their number on disk. Append only. */
const FRAME_TYPES = ['entry', 'claim', 'settled', 'base'] as const;
export type FrameType = (typeof FRAME_TYPES)[number];

/** `sml` and the format version. */
const MAGIC = [0x73, 0x6d, 0x6c, FORMAT_VERSION] as const;
const FLAG_ZSTD = 1;
/** Bodies below this aren't worth a compressor's time. */
const MIN_COMPRESSED_BYTES = 512;
const MAX_CHUNK_BYTES = 16 * 1024 * 1024;
const TWO_32 = 4_294_967_296;
const EMPTY = new Uint8Array(0);

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A body before compression: `bytes` begins with `indexBytes` bytes of JSON that describe the rest. */
export interface Body {
  bytes: Uint8Array;
  indexBytes: number;
}

/** A frame taken apart; views of the bytes it was read from. */
export interface Frame {
  type: FrameType;
  head: unknown;
  isCompressed: boolean;
  /** The body as stored. */
  stored: Uint8Array;
  rawBytes: number;
  indexBytes: number;
}

export function align(n: number): number {
  return Math.ceil(n / ALIGNMENT) * ALIGNMENT;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * A frame for position 0; `sealFrame` gives it another.
 * @throws LedgerError `bad_content` if it would be larger than MAX_FRAME_BYTES.
 */
export function makeFrame(type: FrameType, headJson: string, body: Body = { bytes: EMPTY, indexBytes: 0 }): Uint8Array {
  const head = new TextEncoder().encode(headJson);
  const compressed = compress(body.bytes);
  const stored = compressed ?? body.bytes;
  const bodyAt = align(FRAME_HEAD_BYTES + head.length);
  const sizeBytes = bodyAt + align(stored.length);
  if (Math.max(sizeBytes, body.bytes.length) > MAX_FRAME_BYTES) {
    throw new LedgerError('bad_content', `${sizeBytes} bytes are more than a frame may have (${MAX_FRAME_BYTES})`);
  }
  const frame = new Uint8Array(sizeBytes);
  const view = viewOf(frame);
  frame.set(MAGIC, 0);
  view.setUint32(8, sizeBytes, true);
  frame[12] = FRAME_TYPES.indexOf(type) + 1;
  frame[13] = compressed === undefined ? 0 : FLAG_ZSTD;
  view.setUint32(24, head.length, true);
  view.setUint32(28, stored.length, true);
  view.setUint32(32, body.bytes.length, true);
  view.setUint32(36, body.indexBytes, true);
  frame.set(head, FRAME_HEAD_BYTES);
  frame.set(stored, bodyAt);
  sealFrame(frame, 0);
  return frame;
}

/** Writes the frame's position in its file and its checksum: a frame found anywhere else is none. */
export function sealFrame(frame: Uint8Array, position: number): void {
  const view = viewOf(frame);
  view.setUint32(16, position % TWO_32, true);
  view.setUint32(20, Math.floor(position / TWO_32), true);
  view.setUint32(4, checksum(frame), true);
}

function checksum(frame: Uint8Array): number {
  return crc32(frame.subarray(8), crc32(frame.subarray(0, 4)));
}

/** A frame that isn't whole before the end of what was given. */
export const NOT_WHOLE = 0;
/** Bytes that can't be a frame at this place. */
export const DAMAGED = -1;

/** The size that the frame at `at` claims, or NOT_WHOLE, or DAMAGED. Looks at no more than its head. */
export function claimedBytes(bytes: Uint8Array, view: DataView, at: number, position: number): number {
  if (at + FRAME_HEAD_BYTES > bytes.length) return NOT_WHOLE;
  // The version may differ: a newer frame is told apart from damage once its checksum is known.
  if (bytes[at] !== MAGIC[0] || bytes[at + 1] !== MAGIC[1] || bytes[at + 2] !== MAGIC[2]) return DAMAGED;
  if (view.getUint32(at + 16, true) + view.getUint32(at + 20, true) * TWO_32 !== position) return DAMAGED;
  const size = view.getUint32(at + 8, true);
  return size < FRAME_HEAD_BYTES || size > MAX_FRAME_BYTES || size % ALIGNMENT !== 0 ? DAMAGED : size;
}

/** The size of the frame at `at`, which stands at `position` of its file, if it is whole and sound; else NOT_WHOLE or DAMAGED. */
export function checkFrame(bytes: Uint8Array, at: number, position: number): number {
  const view = viewOf(bytes);
  const size = claimedBytes(bytes, view, at, position);
  if (size <= 0) return size;
  if (at + size > bytes.length) return NOT_WHOLE;
  return checksum(bytes.subarray(at, at + size)) === view.getUint32(at + 4, true) ? size : DAMAGED;
}

/**
 * Takes a frame apart whose checksum is right. Its fields are checked all the same.
 * @throws LedgerError `ledger_damaged`, `ledger_incompatible`
 */
export function openFrame(bytes: Uint8Array, where: Where): Frame {
  if (bytes[3] !== FORMAT_VERSION) {
    const message = `format ${bytes[3]} is not known here (this version reads ${FORMAT_VERSION})`;
    throw new LedgerError('ledger_incompatible', message, { where });
  }
  const view = viewOf(bytes);
  const headBytes = view.getUint32(24, true);
  const storedBytes = view.getUint32(28, true);
  const rawBytes = view.getUint32(32, true);
  const indexBytes = view.getUint32(36, true);
  const bodyAt = align(FRAME_HEAD_BYTES + headBytes);
  const type = FRAME_TYPES[bytes[12]! - 1];
  const isCompressed = bytes[13] === FLAG_ZSTD;
  if (type === undefined || bytes[13]! > FLAG_ZSTD) throw damaged(where, 'a frame of an unknown type');
  const isConsistent =
    bodyAt + align(storedBytes) === bytes.length &&
    rawBytes <= MAX_FRAME_BYTES &&
    indexBytes <= rawBytes &&
    (isCompressed || rawBytes === storedBytes);
  if (!isConsistent) throw damaged(where, "the frame's lengths disagree");
  const head = parseJson(bytes.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + headBytes), where);
  return { type, head, isCompressed, stored: bytes.subarray(bodyAt, bodyAt + storedBytes), rawBytes, indexBytes };
}

/** @throws LedgerError `ledger_damaged` */
export function bodyOf(frame: Frame, where: Where): Body {
  if (!frame.isCompressed) return { bytes: frame.stored, indexBytes: frame.indexBytes };
  let bytes: Uint8Array;
  try {
    // Never more than one byte beyond what the frame claims, and that in chunks: a lie ends early.
    const chunkSize = Math.min(Math.max(frame.rawBytes, 64), MAX_CHUNK_BYTES);
    bytes = zstdDecompressSync(frame.stored, { maxOutputLength: frame.rawBytes + 1, chunkSize });
  } catch (cause) {
    throw damaged(where, `the body can't be decompressed (${(cause as Error).message})`, cause);
  }
  if (bytes.length !== frame.rawBytes) throw damaged(where, 'the body has another length than the frame says');
  return { bytes, indexBytes: frame.indexBytes };
}

export function parseJson(bytes: Uint8Array, where: Where): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw damaged(where, `not JSON (${(cause as Error).message})`, cause);
  }
}

/** Undefined where it doesn't help. */
function compress(raw: Uint8Array): Uint8Array | undefined {
  if (raw.length < MIN_COMPRESSED_BYTES || raw.length > MAX_FRAME_BYTES) return undefined;
  const compressed = zstdCompressSync(raw, {
    chunkSize: Math.min(raw.length + 1024, MAX_CHUNK_BYTES),
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
  return compressed.length < raw.length * 0.9 ? compressed : undefined;
}
