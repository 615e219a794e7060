// What the process knows of one partition and its segments: offsets, sizes, times, and a sparse index from offsets to
// positions. Only durable things are in here: the writer changes it after its fsync, so that readers can trust it.
import path from 'node:path';
import { HEADER_BYTES } from './frame.ts';

const INDEX_STEP_BYTES = 1024 * 1024;
const NAME = /^(\d{20})\.segment$/;

/** Where the frame of an offset starts, every MiB or so. Filled while frames are written, scanned or read. */
export interface SparseIndex {
  offsets: number[];
  positions: number[];
}

export interface Segment {
  readonly path: string;
  readonly firstOffset: number;
  /** Position after the last durable frame. What lies behind it in the file is no record. */
  endPosition: number;
  /** Of the newest record; Infinity where it couldn't be learnt: such a segment never counts as old. */
  lastTimestampMs: number;
  readonly index: SparseIndex;
}

export interface PartitionState {
  readonly id: number;
  readonly directory: string;
  /** Ascending, without gaps as far as names tell; the last one is written to. Empty before the first record. */
  readonly segments: Segment[];
  /** The next offset to be written: all below it are durable. */
  end: number;
  lastTimestampMs: number;
  /** Position of the newest frame in the last segment, or the header's end. */
  lastFramePosition: number;
}

export function segmentName(firstOffset: number): string {
  return `${String(firstOffset).padStart(20, '0')}.segment`;
}

/** The first offset that a file name states, or undefined if it is no segment's. */
export function firstOffsetOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  const offset = digits === undefined ? Number.NaN : Number(digits);
  return Number.isSafeInteger(offset) ? offset : undefined;
}

export function newSegment(directory: string, firstOffset: number, floorMs: number): Segment {
  return {
    path: path.join(directory, segmentName(firstOffset)),
    firstOffset,
    endPosition: HEADER_BYTES,
    lastTimestampMs: floorMs,
    index: { offsets: [firstOffset], positions: [HEADER_BYTES] },
  };
}

export function startOffset(state: PartitionState): number {
  return state.segments[0]?.firstOffset ?? state.end;
}

/** Index in `state.segments` of the segment that holds `offset`; the offset must lie in the partition's bounds. */
export function segmentIndexOf(state: PartitionState, offset: number): number {
  return lastAtMost(state.segments.length, offset, (i) => state.segments[i]!.firstOffset);
}

/** The offset after the segment's last record. The next segment's name decides, not what the file holds behind it. */
export function endOffsetOf(state: PartitionState, index: number): number {
  return state.segments[index + 1]?.firstOffset ?? state.end;
}

export function noteFrame(index: SparseIndex, offset: number, position: number): void {
  const last = index.offsets.length - 1;
  if (offset <= index.offsets[last]! || position < index.positions[last]! + INDEX_STEP_BYTES) return;
  index.offsets.push(offset);
  index.positions.push(position);
}

/** The nearest known frame at or before `offset`. */
export function seekFrame(index: SparseIndex, offset: number): { offset: number; position: number } {
  const i = lastAtMost(index.offsets.length, offset, (k) => index.offsets[k]!);
  return { offset: index.offsets[i]!, position: index.positions[i]! };
}

/** The greatest i with valueAt(i) <= value; 0 if there is none. */
function lastAtMost(length: number, value: number, valueAt: (i: number) => number): number {
  let low = 0;
  let high = length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (valueAt(middle) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
