// A line of points with one batch on its way at a time, so that what enters in order arrives in order. Must never hold more
// than its capacity, or start a batch before the one before it has its final fate.

import type { Point, PointCounts } from '../points/index.ts';
import { PointLine } from './point-line.ts';
import type { PointRun } from './point-run.ts';

export interface ShardOptions {
  /** Points that wait, those on their way not counted. */
  capacity: number;
  /** Points and exemplars of one batch. */
  maxPerSend: number;
  /** How long a batch that isn't full waits for more. */
  deadlineMs: number;
  /** Takes a batch to its final fate. Must not reject. */
  deliver: (run: PointRun) => Promise<void>;
}

export class Shard {
  readonly #options: ShardOptions;
  readonly #capacity: number;
  readonly #maxPerSend: number;
  readonly #line = new PointLine();
  #entered = 0;
  /** How many had entered before the first of the batch on its way. */
  #sendingFrom = 0;
  /** Up to this one, counted as they entered, points don't wait for a full batch. */
  #hurryUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #isSending = false;
  #waiters: { until: number; resolve: () => void }[] = [];
  #roomWaiters: (() => void)[] = [];

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#capacity = options.capacity;
    this.#maxPerSend = options.maxPerSend;
  }

  /** Points that wait. */
  get pending(): number {
    return this.#line.length;
  }

  get isFull(): boolean {
    return this.#line.length >= this.#capacity;
  }

  /** Only if there is room. */
  push(point: Point): void {
    this.#line.push(point);
    this.#entered++;
    if (!this.#isSending && (this.#timer === undefined || this.#isBatchFull)) this.#advance();
  }

  /** Takes the point away that has waited longest. */
  dropOldest(): PointCounts {
    const counts = this.#line.dropFirst();
    this.#wake();
    return counts;
  }

  /** Resolves when points have been taken away, or by `release`. */
  room(): Promise<void> {
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Lets go who waits for room. */
  release(): void {
    for (const resolve of this.#roomWaiters.splice(0)) resolve();
  }

  /** Sends what is there without waiting for more. Resolves when all of it has its final fate. */
  drain(): Promise<void> {
    if (this.#settledUntil === this.#entered) return Promise.resolve();
    const until = this.#entered;
    this.#hurryUntil = until;
    const drained = new Promise<void>((resolve) => this.#waiters.push({ until, resolve }));
    this.#advance();
    return drained;
  }

  /** A full shard can't wait for more, even if its batch isn't full. */
  get #isBatchFull(): boolean {
    return this.#line.weight >= this.#maxPerSend || this.isFull;
  }

  #advance(): void {
    if (this.#isSending || this.pending === 0) return;
    const isDue = this.#isBatchFull || this.#entered - this.pending < this.#hurryUntil;
    if (isDue) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), this.#options.deadlineMs);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sendingFrom = this.#entered - this.pending;
    this.#isSending = true;
    const run = this.#line.take(this.#maxPerSend);
    this.release();
    this.#options.deliver(run).finally(() => {
      this.#isSending = false;
      this.#wake();
      this.#advance();
    });
  }

  /** All that entered before this one have their final fate. */
  get #settledUntil(): number {
    return this.#isSending ? this.#sendingFrom : this.#entered - this.pending;
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const settled = this.#settledUntil;
    const done = this.#waiters.filter(({ until }) => until <= settled);
    this.#waiters = this.#waiters.filter(({ until }) => until > settled);
    for (const { resolve } of done) resolve();
  }
}
