// The shards of one endpoint: a series always goes to the same one, so its order holds. When their number changes, all of
// them are emptied first, or a series' points could overtake each other on their way through two shards.

import { exemplarsOf, type Point, type PointCounts } from '../points/index.ts';
import type { LoadMeter } from './load.ts';
import type { ResolvedQueue } from './options.ts';
import { noPoints } from './outcome.ts';
import type { PointRun } from './point-run.ts';
import { desiredShards, type Load, wantedShards } from './resharding.ts';
import { Shard } from './shard.ts';

export interface QueueHooks {
  /** Takes a batch on from its shard. Must not reject. */
  deliver: (run: PointRun, shard: number) => Promise<void>;
  /** Told of several at a time, before anybody else can know of them. */
  onEntered: (counts: PointCounts) => void;
  onDropped: (counts: PointCounts) => void;
  /** After the shards were emptied, before the first point enters one of so many. */
  onResharded: (shards: number) => void;
  /** Points that have left the shards and have no final fate. */
  underWay: () => number;
  now: () => number;
}

/** What a closed client answers to `append`. */
export class ClosedError extends Error {
  /** Points of this `append`, its first ones, that the client had taken before: they are delivered or dropped as all others. */
  readonly taken: number;
  constructor(taken = 0) {
    super(taken === 0 ? 'the client is closed' : `the client was closed, and took only the first ${taken} points`);
    this.name = 'ClosedError';
    this.taken = taken;
  }
}

/** Shards must be empty after so long, or their number stays: `append` waits meanwhile. */
const RESHARD_MS = 10_000;
const LOOK_MS = 100;

const DONE = Promise.resolve();

export class Queue {
  readonly #options: ResolvedQueue;
  readonly #hooks: QueueHooks;
  #shards: Shard[];
  /** One after the other: appends that have to wait, and changes of the number of shards. */
  #line: Promise<unknown> = Promise.resolve();
  /** Those in it. */
  #inLineCount = 0;
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
    // Nobody to wait for: mostly that is all.
    const entered = this.#inLineCount === 0 && !this.#isClosed ? this.#enter(points, 0) : 0;
    if (entered === points.length) return DONE;
    // The caller may use the array again.
    const rest = points.slice(entered);
    this.#blocked += rest.length;
    return this.#inLine(async () => {
      let from = 0;
      try {
        while (from < rest.length) {
          if (this.#isClosed) throw new ClosedError(entered + from);
          const next = this.#enter(rest, from);
          this.#blocked -= next - from;
          from = next;
          if (from < rest.length) await this.#roomIn(this.#shardOf(rest[from]!));
        }
      } finally {
        this.#blocked -= rest.length - from;
      }
    });
  }

  /** Sends all that is there. Resolves when it has its final fate. */
  async drain(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.drain()));
  }

  /** Empties the shards and goes on with this many; with those there are, if the endpoint is in trouble or too slow to empty them. */
  reshard(shards: number): Promise<void> {
    return this.#inLine(async () => {
      if (shards === this.#shards.length || this.#isClosed) return;
      if (!(await this.#isDrainedInTime())) return;
      this.#shards = this.#makeShards(shards);
      this.#hooks.onResharded(shards);
    });
  }

  async #isDrainedInTime(): Promise<boolean> {
    const tooLate = Promise.withResolvers<false>();
    const startedMs = this.#hooks.now();
    const look = setInterval(() => {
      const nowMs = this.#hooks.now();
      if (this.#load.isFrozen(nowMs) || nowMs - startedMs > RESHARD_MS) tooLate.resolve(false);
    }, LOOK_MS);
    try {
      return await Promise.race([this.drain().then(() => true), tooLate.promise]);
    } finally {
      clearInterval(look);
    }
  }

  /** Takes no more, and lets go who waits. What is there stays to be drained. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const shard of this.#shards) shard.release();
  }

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    this.#inLineCount++;
    const done = this.#line.then(work).finally(() => {
      this.#inLineCount--;
    });
    this.#line = done.catch(() => {});
    return done;
  }

  #shardOf(point: Point): Shard {
    const { hash } = point.series;
    const { length } = this.#shards;
    // The remainder, which costs more than all else here where it has to be divided for.
    return this.#shards[(length & (length - 1)) === 0 ? hash & (length - 1) : hash % length]!;
  }

  async #roomIn(shard: Shard): Promise<void> {
    while (shard.isFull && !this.#isClosed) {
      this.#waits++;
      await shard.room();
    }
  }

  /** Puts points into their shards, from this one on, as long as there is room. Returns the index of the first that has to wait. */
  #enter(points: readonly Point[], from: number): number {
    const entered = { ...noPoints(), highestMs: 0 };
    const next = this.#enterEach(points, from, entered);
    this.#load.entered(next - from, entered.highestMs);
    this.#hooks.onEntered(entered);
    return next;
  }

  // A loop and nothing else, with nothing done for each point that can be done for all: see bench/end-to-end.ts.
  #enterEach(points: readonly Point[], from: number, entered: PointCounts & { highestMs: number }): number {
    let next = from;
    for (; next < points.length; next++) {
      const point = points[next]!;
      const shard = this.#shardOf(point);
      if (shard.isFull) {
        if (this.#options.onFull === 'block') break;
        this.#hooks.onDropped(shard.dropOldest());
      }
      if (point.kind === 'sample' || point.kind === 'stale') entered.samples++;
      else entered.histograms++;
      entered.exemplars += exemplarsOf(point).length;
      if (point.timestampMs > entered.highestMs) entered.highestMs = point.timestampMs;
      shard.push(point);
    }
    return next;
  }

  #makeShards(count: number): Shard[] {
    const { capacity, maxPerSend, deadlineMs } = this.#options;
    return Array.from({ length: count }, (_, shard) => {
      const deliver = (run: PointRun) => this.#hooks.deliver(run, shard);
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
