// The bytes of a record and of a segment's header (FORMAT.md draws both). Reads and writes buffers only; must never accept a
// frame whose checksum or offset is wrong.
import { crc32c } from './crc32c.ts';

/** Bytes of a frame before its tenant: crc u32, length u32, offset u64, timestamp u64, tenant length u16, encoding u8, zero u8. */
export const FRAME_HEAD_BYTES = 28;
/** Bytes of a frame that its length field doesn't count: the checksum and the length itself. */
const UNCOUNTED_BYTES = 8;
export const HEADER_BYTES = 48;
export const FORMAT_VERSION = 1;
export const MAX_TENANT_BYTES = 65_535;

const MAGIC = new TextEncoder().encode('spanmlog');
const TWO_32 = 4_294_967_296;

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function frameBytes(tenantBytes: number, valueBytes: number): number {
  return FRAME_HEAD_BYTES + tenantBytes + valueBytes;
}

/** Writes a frame at `at` and returns the position after it. */
export function writeFrame(
  buf: Uint8Array,
  view: DataView,
  at: number,
  offset: number,
  timestampMs: number,
  encoding: number,
  tenant: Uint8Array,
  value: Uint8Array,
): number {
  const end = at + FRAME_HEAD_BYTES + tenant.length + value.length;
  view.setUint32(at + 4, end - at - UNCOUNTED_BYTES, true);
  setUint64(view, at + 8, offset);
  setUint64(view, at + 16, timestampMs);
  view.setUint16(at + 24, tenant.length, true);
  buf[at + 26] = encoding;
  buf[at + 27] = 0;
  buf.set(tenant, at + FRAME_HEAD_BYTES);
  buf.set(value, at + FRAME_HEAD_BYTES + tenant.length);
  view.setUint32(at, crc32c(buf, at + 4, end), true);
  return end;
}

/** Bytes that the frame at `at` claims to have, 0 if not even its length is there. Unchecked. */
export function claimedFrameBytes(view: DataView, at: number, to: number): number {
  return at + UNCOUNTED_BYTES > to ? 0 : view.getUint32(at + 4, true) + UNCOUNTED_BYTES;
}

/** A frame that isn't whole before the end of what was read. */
export const NOT_WHOLE = 0;
/** A frame that can't be one of this log, at this place. */
export const DAMAGED = -1;

/** Size of the frame at `at` if it is whole, sound and has `offset`; else NOT_WHOLE or DAMAGED. */
export function checkFrame(buf: Uint8Array, view: DataView, at: number, to: number, offset: number): number {
  const size = claimedFrameBytes(view, at, to);
  if (size === 0) return NOT_WHOLE;
  if (size < FRAME_HEAD_BYTES) return DAMAGED;
  if (at + size > to) return NOT_WHOLE;
  if (frameOffset(view, at) !== offset || FRAME_HEAD_BYTES + frameTenantBytes(view, at) > size) return DAMAGED;
  return crc32c(buf, at + 4, at + size) === view.getUint32(at, true) ? size : DAMAGED;
}

export function frameOffset(view: DataView, at: number): number {
  return getUint64(view, at + 8);
}

export function frameTimestampMs(view: DataView, at: number): number {
  return getUint64(view, at + 16);
}

export function frameTenantBytes(view: DataView, at: number): number {
  return view.getUint16(at + 24, true);
}

export function frameEncoding(buf: Uint8Array, at: number): number {
  return buf[at + 26]!;
}

export interface SegmentHeader {
  /** 16 hex digits, as in log.json. */
  identity: string;
  partition: number;
  firstOffset: number;
  /** Timestamp of the last record before this segment; 0 if there is none. */
  floorMs: number;
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = viewOf(bytes);
  bytes.set(MAGIC, 0);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, header.partition, true);
  view.setBigUint64(16, BigInt(`0x${header.identity}`), false);
  setUint64(view, 24, header.firstOffset);
  setUint64(view, 32, header.floorMs);
  view.setUint32(44, crc32c(bytes, 0, 44), true);
  return bytes;
}

/** Undefined if the bytes aren't a sound header of this version. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < HEADER_BYTES || !MAGIC.every((byte, i) => bytes[i] === byte)) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(44, true) !== crc32c(bytes, 0, 44) || view.getUint32(8, true) !== FORMAT_VERSION) return undefined;
  return {
    identity: view.getBigUint64(16, false).toString(16).padStart(16, '0'),
    partition: view.getUint32(12, true),
    firstOffset: getUint64(view, 24),
    floorMs: getUint64(view, 32),
  };
}
