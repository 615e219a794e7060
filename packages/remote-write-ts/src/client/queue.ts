// The shards of one endpoint: a series always goes to the same one, so its order holds. When their number changes, all of
// them are emptied first, or a series' points could overtake each other on their way through two shards.

import type { Point } from '../points/index.ts';
import type { ResolvedQueue } from './options.ts';
import { desiredShards, Rate } from './resharding.ts';
import { Shard } from './shard.ts';

export interface QueueHooks {
  deliver: (points: readonly Point[]) => Promise<void>;
  onDropped: (point: Point) => void;
  now: () => number;
}

/** What a closed client answers to `append`. */
export class ClosedError extends Error {
  constructor() {
    super('the client is closed');
    this.name = 'ClosedError';
  }
}

export class Queue {
  readonly #options: ResolvedQueue;
  readonly #hooks: QueueHooks;
  #shards: Shard[];
  /** One after the other: appends, and changes of the number of shards. */
  #line: Promise<unknown> = Promise.resolve();
  #isClosed = false;
  #newestMs = 0;
  #newestSentMs = 0;
  #blocked = 0;
  #waits = 0;
  #desired: number;
  #entered = 0;
  #settled = 0;
  #sendingMs = 0;
  #checkedMs: number;
  #frozenUntilMs = 0;
  #isResharding = false;
  readonly #in = new Rate();
  readonly #out = new Rate();
  readonly #sending = new Rate();
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(options: ResolvedQueue, hooks: QueueHooks) {
    this.#options = options;
    this.#hooks = hooks;
    this.#desired = options.minShards;
    this.#shards = this.#makeShards(options.minShards);
    this.#checkedMs = hooks.now();
    if (options.maxShards > options.minShards) {
      this.#timer = setInterval(() => this.#consider(), options.reshardIntervalMs).unref();
    }
  }

  get shards(): number {
    return this.#shards.length;
  }

  get stats() {
    return {
      shards: this.#shards.length,
      desiredShards: this.#desired,
      pending: this.#shards.reduce((sum, { pending }) => sum + pending, 0),
      blocked: this.#blocked,
      waits: this.#waits,
      newestMs: this.#newestMs,
      newestSentMs: this.#newestSentMs,
    };
  }

  /** Resolves when all points are in their shards; waits while one of them is full, unless the oldest are dropped. */
  append(points: readonly Point[]): Promise<void> {
    return this.#inLine(async () => {
      this.#blocked = points.length;
      try {
        for (const point of points) {
          // Not a wait for each of them: it would show in bench/client.ts.
          const shard = this.#shardOf(point);
          if (shard.isFull || this.#isClosed) await this.#roomIn(shard);
          this.#enter(shard, point);
          this.#blocked--;
        }
      } finally {
        this.#blocked = 0;
      }
    });
  }

  /** Sends all that is there. Resolves when it has its final fate. */
  async drain(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.drain()));
  }

  /** Empties the shards and goes on with this many. */
  reshard(shards: number): Promise<void> {
    return this.#inLine(async () => {
      if (shards === this.#shards.length || this.#isClosed) return;
      await this.drain();
      this.#shards = this.#makeShards(shards);
    });
  }

  /** The endpoint is in trouble for so long: rates of this time say nothing about the shards it needs. */
  freeze(ms: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.#hooks.now() + ms);
  }

  /** Takes no more, and lets go who waits. What is there stays to be drained. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const shard of this.#shards) shard.release();
  }

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => {});
    return done;
  }

  #shardOf(point: Point): Shard {
    return this.#shards[point.series.hash % this.#shards.length]!;
  }

  async #roomIn(shard: Shard): Promise<void> {
    while (shard.isFull && !this.#isClosed) {
      if (this.#options.onFull === 'drop_oldest') this.#hooks.onDropped(shard.dropOldest());
      else {
        this.#waits++;
        await shard.room();
      }
    }
    if (this.#isClosed) throw new ClosedError();
  }

  #enter(shard: Shard, point: Point): void {
    if (point.timestampMs > this.#newestMs) this.#newestMs = point.timestampMs;
    this.#entered++;
    shard.push(point);
  }

  #makeShards(count: number): Shard[] {
    const { capacity, maxPerSend, deadlineMs } = this.#options;
    const deliver = (points: readonly Point[]) => this.#deliver(points);
    return Array.from({ length: count }, () => new Shard({ capacity, maxPerSend, deadlineMs, deliver }));
  }

  async #deliver(points: readonly Point[]): Promise<void> {
    const startedMs = this.#hooks.now();
    await this.#hooks.deliver(points);
    this.#sendingMs += this.#hooks.now() - startedMs;
    this.#settled += points.length;
    for (const { timestampMs } of points) if (timestampMs > this.#newestSentMs) this.#newestSentMs = timestampMs;
  }

  #consider(): void {
    const nowMs = this.#hooks.now();
    const seconds = (nowMs - this.#checkedMs) / 1000;
    if (seconds <= 0) return;
    this.#checkedMs = nowMs;
    const hasSent = this.#settled > 0;
    this.#in.add(this.#entered, seconds);
    this.#out.add(this.#settled, seconds);
    this.#sending.add(this.#sendingMs / 1000, seconds);
    this.#entered = 0;
    this.#settled = 0;
    this.#sendingMs = 0;
    const { minShards, maxShards } = this.#options;
    const { shards, pending } = this.stats;
    this.#desired = desiredShards({
      shards,
      minShards,
      maxShards,
      inPerSecond: this.#in.perSecond,
      outPerSecond: this.#out.perSecond,
      sendingPerSecond: this.#sending.perSecond,
      pending: pending + this.#blocked,
      behindMs: this.#newestMs - this.#newestSentMs,
    });
    if (!hasSent || nowMs < this.#frozenUntilMs || this.#desired === shards || this.#isResharding) return;
    this.#isResharding = true;
    void this.reshard(this.#desired).finally(() => {
      this.#isResharding = false;
    });
  }
}
