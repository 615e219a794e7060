// The shards of one endpoint: a series always goes to the same one, so its order holds. When their number changes, all of
// them are emptied first, or a series' points could overtake each other on their way through two shards.

import type { Point } from '../points/index.ts';
import type { LoadMeter } from './load.ts';
import type { ResolvedQueue } from './options.ts';
import { desiredShards, type Load, wantedShards } from './resharding.ts';
import { Shard } from './shard.ts';

export interface QueueHooks {
  /** Takes a batch on from its shard. Must not reject. */
  deliver: (points: readonly Point[], shard: number) => Promise<void>;
  onEntered: (point: Point) => void;
  onDropped: (point: Point) => void;
  /** After the shards were emptied, before the first point enters one of so many. */
  onResharded: (shards: number) => void;
  /** Points that have left the shards and have no final fate. */
  underWay: () => number;
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
  #blocked = 0;
  #waits = 0;
  /** Also beyond the maximum: that is what an alert is about. */
  #wanted: number;
  #isResharding = false;
  readonly #load: LoadMeter;
  readonly #timer: NodeJS.Timeout;

  constructor(options: ResolvedQueue, load: LoadMeter, hooks: QueueHooks) {
    this.#options = options;
    this.#load = load;
    this.#hooks = hooks;
    this.#wanted = options.minShards;
    this.#shards = this.#makeShards(options.minShards);
    // Also where their number can't change: that they don't suffice should be known.
    this.#timer = setInterval(() => this.#consider(), options.reshardIntervalMs).unref();
  }

  get stats() {
    const { minShards, maxShards, capacity, maxSamples } = this.#options;
    return {
      shards: this.#shards.length,
      minShards,
      maxShards,
      desiredShards: this.#wanted,
      shardCapacity: capacity,
      maxSamplesPerSend: maxSamples,
      pending: this.#shards.reduce((sum, { pending }) => sum + pending, 0),
      blocked: this.#blocked,
      enqueueRetries: this.#waits,
      highestTimestampMs: this.#load.highestTimestampMs,
      highestSentTimestampMs: this.#load.highestSentTimestampMs,
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
      this.#hooks.onResharded(shards);
    });
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
    this.#load.entered(point.timestampMs);
    this.#hooks.onEntered(point);
    shard.push(point);
  }

  #makeShards(count: number): Shard[] {
    const { capacity, maxPerSend, deadlineMs } = this.#options;
    return Array.from({ length: count }, (_, shard) => {
      const deliver = (points: readonly Point[]) => this.#hooks.deliver(points, shard);
      return new Shard({ capacity, maxPerSend, deadlineMs, deliver });
    });
  }

  #consider(): void {
    const nowMs = this.#hooks.now();
    const rates = this.#load.measure(nowMs);
    if (rates === undefined) return;
    const { shards, minShards, maxShards, pending, highestTimestampMs, highestSentTimestampMs } = this.stats;
    const load: Load = {
      ...rates,
      shards,
      minShards,
      maxShards,
      pending: pending + this.#blocked + this.#hooks.underWay(),
      behindMs: highestTimestampMs - highestSentTimestampMs,
    };
    this.#wanted = wantedShards(load) ?? this.#wanted;
    const desired = desiredShards(load);
    if (!rates.hasSent || this.#load.isFrozen(nowMs) || desired === shards || this.#isResharding) return;
    this.#isResharding = true;
    void this.reshard(desired).finally(() => {
      this.#isResharding = false;
    });
  }
}
