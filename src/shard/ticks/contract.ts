// What the tick machine is told and what it tells: its options, its callbacks, its statistics.

import type { LogBatch } from '../../log/index.ts';

/** The times of every shard. Changing `tickMs` changes what closed ticks of older ledgers mean. */
export const TICK_TIMES = { tickMs: 1_000, graceMs: 1_000, maxHoldMs: 60_000, maxAheadMs: 10_000 } as const;

export interface TickOptions {
  /** The partitions, and the next offset to fold of each. */
  from: ReadonlyMap<number, number>;
  tickMs: number;
  /** A partition's end counts for a tick if it was the end this long after the tick's end. */
  graceMs: number;
  /** A partition that the tick waits for is released after so long without a word of it. */
  maxHoldMs: number;
  /** A record stamped further ahead of the wall clock at its read takes its predecessor's time. */
  maxAheadMs: number;
  /** Ticks that end at multiples of this are closed even if they are empty, while there is work. A multiple of `tickMs`. */
  boundaryMs: number;
  /** End of the last closed tick, after a recovery. Without it the first tick is that of the earliest record. */
  startMs?: number | undefined;
}

/** What a tick does to the state. Live and replayed ticks make exactly the same calls, but for empty ticks that weren't closed. */
export interface TickFold {
  /** Before the first record of a tick: timers due up to `tickStartMs` fire now, those of ticks that were jumped over too. */
  open(tickStartMs: number): void;
  /** Folds record `index` of the batch in the tick that begins at `tickStartMs`. Never called twice for a record. */
  fold(batch: LogBatch, index: number, tickStartMs: number): void;
  /**
   * The tick is complete: timers due up to `tickEndMs` fire, and at a boundary a snapshot is taken. `nextOffsets[i]` is the
   * next offset to fold of `partitions[i]` (ascending ids). Both may be kept: they aren't written to again.
   */
  close(tickEndMs: number, nextOffsets: Float64Array, partitions: readonly number[]): void;
}

/** `offer`, `end` and `addPartition` may be called from inside these; `run` may not. One that throws leaves the machine unusable. */
export interface TickCallbacks extends TickFold {
  /** Is there state that time alone would change (live rows, pending edges), or is an entry wanted? Else boundaries are jumped over. */
  hasWork(): boolean;
  /** May the tick be closed now? After false nothing changes, and the next `run` asks again. */
  mayClose(tickEndMs: number): boolean;
  /**
   * A whole batch was folded: `freedBytes` less are held. Whoever pauses by bytes must do so per partition, and never leave one
   * paused of which nothing is held here: the tick may be waiting for exactly that one, and does so for ever.
   */
  drained?(partition: number, bufferedBytes: number, freedBytes: number): void;
  /** Right before: nothing looks at the batch again. */
  spent?(batch: LogBatch): void;
}

export interface TickCounters {
  folded: number;
  /** Stamped more than `maxAheadMs` ahead of the clock: took the predecessor's time. */
  future: number;
  /** Of a released partition, behind the open tick. */
  held: number;
  /** Behind the open tick for another reason. */
  late: number;
  /** Delivered again, not folded again. */
  repeated: number;
  /** Times that a partition was released. */
  releases: number;
  closed: number;
}

export interface PartitionStats {
  partition: number;
  nextOffset: number;
  bufferedBytes: number;
  isReleased: boolean;
}

export interface TickStats {
  /** Undefined until the first tick is known. */
  openTickStartMs: number | undefined;
  /** Records folded in the open tick. While it is 0, the state is that of the last close. */
  openTickRecords: number;
  /** The partition that the open tick (or the choice of the first one) waited for at the last `run`. */
  waitingFor: number | undefined;
  /** The last `run` ended because `mayClose` said no. */
  isCloseRefused: boolean;
  partitions: PartitionStats[];
  counters: TickCounters;
}
