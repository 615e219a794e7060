// One partition as a consumer follows it: the position, what was fetched and not yet delivered, and the delivery in order. Synchronous:
// nothing is held open, and after a pause not one more record is delivered.

import { LogError, type LogListener } from '../port.ts';
import type { BatchBuilder } from './batch-builder.ts';
import type { EnvelopeReader } from './envelope.ts';
import type { FetchedPartition } from './fetch-response.ts';
import type { KafkaLogStats, Lag, Skipped, SkipReason } from './options.ts';
import { detached, freeUncompressed, type RecordSet, type RecordView, readRecords, recordSet } from './record-batch.ts';

const MIN_ASK_BYTES = 1024;
const MAX_ASK_BYTES = 2 ** 30;
/** So little that no record fits, but a broker answers. */
const END_ONLY_BYTES = 1;

export interface Delivery {
  listener: LogListener;
  builder: BatchBuilder;
  envelopes: EnvelopeReader;
  checkCrcs: boolean;
  stats: KafkaLogStats;
  now(): number;
  onSkipped(skipped: Skipped): void;
}

export class Follower {
  readonly partition: number;
  /** Next offset to be delivered. */
  position: number;
  isPaused = false;
  hasFailed = false;
  isStopped = false;
  /** Bytes asked for in the fetch that is under way; 0 = none is. */
  asked = 0;
  /** Grows when a batch did not fit into what was asked for. */
  private askBytes: number;
  private waiting: RecordSet | undefined;
  /** The end as last seen, until it is reached and said. */
  private end: number | undefined;
  private endSeenMs = 0;
  /** The newest end that was said. */
  private knownEnd = 0;
  /** Offset after the last record in the builder, and after the last one that was counted as skipped. */
  private upTo = 0;
  private skippedUpTo = 0;
  private lastTimestampMs: number | undefined;
  private lastOffset: number | undefined;
  private readonly delivery: Delivery;

  constructor(partition: number, position: number, askBytes: number, delivery: Delivery) {
    this.partition = partition;
    this.position = position;
    this.askBytes = Math.max(askBytes, MIN_ASK_BYTES);
    this.delivery = delivery;
  }

  /** What waits for a resume. */
  get waitingBytes(): number {
    return this.waiting?.bytes.length ?? 0;
  }

  /**
   * Bytes to ask for; 0: nothing is to be asked. One answer may wait while the partition is paused, where `mayWait` says that there is room
   * for it. Without room one that is paused at its end still learns of the end, so that whoever waits for that end isn't stuck.
   */
  wantedBytes(mayWait: boolean): number {
    if (this.waiting !== undefined || this.asked > 0 || this.hasFailed || this.isStopped) return 0;
    if (!this.isPaused || mayWait) return this.askBytes;
    return this.end === undefined ? END_ONLY_BYTES : 0;
  }

  /** @param askedMs when the fetch was sent: what the answer says of the end was true at that time or later */
  fetched(part: FetchedPartition, askedMs: number): void {
    if (this.hasFailed || this.isStopped) return;
    this.end = part.lastStable;
    this.endSeenMs = askedMs;
    if (part.records.length > END_ONLY_BYTES) this.waiting = recordSet(part.records, part.aborted);
    this.goOn();
    // What waits for a resume must not keep the whole answer, with the records of all other partitions, in memory.
    if (this.waiting !== undefined) this.waiting = detached(this.waiting);
  }

  resume(): void {
    this.isPaused = false;
  }

  /** Delivers what waits, as far as it may, and says so when the end is reached. */
  goOn(): void {
    if (this.hasFailed || this.isStopped) return;
    const set = this.waiting;
    if (set !== undefined) {
      if (this.isPaused) return;
      try {
        this.deliver(set);
      } catch (cause) {
        this.fail(asError(cause));
      }
      if (this.isPaused || this.hasFailed || this.isStopped) return;
    }
    if (this.end !== undefined && this.position >= this.end) {
      const mark = { partition: this.partition, end: this.position, wallMs: this.endSeenMs };
      this.end = undefined;
      this.knownEnd = mark.end;
      this.call(() => this.delivery.listener.onEnd(mark));
    }
  }

