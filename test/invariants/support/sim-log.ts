// A log in memory on virtual time: records become visible some time after their append, and a partition may be out of reach.
import { ENCODINGS, type LogBatch } from '../../../src/log/index.ts';
import { encodeSpans, type SpanSpec } from './spans.ts';

export interface SimRecord {
  stampMs: number;
  visibleMs: number;
  tenant: string;
  bytes: Uint8Array;
  /** What is in it; nothing if it is damaged. */
  spans: readonly SpanSpec[];
}

export interface AppendOptions {
  partition?: number;
  tenant?: string;
  stampMs?: number;
  visibleMs?: number;
}

export class SimLog {
  readonly identity = 'simulated-log';
  readonly partitions: SimRecord[][];
  readonly unreachableUntilMs: number[];

  constructor(partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => []);
    this.unreachableUntilMs = this.partitions.map(() => 0);
  }

  append(nowMs: number, spans: readonly SpanSpec[], options: AppendOptions = {}): void {
    this.add(nowMs, encodeSpans(spans), spans, options);
  }

  /** Bytes that are no request. */
  appendDamaged(nowMs: number, bytes: Uint8Array, options: AppendOptions = {}): void {
    this.add(nowMs, bytes, [], options);
  }

  /** What a reader that stands at `from` gets; undefined if the partition is out of reach. */
  read(
    partition: number,
    from: number,
    nowMs: number,
    max: number,
  ): { batch: LogBatch | undefined; isEnd: boolean } | undefined {
    if (nowMs < this.unreachableUntilMs[partition]!) return undefined;
    const all = this.partitions[partition]!;
    let end = from;
    while (end < all.length && end - from < max && all[end]!.visibleMs <= nowMs) end++;
    const isEnd = end === all.length || all[end]!.visibleMs > nowMs;
    return { batch: end > from ? batchOf(partition, from, all.slice(from, end), nowMs) : undefined, isEnd };
  }

  private add(nowMs: number, bytes: Uint8Array, spans: readonly SpanSpec[], options: AppendOptions): void {
    const { partition = 0, tenant = 'shop', stampMs = nowMs, visibleMs = nowMs } = options;
    this.partitions[partition]!.push({ stampMs, visibleMs, tenant, bytes, spans });
  }
}

export function batchOf(partition: number, from: number, records: readonly SimRecord[], readAtMs: number): LogBatch {
  const tenants = [...new Set(records.map(({ tenant }) => tenant))];
  const starts = new Uint32Array(records.length + 1);
  records.forEach(({ bytes }, i) => {
    starts[i + 1] = starts[i]! + bytes.length;
  });
  return {
    partition,
    count: records.length,
    offsets: Float64Array.from(records, (_, i) => from + i),
    timestampsMs: Float64Array.from(records, ({ stampMs }) => stampMs),
    encodings: Uint8Array.from(records, () => ENCODINGS.indexOf('otlp')),
    tenants,
    tenantOf: Uint16Array.from(records, ({ tenant }) => tenants.indexOf(tenant)),
    starts,
    bytes: new Uint8Array(Buffer.concat(records.map(({ bytes }) => bytes))),
    readAtMs,
  };
}
