// A line of points with one batch on its way at a time, so that what enters in order arrives in order. Must never hold more
// than its capacity, or start a batch before the one before it has its final fate.

import { exemplarsOf, type Point } from '../points/index.ts';

export interface ShardOptions {
  /** Points that wait, those on their way not counted. */
  capacity: number;
  /** Points and exemplars of one batch. */
  maxPerSend: number;
  /** How long a batch that isn't full waits for more. */
  deadlineMs: number;
  /** Takes a batch to its final fate. Must not reject. */
  deliver: (points: readonly Point[]) => Promise<void>;
}

export class Shard {
  readonly #options: ShardOptions;
  #points: Point[] = [];
  /** Index of the first point that waits. */
  #head = 0;
  /** Points and exemplars that wait. */
  #weight = 0;
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
  }

  /** Points that wait. */
  get pending(): number {
    return this.#points.length - this.#head;
  }

  get isFull(): boolean {
    return this.pending >= this.#options.capacity;
  }

  /** Only if there is room. */
  push(point: Point): void {
    this.#points.push(point);
    this.#weight += weightOf(point);
    this.#entered++;
    this.#advance();
  }

  /** Takes the point away that has waited longest. */
  dropOldest(): Point {
    const point = this.#shift();
    this.#wake();
    return point;
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

  #advance(): void {
    if (this.#isSending || this.pending === 0) return;
    const { maxPerSend, deadlineMs } = this.#options;
    // A full shard can't wait for more, even if its batch isn't full.
    const isDue = this.#weight >= maxPerSend || this.isFull || this.#entered - this.pending < this.#hurryUntil;
    if (isDue) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), deadlineMs);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sendingFrom = this.#entered - this.pending;
    this.#isSending = true;
    const batch = this.#take();
    this.release();
    this.#options.deliver(batch).finally(() => {
      this.#isSending = false;
      this.#wake();
      this.#advance();
    });
  }

  #take(): Point[] {
    const { maxPerSend } = this.#options;
    const batch = [this.#shift()];
    let weight = weightOf(batch[0]!);
    while (this.pending > 0 && weight + weightOf(this.#points[this.#head]!) <= maxPerSend) {
      const point = this.#shift();
      weight += weightOf(point);
      batch.push(point);
    }
    return batch;
  }

  #shift(): Point {
    const point = this.#points[this.#head++]!;
    this.#weight -= weightOf(point);
    // The array is cut only now and then: cutting it for each point would copy the rest each time.
    if (this.#head === this.#points.length || this.#head >= 4096) {
      this.#points = this.#points.slice(this.#head);
      this.#head = 0;
    }
    return point;
  }

  /** All that entered before this one have their final fate. */
  get #settledUntil(): number {
    return this.#isSending ? this.#sendingFrom : this.#entered - this.pending;
  }

  #wake(): void {
    const settled = this.#settledUntil;
    const done = this.#waiters.filter(({ until }) => until <= settled);
    this.#waiters = this.#waiters.filter(({ until }) => until > settled);
    for (const { resolve } of done) resolve();
  }
}

function weightOf(point: Point): number {
  return 1 + exemplarsOf(point).length;
}
