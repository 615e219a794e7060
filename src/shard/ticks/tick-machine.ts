// Decides which records are folded in which tick of log time, and when ticks close. Reads no clock, and must never fold a record
// twice, out of order (partitions ascending, then offsets), or in a tick that is over; nor close one that ends in the future.

import type { EndMark, LogBatch } from '../../log/index.ts';
import type { TickCallbacks, TickCounters, TickOptions, TickStats } from './contract.ts';
import { PartitionQueue } from './partition-queue.ts';
import { Patience } from './patience.ts';

/** Of a partition's part of the open tick. */
type Part = 'complete' | 'waiting' | 'out of budget';

export class TickMachine {
  private readonly options: TickOptions;
  private readonly callbacks: TickCallbacks;
  private readonly patience: Patience;
  private boundaryMs = 0;
  private queues: PartitionQueue[];
  private ids: readonly number[];
  private pausedQueues = 0;

  private isStarted = false;
  private startMs = 0;
  private endMs = 0;
  /** Records folded in the open tick. */
  private records = 0;
  /** Parts of queues before this one are complete: what comes for them now waits for the next tick. */
  private at = 0;
  /** Records from this offset on don't belong to the part of queue `at` any more. */
  private limitOffset = Number.POSITIVE_INFINITY;

  private wallMs = 0;
  private budget = 0;
  private waitingFor: number | undefined;
  private isCloseRefused = false;
  private readonly counters: TickCounters = {
    folded: 0,
    future: 0,
    held: 0,
    late: 0,
    repeated: 0,
    releases: 0,
    closed: 0,
  };

  /** @throws RangeError if the boundary or the start isn't a multiple of the tick. */
  constructor(options: TickOptions, callbacks: TickCallbacks) {
    this.options = options;
    this.callbacks = callbacks;
    this.patience = new Patience(options.maxHoldMs / 4);
    this.queues = [...options.from].map(([id, offset]) => new PartitionQueue(id, offset)).sort((a, b) => a.id - b.id);
    this.ids = this.queues.map(({ id }) => id);
    this.setBoundaryMs(options.boundaryMs);
    if (options.startMs !== undefined) this.open(this.multiple(options.startMs));
  }

  /** Takes over a batch; batches come in order per partition. What was delivered before is counted and left out. */
  offer(batch: LogBatch): void {
    const queue = this.queueOf(batch.partition);
    this.counters.repeated += queue.offer(batch);
    this.heard(queue);
  }

  end(mark: EndMark): void {
    const queue = this.queueOf(mark.partition);
    queue.end(mark);
    this.heard(queue);
  }

  /** Whoever pauses and resumes a partition must say so: it isn't unreachable then, only silent. */
  setPaused(partition: number, isPaused: boolean): void {
    const queue = this.queueOf(partition);
    if (queue.isPaused === isPaused) return;
    queue.isPaused = isPaused;
    this.pausedQueues += isPaused ? 1 : -1;
    queue.heardAtMs = this.patience.nowMs;
  }

  /** A partition that appeared later. It takes part in the open tick unless a part at or after its place has begun. */
  addPartition(id: number, nextOffset: number): void {
    if (this.ids.includes(id)) throw new RangeError(`partition ${id} is known already`);
    const queue = new PartitionQueue(id, nextOffset);
    queue.heardAtMs = this.patience.nowMs;
    const place = this.ids.filter((other) => other < id).length;
    this.queues = this.queues.toSpliced(place, 0, queue);
    this.ids = this.queues.map((other) => other.id);
    if (place <= this.at) this.at++;
  }

  /** From the open tick on. */
  setBoundaryMs(boundaryMs: number): void {
    if (boundaryMs <= 0) throw new RangeError('a boundary takes some time');
    this.boundaryMs = this.multiple(boundaryMs);
  }

  /**
   * Folds and closes as far as possible at this wall time. True if it stopped only because the budget was used up: a record
   * costs one, and so does a tick that is left behind.
   */
  run(wallMs: number, budget = Number.POSITIVE_INFINITY): boolean {
    this.wallMs = wallMs;
    this.budget = budget;
    this.waitingFor = undefined;
    this.isCloseRefused = false;
    this.patience.run(wallMs, this.pausedQueues > 0);
    if (!this.isStarted && !this.start()) return false;
    for (;;) {
      const part = this.foldParts();
      if (part !== 'complete') return part === 'out of budget';
      if (wallMs < this.endMs) return false;
      if (this.budget <= 0) return true;
      this.budget--;
      if (this.records > 0 || (this.endMs % this.boundaryMs === 0 && this.callbacks.hasWork())) {
        if (!this.callbacks.mayClose(this.endMs)) {
          this.isCloseRefused = true;
          return false;
        }
        this.close();
      }
      this.open(this.nextStartMs());
    }
  }

  stats(): TickStats {
    return {
      openTickStartMs: this.isStarted ? this.startMs : undefined,
      openTickRecords: this.records,
      waitingFor: this.waitingFor,
      isCloseRefused: this.isCloseRefused,
      partitions: this.queues.map(({ id, nextOffset, bufferedBytes, isReleased }) => {
        return { partition: id, nextOffset, bufferedBytes, isReleased };
      }),
      counters: { ...this.counters },
    };
  }

  /**
   * The first tick of all: that of the earliest record, once each partition has shown one, or its end, or was released.
   * Records without a time of their own have no say.
   */
  private start(): boolean {
    let earliestMs = this.wallMs;
    for (const queue of this.queues) {
      const isKnown = queue.first !== undefined || queue.reachedMs !== Number.NEGATIVE_INFINITY;
      if (!isKnown && !this.mayGiveUp(queue)) {
        this.waitingFor = queue.id;
        return false;
      }
      earliestMs = Math.min(earliestMs, queue.firstTimeMs(this.options.maxAheadMs) ?? earliestMs);
    }
    this.open(this.tickOf(earliestMs));
    return true;
  }

