// Writes one partition: appends that arrive while an fdatasync is under way form the next group, which is written and synced as
// one. Must never acknowledge or show a record before it is durable, nor leave a failed group where it could be shown later.
import { type AppendRecord, ENCODINGS, LogError } from '../port.ts';
import { asLogError } from './errors.ts';
import { type LogFile, type LogFileSystem, readFully, writeFully } from './file-system.ts';
import { checkFrame, encodeHeader, frameBytes, HEADER_BYTES, viewOf, writeFrame } from './frame.ts';
import { newSegment, noteFrame, type PartitionState, type Segment } from './segment.ts';

/** A group takes no further append once it is this large, so that a group's buffer stays bounded. */
const MAX_GROUP_BYTES = 4 * 1024 * 1024;
/** Group buffers up to this size are kept for the next group. */
const KEPT_BUFFER_BYTES = 1024 * 1024;
/** At least a page on every platform: see `repair`. */
const REWRITE_BYTES = 64 * 1024;

/** Records with their tenant's bytes, all of one partition. */
export interface PreparedRecord {
  record: AppendRecord;
  tenant: Uint8Array;
}

/** Frames that have just become durable: `bytes[0 .. length)` from `firstOffset` on. Good until the callback returns. */
export interface DurableGroup {
  firstOffset: number;
  endOffset: number;
  bytes: Uint8Array;
  view: DataView;
  length: number;
}

export interface WriterCounters {
  groups: number;
  records: number;
  bytes: number;
  failedGroups: number;
  repairs: number;
}

export interface WriterOptions {
  fileSystem: LogFileSystem;
  identity: string;
  segmentBytes: number;
  now: () => number;
  onDurable(group: DurableGroup): void;
  onRoll(): void;
}

interface Waiter {
  records: readonly PreparedRecord[];
  sizeBytes: number;
  resolve(): void;
  reject(error: LogError): void;
}

export class PartitionWriter {
  readonly counters: WriterCounters = { groups: 0, records: 0, bytes: 0, failedGroups: 0, repairs: 0 };
  queuedBytes = 0;
  private readonly state: PartitionState;
  private readonly options: WriterOptions;
  private readonly queue: Waiter[] = [];
  private draining: Promise<void> | undefined;
  /** The last segment, opened for writing. */
  private file: LogFile | undefined;
  /** Something failed: the file may hold more than its durable frames, and the page cache can't be believed. */
  private isSuspect = false;
  /** A segment's creation failed half-way, and a file named after the next offset may exist: nothing may go before it. */
  private mustRoll = false;
  private buffer = new Uint8Array(0);

  constructor(state: PartitionState, options: WriterOptions) {
    this.state = state;
    this.options = options;
  }

