// Frames in a buffer become a LogBatch: counted first, then copied once into arrays of exactly their size, each with a buffer
// of its own so that a batch can move to another thread.
import { type LogBatch, RECORD_HEAD_BYTES } from '../port.ts';
import {
  checkFrame,
  claimedFrameBytes,
  DAMAGED,
  FRAME_HEAD_BYTES,
  frameEncoding,
  frameOffset,
  frameTenantBytes,
  frameTimestampMs,
  NOT_WHOLE,
} from './frame.ts';

export const MAX_BATCH_RECORDS = 2_000;
export const MAX_BATCH_BYTES = 1024 * 1024;

/** What a stretch of frames holds, up to the limits of one batch. */
export interface Stretch {
  count: number;
  /** Bytes of the records' values. */
  valueBytes: number;
  /** Position after the last frame that was taken. */
  next: number;
  /** Why it ended: batch full, offsets done, last frame not whole, or damaged at `next`. */
  ended: 'full' | 'done' | 'not_whole' | 'damaged';
}

/**
 * Takes frames from `from` on, the first with `offset`, until a batch is full or `endOffset` is reached. They are checked,
 * unless they come straight from the writer.
 * @param limitBytes what the listener takes at once (LogListener.batchBytes)
 */
export function measure(
  buf: Uint8Array,
  view: DataView,
  from: number,
  to: number,
  offset: number,
  endOffset: number,
  isTrusted = false,
  limitBytes = Number.POSITIVE_INFINITY,
): Stretch {
  let at = from;
  let count = 0;
  let valueBytes = 0;
  while (offset + count < endOffset) {
    const size = isTrusted ? claimedFrameBytes(view, at, to) : checkFrame(buf, view, at, to, offset + count);
    if (size === NOT_WHOLE) return { count, valueBytes, next: at, ended: 'not_whole' };
    if (size === DAMAGED) return { count, valueBytes, next: at, ended: 'damaged' };
    const value = size - FRAME_HEAD_BYTES - frameTenantBytes(view, at);
    const sumBytes = valueBytes + value;
    const isFull = count === MAX_BATCH_RECORDS || sumBytes > MAX_BATCH_BYTES;
    if (count > 0 && (isFull || sumBytes + (count + 1) * RECORD_HEAD_BYTES > limitBytes)) {
      return { count, valueBytes, next: at, ended: 'full' };
    }
    count++;
    valueBytes += value;
    at += size;
  }
  return { count, valueBytes, next: at, ended: 'done' };
}

/** Copies a measured stretch, which starts at `from`, into a batch. */
export function copyBatch(
  partition: number,
  buf: Uint8Array,
  view: DataView,
  from: number,
  stretch: Stretch,
  readAtMs: number,
): LogBatch {
  const { count } = stretch;
  const offsets = new Float64Array(count);
  const timestampsMs = new Float64Array(count);
  const encodings = new Uint8Array(count);
  const tenantOf = new Uint16Array(count);
  const starts = new Uint32Array(count + 1);
  const bytes = new Uint8Array(stretch.valueBytes);
  const tenants: string[] = [];
  let tenant = -1;
  let tenantAt = 0;
  let tenantBytes = -1;
  let at = from;
  let top = 0;
  for (let i = 0; i < count; i++) {
    const end = at + claimedFrameBytes(view, at, stretch.next);
    const nameAt = at + FRAME_HEAD_BYTES;
    const nameBytes = frameTenantBytes(view, at);
    offsets[i] = frameOffset(view, at);
    timestampsMs[i] = frameTimestampMs(view, at);
    encodings[i] = frameEncoding(buf, at);
    // Neighbours mostly share their tenant: text is decoded only where the bytes change.
    if (nameBytes !== tenantBytes || !sameBytes(buf, tenantAt, nameAt, nameBytes)) {
      const name = Buffer.from(buf.buffer, buf.byteOffset + nameAt, nameBytes).toString('utf8');
      tenant = tenants.indexOf(name);
      if (tenant < 0) tenant = tenants.push(name) - 1;
      tenantBytes = nameBytes;
    }
    tenantAt = nameAt;
    tenantOf[i] = tenant;
    starts[i] = top;
    bytes.set(buf.subarray(nameAt + nameBytes, end), top);
    top += end - nameAt - nameBytes;
    at = end;
  }
  starts[count] = top;
  return { partition, count, offsets, timestampsMs, encodings, tenants, tenantOf, starts, bytes, readAtMs };
}

function sameBytes(buf: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (buf[a + i] !== buf[b + i]) return false;
  return true;
}
