// What the Kafka tests share: a log with short times, a listener that collects, a wait for a condition.

import {
  ENCODINGS,
  type EndMark,
  type KafkaLog,
  type KafkaLogOptions,
  type LogBatch,
  type LogListener,
  openKafkaLog,
  type Skipped,
} from '../../../src/log/index.ts';

export interface Collected {
  partition: number;
  offset: number;
  timestampMs: number;
  tenant: string;
  encoding: string;
  text: string;
  sizeBytes: number;
}

export class Collector implements LogListener {
  readonly records: Collected[] = [];
  readonly marks: EndMark[] = [];
  readonly errors: { partition: number; error: Error }[] = [];
  readonly batches: { partition: number; count: number; sizeBytes: number }[] = [];
  onEachBatch: ((batch: LogBatch) => void) | undefined;

  onBatch(batch: LogBatch): void {
    const { partition, count, starts, bytes } = batch;
    this.batches.push({ partition, count, sizeBytes: bytes.length });
    for (let i = 0; i < count; i++) {
      const value = bytes.subarray(starts[i]!, starts[i + 1]!);
      this.records.push({
        partition,
        offset: batch.offsets[i]!,
        timestampMs: batch.timestampsMs[i]!,
        tenant: batch.tenants[batch.tenantOf[i]!]!,
        encoding: ENCODINGS[batch.encodings[i]!]!,
        text: Buffer.from(value.subarray(0, 200)).toString('latin1'),
        sizeBytes: value.length,
      });
    }
    this.onEachBatch?.(batch);
  }

  onEnd(mark: EndMark): void {
    this.marks.push(mark);
  }

  onError(partition: number, error: Error): void {
    this.errors.push({ partition, error });
  }

  offsets(partition: number): number[] {
    return this.records.filter((record) => record.partition === partition).map(({ offset }) => offset);
  }
}

export interface Opened {
  log: KafkaLog;
  skipped: Skipped[];
  troubles: string[];
}

const opened: KafkaLog[] = [];

export async function open(brokers: string[], topic: string, options: Partial<KafkaLogOptions> = {}): Promise<Opened> {
  const skipped: Skipped[] = [];
  const troubles: string[] = [];
  const log = await openKafkaLog({
    brokers,
    topic,
    encoding: 'otlp',
    isTenantId: (tenant) => /^[\w-]{1,150}$/.test(tenant),
    start: 'earliest',
    now: Date.now,
    onSkipped: (event) => skipped.push(event),
    onTrouble: (what, error) => troubles.push(`${what}: ${error?.message}`),
    metadataMs: 300,
    ...options,
  });
  opened.push(log);
  return { log, skipped, troubles };
}

export async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((log) => log.close()));
}

/** All partitions of the log from their first record on. */
export function fromStart(log: KafkaLog): Map<number, number> {
  return new Map(log.partitionIds().map((partition) => [partition, 0]));
}

/** Looks again until the condition holds; fails by name when it doesn't in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 45_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