  append(records: readonly PreparedRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      let sizeBytes = 0;
      for (const { record, tenant } of records) sizeBytes += frameBytes(tenant.length, record.bytes.length);
      this.queue.push({ records, sizeBytes, resolve, reject });
      this.queuedBytes += sizeBytes;
      this.draining ??= this.drain();
    });
  }

  /** Waits for what was appended before, then closes the file. */
  async close(): Promise<void> {
    await this.draining;
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  private async drain(): Promise<void> {
    // Appends of the same turn of the event loop share the first group.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const group = this.takeGroup();
      try {
        await this.writeGroup(group);
        for (const waiter of group) waiter.resolve();
      } catch (cause) {
        this.counters.failedGroups++;
        const error = asLogError(cause, `appending to ${this.state.directory}`);
        for (const waiter of group) waiter.reject(error);
      }
    }
    this.draining = undefined;
  }

  private takeGroup(): Waiter[] {
    const limit = Math.min(MAX_GROUP_BYTES, this.options.segmentBytes);
    let count = 0;
    let sizeBytes = 0;
    while (count < this.queue.length && (count === 0 || sizeBytes + this.queue[count]!.sizeBytes <= limit)) {
      sizeBytes += this.queue[count++]!.sizeBytes;
    }
    this.queuedBytes -= sizeBytes;
    return this.queue.splice(0, count);
  }

  private async writeGroup(group: readonly Waiter[]): Promise<void> {
    const { state } = this;
    let length = 0;
    for (const waiter of group) length += waiter.sizeBytes;
    const file = await this.ready(length);
    const segment = state.segments.at(-1)!;
    const bytes = this.bufferOf(length);
    const view = viewOf(bytes);
    const timestampMs = Math.max(this.options.now(), state.lastTimestampMs);
    const firstOffset = state.end;
    let endOffset = firstOffset;
    let at = 0;
    let lastFrameAt = 0;
    for (const { records } of group) {
      for (const { record, tenant } of records) {
        lastFrameAt = at;
        const encoding = ENCODINGS.indexOf(record.encoding);
        at = writeFrame(bytes, view, at, endOffset++, timestampMs, encoding, tenant, record.bytes);
      }
    }
    const position = segment.endPosition;
    try {
      await writeFully(file, bytes, position);
      await file.datasync();
    } catch (cause) {
      await this.giveUp(file, position);
      throw cause;
    }
    // Only now, and in one turn: whoever reads the state sees the group as a whole or not at all.
    noteFrame(segment.index, firstOffset, position);
    segment.endPosition = position + length;
    segment.lastTimestampMs = timestampMs;
    state.end = endOffset;
    state.lastTimestampMs = timestampMs;
    state.lastFramePosition = position + lastFrameAt;
    this.counters.groups++;
    this.counters.records += endOffset - firstOffset;
    this.counters.bytes += length;
    this.options.onDurable({ firstOffset, endOffset, bytes, view, length });
  }

  /** The file to write to, after whatever has to be done first: a repair, a new segment. */
  private async ready(groupBytes: number): Promise<LogFile> {
    const segment = this.state.segments.at(-1);
    if (segment !== undefined && this.file === undefined) this.file = await this.reopen(segment);
    const isFull =
      segment !== undefined &&
      segment.endPosition > HEADER_BYTES &&
      segment.endPosition + groupBytes > this.options.segmentBytes;
    if (segment !== undefined && this.file !== undefined && !isFull && !this.mustRoll) return this.file;
    return this.roll();
  }

  /**
   * Makes a segment named after the next offset and makes it durable, header and name, before a record goes into it. If any
   * step fails, the previous segment stays as it is, and the next append tries again under the same name.
   */
  private async roll(): Promise<LogFile> {
    const { state } = this;
    const { fileSystem, identity } = this.options;
    const segment = newSegment(state.directory, state.end, state.lastTimestampMs);
    // Were the next group to fit into the old segment, a file left behind by a failed roll would, after a crash, pass for an
    // empty last segment that begins before records which were acknowledged.
    this.mustRoll = true;
    const file = await fileSystem.open(segment.path, 'w+');
    try {
      const header = { identity, partition: state.id, firstOffset: state.end, floorMs: state.lastTimestampMs };
      await writeFully(file, encodeHeader(header), 0);
      await file.datasync();
      await fileSystem.syncDirectory(state.directory);
    } catch (cause) {
      await file.close().catch(() => {});
      await fileSystem.unlink(segment.path).catch(() => {});
      throw cause;
    }
    this.mustRoll = false;
    const sealed = this.file;
    this.file = file;
    state.segments.push(segment);
    state.lastFramePosition = HEADER_BYTES;
    await sealed?.close().catch(() => {});
    this.options.onRoll();
    return file;
  }

  /** After a failed write or sync: nothing of the group may stay. What can't be undone now is undone before the next write. */
  private async giveUp(file: LogFile, durableEnd: number): Promise<void> {
    this.isSuspect = true;
    this.file = undefined;
    await file.truncate(durableEnd).catch(() => {});
    await file.close().catch(() => {});
  }

  private async reopen(segment: Segment): Promise<LogFile> {
    const file = await this.options.fileSystem.open(segment.path, 'r+');
    if (!this.isSuspect) return file;
    try {
      await this.repair(file, segment);
    } catch (cause) {
      await file.close().catch(() => {});
      throw cause;
    }
    this.isSuspect = false;
    this.counters.repairs++;
    return file;
  }

  /**
   * After a failed fsync the kernel may have marked pages clean that never reached the disk, and a later fsync would succeed
   * without writing them. Cutting the file at its durable end drops all such pages but the one the end lies in; that one is
   * made dirty again by writing its own bytes over it, so that the sync below is about it too.
   */
  private async repair(file: LogFile, segment: Segment): Promise<void> {
    const end = segment.endPosition;
    await file.truncate(end);
    const from = Math.max(0, end - REWRITE_BYTES);
    const tail = new Uint8Array(end - from);
    if ((await readFully(file, tail, from)) < tail.length) throw cutShort(segment);
    await writeFully(file, tail, from);
    await file.datasync();
    const frameAt = this.state.lastFramePosition;
    if (frameAt === end) return;
    const frame = new Uint8Array(end - frameAt);
    const length = await readFully(file, frame, frameAt);
    if (checkFrame(frame, viewOf(frame), 0, length, this.state.end - 1) !== frame.length) throw cutShort(segment);
  }

  private bufferOf(sizeBytes: number): Uint8Array {
    if (sizeBytes > KEPT_BUFFER_BYTES) return new Uint8Array(sizeBytes);
    if (this.buffer.length < sizeBytes) {
      this.buffer = new Uint8Array(Math.min(KEPT_BUFFER_BYTES, Math.max(sizeBytes, this.buffer.length * 2)));
    }
    return this.buffer.subarray(0, sizeBytes);
  }
}

function cutShort(segment: Segment): LogError {
  return new LogError('log_damaged', `${segment.path} no longer holds its last acknowledged record`);
}
