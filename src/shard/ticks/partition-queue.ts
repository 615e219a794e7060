// What was delivered of one partition and isn't folded yet, in order, and how far its end is known. Decides nothing.

import type { EndMark, LogBatch } from '../../log/index.ts';

/** Before any record with a time of its own. Stamps below 0 (Kafka says -1 for "no timestamp") never raise a partition's time. */
const NO_TIME_MS = -1;

export interface QueuedBatch {
  readonly batch: LogBatch;
  readonly sizeBytes: number;
  /** The next record to fold. */
  index: number;
  /** What end marks that came right after this batch said; -Infinity without one. */
  markEnd: number;
  markWallMs: number;
  next: QueuedBatch | undefined;
}

/** Bytes that a batch holds in memory. */
export function batchSizeBytes(batch: LogBatch): number {
  const { offsets, timestampsMs, encodings, tenantOf, starts, bytes } = batch;
  const perRecord = offsets.byteLength + timestampsMs.byteLength + encodings.byteLength + tenantOf.byteLength;
  return bytes.byteLength + perRecord + starts.byteLength;
}

export class PartitionQueue {
  readonly id: number;
  nextOffset: number;
  /**
   * Effective time of the last folded record: the running maximum of the partition. It isn't kept over a restart, and need not
   * be: whatever a closed tick folded is below the tick's end, and so below the first tick that is opened then.
   */
  timeMs = NO_TIME_MS;
  /** At this wall time the partition's end was at or below `nextOffset`. */
  reachedMs = Number.NEGATIVE_INFINITY;
  /** When something of it was last delivered, or when it was last paused or resumed, by the clock of patience. */
  heardAtMs = 0;
  isPaused = false;
  isReleased = false;
  bufferedBytes = 0;
  /** One more than the last offset that was delivered. */
  deliveredOffset: number;
  first: QueuedBatch | undefined;
  private last: QueuedBatch | undefined;

  constructor(id: number, nextOffset: number) {
    this.id = id;
    this.nextOffset = nextOffset;
    this.deliveredOffset = nextOffset;
  }

  /** Queues what is new of the batch. Number of its records that had been delivered before. */
  offer(batch: LogBatch): number {
    const { count, offsets } = batch;
    let index = 0;
    while (index < count && offsets[index]! < this.deliveredOffset) index++;
    if (index === count) return index;
    this.deliveredOffset = offsets[count - 1]! + 1;
    const none = Number.NEGATIVE_INFINITY;
    const sizeBytes = batchSizeBytes(batch);
    const queued: QueuedBatch = { batch, sizeBytes, index, markEnd: none, markWallMs: none, next: undefined };
    if (this.last === undefined) this.first = queued;
    else this.last.next = queued;
    this.last = queued;
    this.bufferedBytes += sizeBytes;
    return index;
  }

  /** The mark stands behind all that was delivered before it: it counts once that is folded. Marks in a row become one. */
  end(mark: EndMark): void {
    const { last } = this;
    if (last === undefined) {
      this.reach(mark.end, mark.wallMs);
      return;
    }
    last.markEnd = Math.max(last.markEnd, mark.end);
    last.markWallMs = Math.max(last.markWallMs, mark.wallMs);
  }

  /** Takes the first batch, which is folded to its end, off the queue. Its size in bytes. */
  shift(): number {
    const queued = this.first!;
    this.first = queued.next;
    if (this.first === undefined) this.last = undefined;
    this.bufferedBytes -= queued.sizeBytes;
    if (queued.markWallMs !== Number.NEGATIVE_INFINITY) this.reach(queued.markEnd, queued.markWallMs);
    return queued.sizeBytes;
  }

  /** Effective time of the next record; the queue isn't empty. */
  nextTimeMs(maxAheadMs: number): number {
    const { batch, index } = this.first!;
    const stampMs = batch.timestampsMs[index]!;
    return stampMs > this.timeMs && stampMs <= batch.readAtMs + maxAheadMs ? stampMs : this.timeMs;
  }

  /** Time of the first queued record that has one of its own, at the first start; undefined if there is none. */
  firstTimeMs(maxAheadMs: number): number | undefined {
    for (let queued = this.first; queued !== undefined; queued = queued.next) {
      const { batch } = queued;
      for (let i = queued.index; i < batch.count; i++) {
        const stampMs = batch.timestampsMs[i]!;
        if (stampMs > NO_TIME_MS && stampMs <= batch.readAtMs + maxAheadMs) return stampMs;
      }
    }
    return undefined;
  }

  private reach(end: number, wallMs: number): void {
    // The end may lie beyond the last record: compacted ones and control records are never delivered.
    if (end > this.nextOffset) this.nextOffset = end;
    if (end > this.deliveredOffset) this.deliveredOffset = end;
    if (wallMs > this.reachedMs) this.reachedMs = wallMs;
    this.isReleased = false;
  }
}
