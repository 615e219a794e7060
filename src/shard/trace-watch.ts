// Notices a topic that nobody keyed by trace: then halves of an edge come to different shards and never meet. Looks at what is read
// for a second, ten times a minute, and only where there is more than one shard.

import { ENCODINGS, type LogBatch } from '../log/index.ts';
import { readPushBytes } from '../otlp/index.ts';
import { traceBuckets } from '../otlp/split/index.ts';

const EVERY_MS = 6_000;
const FOR_MS = 1_000;
/** Traces are told apart by a hash of their id. */
const BUCKETS = 2 ** 31 - 1;
const MAX_TRACES = 100_000;
/** So many in one look are no accident of the hash. */
const SPLIT_TRACES = 3;

export class TraceWatch {
  /** Traces that were seen in several shards. */
  splitTraces = 0;
  private readonly onSplit: (traces: number) => void;
  private readonly shardOf = new Map<number, number>();
  private split = 0;
  private windowMs = 0;

  /** @param onSplit several traces of one look were split over shards */
  constructor(onSplit: (traces: number) => void) {
    this.onSplit = onSplit;
  }

  see(shard: number, batch: LogBatch): void {
    const windowMs = batch.readAtMs - (batch.readAtMs % EVERY_MS);
    if (batch.readAtMs - windowMs >= FOR_MS) return;
    if (windowMs !== this.windowMs) {
      this.windowMs = windowMs;
      this.split = 0;
      this.shardOf.clear();
    }
    for (let i = 0; i < batch.count; i++) this.record(shard, batch, i);
  }

  private record(shard: number, batch: LogBatch, i: number): void {
    const bytes = batch.bytes.subarray(batch.starts[i]!, batch.starts[i + 1]!);
    const tenant = batch.tenants[batch.tenantOf[i]!]!;
    try {
      if (ENCODINGS[batch.encodings[i]!] !== 'push-bytes') this.request(shard, bytes, tenant);
      else
        for (const { start, end } of readPushBytes(bytes).traces)
          this.request(shard, bytes.subarray(start, end), tenant);
    } catch {
      // The fold says what is wrong with it.
    }
  }

  private request(shard: number, bytes: Uint8Array, tenant: string): void {
    for (const bucket of traceBuckets(bytes, BUCKETS, tenant)) {
      const before = this.shardOf.get(bucket);
      if (before === undefined) {
        if (this.shardOf.size < MAX_TRACES) this.shardOf.set(bucket, shard);
      } else if (before !== shard && before !== -1) {
        this.shardOf.set(bucket, -1);
        this.splitTraces++;
        if (++this.split === SPLIT_TRACES) this.onSplit(this.split);
      }
    }
  }
}