  lag(nowMs: number): Lag {
    const records = Math.max(0, Math.max(this.end ?? 0, this.knownEnd) - this.position);
    const seconds =
      records === 0 || this.lastTimestampMs === undefined ? 0 : Math.max(0, nowMs - this.lastTimestampMs) / 1000;
    return { records, seconds };
  }

  /** The record that was delivered last, undefined before the first. */
  get lastRecord(): { offset: number; timestampMs: number } | undefined {
    const { lastOffset: offset, lastTimestampMs: timestampMs } = this;
    return offset === undefined || timestampMs === undefined ? undefined : { offset, timestampMs };
  }

  fail(error: Error): void {
    if (this.hasFailed || this.isStopped) return;
    this.hasFailed = true;
    this.waiting = undefined;
    try {
      this.delivery.listener.onError(this.partition, error);
    } catch {
      // It has been told; nothing more can be done for this partition.
    }
  }

  private deliver(set: RecordSet): void {
    const { builder, checkCrcs } = this.delivery;
    const from = this.position;
    const startedAt = set.position;
    builder.reset();
    const next = readRecords(
      set,
      from,
      { record: (record) => this.take(record), skipped: (...skipped) => this.skip(...skipped) },
      { checkCrcs },
    );
    const readOn = !this.mustStop();
    if (!builder.isEmpty) {
      // What was read before a pause and is not full yet: it is not delivered, and read again after it.
      if (readOn) this.flush();
      else builder.reset();
    }
    freeUncompressed(set);
    if (!readOn) return;
    this.position = Math.max(this.position, next);
    this.waiting = undefined;
    if (this.position > from) return;
    // Not one whole batch came: ask for more, as the first batch of a fetch is whole only for brokers that know of it. Without end it
    // would be asked for again and again.
    if (set.position > startedAt || this.askBytes === MAX_ASK_BYTES)
      throw new LogError('log_damaged', `partition ${this.partition} can't be read on at offset ${from}`);
    this.askBytes = Math.min(this.askBytes * 2, MAX_ASK_BYTES);
  }

  private take(record: RecordView): boolean {
    const { builder, envelopes, listener } = this.delivery;
    const envelope = envelopes.open(record);
    if (typeof envelope === 'string') {
      this.skip(envelope, record.offset, 1);
      return true;
    }
    if (!builder.hasRoomFor(envelope.end - envelope.start, listener.batchBytes ?? Number.POSITIVE_INFINITY)) {
      this.flush();
      if (this.mustStop()) return false;
    }
    builder.add(envelope, record.offset, record.timestampMs);
    this.upTo = record.offset + 1;
    return true;
  }

  private flush(): void {
    const { builder, listener, stats, now } = this.delivery;
    const batch = builder.take(this.partition, now());
    this.position = this.upTo;
    this.lastTimestampMs = batch.timestampsMs[batch.count - 1]!;
    this.lastOffset = batch.offsets[batch.count - 1]!;
    stats.batches++;
    stats.records += batch.count;
    stats.bytes += batch.bytes.length;
    this.call(() => listener.onBatch(batch));
  }

  private skip(reason: SkipReason, offset: number, count: number, detail?: string): void {
    // Read again after a pause: counted already.
    if (offset + count <= this.skippedUpTo) return;
    this.skippedUpTo = offset + count;
    this.delivery.stats.skipped[reason] += count;
    this.delivery.onSkipped({
      reason,
      partition: this.partition,
      offset,
      count,
      ...(detail === undefined ? {} : { detail }),
    });
  }

  private mustStop(): boolean {
    return this.isPaused || this.hasFailed || this.isStopped;
  }

  private call(listener: () => void): void {
    try {
      listener();
    } catch (cause) {
      this.fail(asError(cause));
    }
  }
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new LogError('log_damaged', String(cause));
}