  private open(startMs: number): void {
    this.isStarted = true;
    this.startMs = startMs;
    this.endMs = startMs + this.options.tickMs;
    this.records = 0;
    this.at = 0;
    this.limitOffset = Number.POSITIVE_INFINITY;
  }

  private close(): void {
    this.counters.closed++;
    // Nothing of a later tick is folded yet, so where the queues stand is where the tick ends.
    this.callbacks.close(
      this.endMs,
      Float64Array.from(this.queues, (queue) => queue.nextOffset),
      this.ids,
    );
  }

  /**
   * Start of the tick to open after this one. Ticks that all partitions are known to have nothing for, and that the clock has
   * passed, are jumped over, but for the next boundary while there is work. Jumping gives the same as opening each of them.
   */
  private nextStartMs(): number {
    const { maxAheadMs, graceMs, tickMs } = this.options;
    let quietMs = this.wallMs;
    for (const queue of this.queues) {
      const emptyMs = (queue.isReleased ? Math.max(this.wallMs, queue.reachedMs) : queue.reachedMs) - graceMs;
      quietMs = Math.min(quietMs, queue.first === undefined ? emptyMs : queue.nextTimeMs(maxAheadMs));
    }
    const targetMs = Math.max(this.endMs, this.tickOf(quietMs));
    const boundaryMs = (Math.floor(this.endMs / this.boundaryMs) + 1) * this.boundaryMs;
    return targetMs >= boundaryMs && this.callbacks.hasWork() ? boundaryMs - tickMs : targetMs;
  }

  private foldParts(): Part {
    while (this.at < this.queues.length) {
      const part = this.foldPart(this.queues[this.at]!);
      if (part !== 'complete') return part;
      this.at++;
      this.limitOffset = Number.POSITIVE_INFINITY;
    }
    return 'complete';
  }

  private foldPart(queue: PartitionQueue): Part {
    const { callbacks, counters, startMs, endMs } = this;
    for (;;) {
      // What is queued by now still counts here, as it would have a moment earlier; what comes later doesn't, or a partition
      // that is always late could keep the tick open for ever.
      if (this.limitOffset === Number.POSITIVE_INFINITY && this.mayEnd(queue)) this.limitOffset = queue.deliveredOffset;
      const queued = queue.first;
      if (queued === undefined) {
        if (this.limitOffset !== Number.POSITIVE_INFINITY) return 'complete';
        if (!queue.isReleased && this.mayGiveUp(queue)) continue;
        this.waitingFor = queue.id;
        return 'waiting';
      }
      // Everything that callbacks might look at or change is kept in fields, record by record.
      const { batch } = queued;
      const { count, offsets, timestampsMs } = batch;
      const aheadMs = batch.readAtMs + this.options.maxAheadMs;
      for (let i = queued.index; i < count; i = queued.index) {
        const stampMs = timestampsMs[i]!;
        const isFuture = stampMs > aheadMs;
        const timeMs = stampMs > queue.timeMs && !isFuture ? stampMs : queue.timeMs;
        if (queue.isReleased && timeMs >= startMs) {
          queue.isReleased = false;
          this.limitOffset = this.mayEnd(queue) ? queue.deliveredOffset : Number.POSITIVE_INFINITY;
        }
        if (timeMs >= endMs || offsets[i]! >= this.limitOffset) return 'complete';
        if (this.budget <= 0) return 'out of budget';
        this.budget--;
        if (isFuture) counters.future++;
        else if (timeMs < startMs) counters[queue.isReleased ? 'held' : 'late']++;
        counters.folded++;
        queued.index = i + 1;
        queue.timeMs = timeMs;
        queue.nextOffset = offsets[i]! + 1;
        if (this.records++ === 0) callbacks.open(startMs);
        callbacks.fold(batch, i, startMs);
      }
      const freedBytes = queue.shift();
      callbacks.spent?.(batch);
      callbacks.drained?.(queue.id, queue.bufferedBytes, freedBytes);
    }
  }

  /**
   * Is the part complete though no record of a later tick was seen? A released partition gets the grace too: if its part ended
   * as soon as the tick opens, its records would come too late for ever, however well it delivers again.
   */
  private mayEnd(queue: PartitionQueue): boolean {
    const dueMs = this.endMs + this.options.graceMs;
    return queue.reachedMs >= dueMs || (queue.isReleased && this.wallMs >= dueMs);
  }

  /**
   * Releases a partition of which nothing is queued, if nothing of it was delivered for long. That counts from its last
   * delivery, not from the opening of the tick nor the end of the parts before it: partitions that went together are given
   * up together, not one after another.
   */
  private mayGiveUp(queue: PartitionQueue): boolean {
    if (queue.isReleased) return true;
    if (queue.isPaused || this.patience.nowMs - queue.heardAtMs < this.options.maxHoldMs) return false;
    queue.isReleased = true;
    this.counters.releases++;
    return true;
  }

  private heard(queue: PartitionQueue): void {
    queue.heardAtMs = this.patience.nowMs;
    this.patience.heard();
  }

  private queueOf(partition: number): PartitionQueue {
    const queue = this.queues.find(({ id }) => id === partition);
    if (queue === undefined) throw new RangeError(`partition ${partition} isn't one of this shard's`);
    return queue;
  }

  private tickOf(timeMs: number): number {
    return Math.floor(timeMs / this.options.tickMs) * this.options.tickMs;
  }

  private multiple(timeMs: number): number {
    if (timeMs % this.options.tickMs === 0) return timeMs;
    throw new RangeError(`${timeMs} ms isn't a multiple of the tick, ${this.options.tickMs} ms`);
  }
}
