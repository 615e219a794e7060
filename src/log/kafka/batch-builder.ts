// Gathers records of one partition and copies them, once, into a LogBatch whose arrays own their buffers. Between `add` and `take`
// the records' own buffers must not change.

import { ENCODINGS, type LogBatch, RECORD_HEAD_BYTES } from '../port.ts';
import type { Envelope } from './envelope.ts';

export const MAX_BATCH_RECORDS = 2_000;
export const MAX_BATCH_BYTES = 1024 * 1024;

export class BatchBuilder {
  private count = 0;
  private sizeBytes = 0;
  private readonly offsets = new Float64Array(MAX_BATCH_RECORDS);
  private readonly timestampsMs = new Float64Array(MAX_BATCH_RECORDS);
  private readonly encodings = new Uint8Array(MAX_BATCH_RECORDS);
  private readonly tenantOf = new Uint16Array(MAX_BATCH_RECORDS);
  private readonly from: Uint8Array[] = new Array(MAX_BATCH_RECORDS);
  private readonly froms = new Uint32Array(MAX_BATCH_RECORDS);
  private readonly starts = new Uint32Array(MAX_BATCH_RECORDS + 1);
  private tenants: string[] = [];
  private lastTenant = -1;

  get isEmpty(): boolean {
    return this.count === 0;
  }

  /**
   * False: the batch is full without this record, which is to be added after `take`. A batch takes at least one.
   * @param limitBytes what the listener takes at once (LogListener.batchBytes)
   */
  hasRoomFor(bytes: number, limitBytes: number): boolean {
    if (this.count === 0) return true;
    const sizeBytes = this.sizeBytes + bytes;
    if (this.count >= MAX_BATCH_RECORDS || sizeBytes > MAX_BATCH_BYTES) return false;
    return sizeBytes + (this.count + 1) * RECORD_HEAD_BYTES <= limitBytes;
  }

  add(envelope: Envelope, offset: number, timestampMs: number): void {
    const i = this.count++;
    this.offsets[i] = offset;
    this.timestampsMs[i] = timestampMs;
    this.encodings[i] = ENCODINGS.indexOf(envelope.encoding);
    if (this.tenants[this.lastTenant] !== envelope.tenant) {
      this.lastTenant = this.tenants.indexOf(envelope.tenant);
      if (this.lastTenant < 0) this.lastTenant = this.tenants.push(envelope.tenant) - 1;
    }
    this.tenantOf[i] = this.lastTenant;
    this.from[i] = envelope.bytes;
    this.froms[i] = envelope.start;
    this.sizeBytes += envelope.end - envelope.start;
    this.starts[i + 1] = this.sizeBytes;
  }

  /** The batch; the builder is empty afterwards. */
  take(partition: number, readAtMs: number): LogBatch {
    const { count, starts } = this;
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(this.sizeBytes).buffer);
    for (let i = 0; i < count; i++) {
      const start = this.froms[i]!;
      bytes.set(this.from[i]!.subarray(start, start + starts[i + 1]! - starts[i]!), starts[i]!);
    }
    const batch: LogBatch = {
      partition,
      count,
      offsets: this.offsets.slice(0, count),
      timestampsMs: this.timestampsMs.slice(0, count),
      encodings: this.encodings.slice(0, count),
      tenants: this.tenants,
      tenantOf: this.tenantOf.slice(0, count),
      starts: starts.slice(0, count + 1),
      bytes,
      readAtMs,
    };
    this.reset();
    return batch;
  }

  reset(): void {
    this.from.fill(undefined as never, 0, this.count);
    this.count = 0;
    this.sizeBytes = 0;
    this.tenants = [];
    this.lastTenant = -1;
  }
}
