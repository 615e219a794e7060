// A toy fold whose hash depends on every call's order, with a timer that only runs while something is alive; batches by hand.

import type { LogBatch } from '../../../src/log/port.ts';
import type { ClosedTick, TickFold } from '../../../src/shard/ticks/index.ts';

const TIMER_MS = 7_000;

export function batchOf(
  partition: number,
  records: readonly (readonly [offset: number, stampMs: number])[],
  readAtMs: number,
): LogBatch {
  const count = records.length;
  return {
    partition,
    count,
    offsets: Float64Array.from(records, ([offset]) => offset),
    timestampsMs: Float64Array.from(records, ([, stampMs]) => stampMs),
    encodings: new Uint8Array(count),
    tenants: ['a'],
    tenantOf: new Uint16Array(count),
    starts: Uint32Array.from({ length: count + 1 }, (_, i) => i * 10),
    bytes: new Uint8Array(count * 10),
    readAtMs,
  };
}

export interface Folded {
  partition: number;
  offset: number;
  tickStartMs: number;
}

export interface ToyClose extends ClosedTick {
  hash: number;
  hasWork: boolean;
  /** Records folded up to here. */
  folded: number;
}

export class ToyFold implements TickFold {
  folds: Folded[] = [];
  closes: ToyClose[] = [];
  hash = 17;
  isAlive = false;
  private readonly staleMs: number;
  private advancedMs: number | undefined;
  private touchedMs = 0;

  constructor(staleMs: number) {
    this.staleMs = staleMs;
  }

  open(tickStartMs: number): void {
    this.advance(tickStartMs);
  }

  fold(batch: LogBatch, index: number, tickStartMs: number): void {
    const offset = batch.offsets[index]!;
    this.folds.push({ partition: batch.partition, offset, tickStartMs });
    this.mix(batch.partition);
    this.mix(offset);
    this.mix(batch.timestampsMs[index]!);
    this.isAlive = true;
    this.touchedMs = tickStartMs;
  }

  close(tickEndMs: number, nextOffsets: Float64Array, partitions: readonly number[]): void {
    this.advance(tickEndMs);
    const { hash, isAlive: hasWork } = this;
    this.closes.push({ tickEndMs, nextOffsets, partitions, hash, hasWork, folded: this.folds.length });
  }

  /** As it was at its last close: what a recovery finds. */
  recovered(): ToyFold {
    const copy = new ToyFold(this.staleMs);
    const last = this.closes.at(-1);
    copy.closes = [...this.closes];
    copy.folds = this.folds.slice(0, last?.folded ?? 0);
    copy.advancedMs = last?.tickEndMs;
    copy.hash = last?.hash ?? copy.hash;
    copy.isAlive = last?.hasWork ?? false;
    copy.touchedMs = copy.folds.at(-1)?.tickStartMs ?? 0;
    return copy;
  }

  private advance(toMs: number): void {
    let firedMs = this.advancedMs ?? toMs;
    while (this.isAlive) {
      const dueMs: number = (Math.floor(firedMs / TIMER_MS) + 1) * TIMER_MS;
      if (dueMs > toMs) break;
      firedMs = dueMs;
      this.mix(dueMs);
      if (dueMs >= this.touchedMs + this.staleMs) this.isAlive = false;
    }
    this.advancedMs = Math.max(firedMs, toMs);
  }

  private mix(value: number): void {
    this.hash = (Math.imul(this.hash, 0x01000193) ^ (value % 0x7fffffff)) >>> 0;
  }
}
