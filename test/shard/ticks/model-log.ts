// A log in virtual time, a consumer that follows it by a byte budget, and an owner of a tick machine over both. Everything that
// happens is said by the scenario: append times, stamps, visibility, partitions without a leader, the clock's steps.

import type { LogBatch } from '../../../src/log/port.ts';
import { TICK_TIMES, TickMachine } from '../../../src/shard/ticks/index.ts';
import { batchOf, ToyFold } from './toy.ts';

export const T0_MS = 1_700_000_003_250;
export const YEAR_2100_MS = 4_102_444_800_000;
export const BOUNDARY_MS = 15_000;

export interface Planned {
  partition: number;
  /** Since the append before it, in whichever partition. */
  afterMs: number;
  /** What is stamped: relative to the append, or a fixed instant. */
  stamp: { deltaMs: number } | { atMs: number };
  /** From the append until a consumer can see it. */
  delayMs: number;
  /** Offsets that are skipped before it. */
  gap: number;
}

export interface Scenario {
  partitions: number;
  records: readonly Planned[];
  /** No batch and no end mark of the partition is delivered meanwhile. */
  outages: readonly { partition: number; fromMs: number; lengthMs: number }[];
  /** Virtual time between two runs; used in turn. */
  stepsMs: readonly number[];
  /** The clock jumps forward once after so many steps. */
  jump?: { afterSteps: number; byMs: number } | undefined;
  batchRecords: number;
  /** Records of a partition that may be buffered before it is paused. */
  bufferRecords: number;
  /** `run` is called with this budget until it says that it is done. */
  runBudget: number;
  /** The consumer delivers from within `drained`, not at its next poll. */
  isEager: boolean;
  /** How often `mayClose` says no before it says yes, by boundary in turn. */
  refusals: readonly number[];
  staleMs: number;
  /** Restarts from the last close after so many steps. */
  restartAfterSteps?: number | undefined;
  isFirstStart: boolean;
}

export interface ModelRecord {
  partition: number;
  offset: number;
  stampMs: number;
  appendMs: number;
  visibleMs: number;
}

/** The log that a scenario plans: a partition's records become visible in their order. */
export function planLog(scenario: Scenario): ModelRecord[][] {
  const log: ModelRecord[][] = Array.from({ length: scenario.partitions }, () => []);
  let appendMs = T0_MS;
  for (const planned of scenario.records) {
    appendMs += planned.afterMs;
    const records = log[planned.partition]!;
    const before = records.at(-1);
    records.push({
      partition: planned.partition,
      offset: (before?.offset ?? -1) + 1 + planned.gap,
      stampMs: 'atMs' in planned.stamp ? planned.stamp.atMs : appendMs + planned.stamp.deltaMs,
      appendMs,
      visibleMs: Math.max(appendMs + planned.delayMs, before?.visibleMs ?? 0),
    });
  }
  return log;
}

export class Simulation {
  readonly log: ModelRecord[][];
  toy: ToyFold;
  machine: TickMachine;
  wallMs = T0_MS;
  /** The wall clock at the read of each record, by partition; what it was at the read that counted. */
  readonly readAtMs: number[][];
  /** Called after each step. */
  onStep: (() => void) | undefined;
  private readonly scenario: Scenario;
  private readonly startMs: number;
  private readonly byteBudget: number;
  private cursors: number[];
  private buffered: number[];
  private isDelivering = false;
  private asked = 0;
  private askedEndMs = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.log = planLog(scenario);
    this.startMs = Math.floor(T0_MS / TICK_TIMES.tickMs) * TICK_TIMES.tickMs;
    this.readAtMs = this.log.map(() => []);
    this.byteBudget = scenario.bufferRecords * 10;
    this.toy = new ToyFold(scenario.staleMs);
    this.cursors = this.log.map(() => 0);
    this.buffered = this.log.map(() => 0);
    this.machine = this.make(new Map(this.log.map((_, partition) => [partition, 0])));
  }

  /** Runs until everything could have become visible and be folded. */
  run(): void {
    const { stepsMs, jump, restartAfterSteps, outages, records } = this.scenario;
    const visibleMs = Math.max(T0_MS, ...this.log.flat().map((record) => record.visibleMs));
    const outageEndMs = Math.max(T0_MS, ...outages.map(({ fromMs, lengthMs }) => T0_MS + fromMs + lengthMs));
    const { graceMs, maxHoldMs, maxAheadMs } = TICK_TIMES;
    const slowMs = (records.length + 10) * Math.max(...stepsMs);
    let untilMs = Math.max(visibleMs, outageEndMs) + graceMs + maxHoldMs + maxAheadMs + 2 * BOUNDARY_MS + slowMs;
    for (let step = 0; this.wallMs < untilMs; step++) {
      this.wallMs += stepsMs[step % stepsMs.length]!;
      if (jump?.afterSteps === step) {
        this.wallMs += jump.byMs;
        untilMs += jump.byMs;
      }
      if (restartAfterSteps === step) this.restart();
      for (let partition = 0; partition < this.log.length; partition++) this.poll(partition);
      for (let calls = 0; this.machine.run(this.wallMs, this.scenario.runBudget); calls++) {
        if (calls > 100_000) throw new Error('run never ends');
      }
      this.onStep?.();
    }
  }

  private make(from: ReadonlyMap<number, number>): TickMachine {
    const { toy } = this;
    const lastEndMs = toy.closes.at(-1)?.tickEndMs;
    const startMs = lastEndMs ?? (this.scenario.isFirstStart ? undefined : this.startMs);
    return new TickMachine(
      { ...TICK_TIMES, from, boundaryMs: BOUNDARY_MS, startMs },
      {
        open: (tickStartMs) => toy.open(tickStartMs),
        fold: (batch, index, tickStartMs) => toy.fold(batch, index, tickStartMs),
        hasWork: () => toy.isAlive,
        mayClose: (tickEndMs) => this.mayClose(tickEndMs),
        close: (tickEndMs, nextOffsets, partitions) => {
          if (tickEndMs > this.wallMs) throw new Error(`${tickEndMs} is still to come at ${this.wallMs}`);
          toy.close(tickEndMs, nextOffsets, partitions);
        },
        drained: (partition, bufferedBytes, freedBytes) => {
          this.buffered[partition]! -= freedBytes;
          if (this.buffered[partition] !== bufferedBytes) throw new Error('bytes are lost');
          this.setPaused(partition);
          if (this.scenario.isEager) this.poll(partition);
        },
      },
    );
  }

  private restart(): void {
    this.toy = this.toy.recovered();
    const last = this.toy.closes.at(-1);
    const from = new Map(this.log.map((_, partition) => [partition, last?.nextOffsets[partition] ?? 0]));
    this.cursors = this.log.map((records, partition) => {
      const cursor = records.findIndex((record) => record.offset >= from.get(partition)!);
      return cursor < 0 ? records.length : cursor;
    });
    this.buffered = this.log.map(() => 0);
    this.machine = this.make(from);
  }

  private mayClose(tickEndMs: number): boolean {
    const { refusals } = this.scenario;
    if (tickEndMs % BOUNDARY_MS !== 0 || refusals.length === 0) return true;
    if (this.askedEndMs !== tickEndMs) this.asked = 0;
    this.askedEndMs = tickEndMs;
    return this.asked++ >= refusals[(tickEndMs / BOUNDARY_MS) % refusals.length]!;
  }

  /** What a consumer gives of one partition now: batches up to the budget, and an end mark at the end, even while paused. */
  private poll(partition: number): void {
    const { outages, batchRecords } = this.scenario;
    const sinceMs = this.wallMs - T0_MS;
    const isDown = outages.some(
      (o) => o.partition === partition && sinceMs >= o.fromMs && sinceMs < o.fromMs + o.lengthMs,
    );
    if (isDown || this.isDelivering) return;
    this.isDelivering = true;
    const records = this.log[partition]!;
    const visible = records.findIndex((record) => record.visibleMs > this.wallMs);
    const end = visible < 0 ? records.length : visible;
    while (this.cursors[partition]! < end && this.buffered[partition]! <= this.byteBudget) {
      const from = this.cursors[partition]!;
      const slice = records.slice(from, Math.min(end, from + batchRecords));
      for (let i = 0; i < slice.length; i++) this.readAtMs[partition]![from + i] = this.wallMs;
      const batch = batchOf(
        partition,
        slice.map((record) => [record.offset, record.stampMs]),
        this.wallMs,
      );
      this.cursors[partition] = from + slice.length;
      this.offer(batch);
    }
    if (this.cursors[partition] === end) {
      // Sometimes something that is never delivered follows the last record.
      const endOffset = (records[end - 1]?.offset ?? -1) + 1 + (end === records.length ? 2 : 0);
      this.machine.end({ partition, end: endOffset, wallMs: this.wallMs });
    }
    this.isDelivering = false;
  }

  private offer(batch: LogBatch): void {
    const before = this.bufferedBytes(batch.partition);
    this.machine.offer(batch);
    this.buffered[batch.partition]! += this.bufferedBytes(batch.partition) - before;
    this.setPaused(batch.partition);
  }

  private setPaused(partition: number): void {
    this.machine.setPaused(partition, this.buffered[partition]! > this.byteBudget);
  }

  private bufferedBytes(partition: number): number {
    return this.machine.stats().partitions[partition]!.bufferedBytes;
  }
}
