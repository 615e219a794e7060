// Follows partitions for one listener: from memory right after a group became durable when it stands at the end, from the files
// when it is behind. Must never call the listener out of order, before durability, or after it was stopped.
import { type LogBatch, type LogConsumer, LogError, type LogListener } from '../port.ts';
import { copyBatch, measure } from './batch.ts';
import type { ReadAccess } from './read-access.ts';
import { type Cursor, cursorAt, readChunk } from './reader.ts';
import type { PartitionState } from './segment.ts';
import type { DurableGroup } from './writer.ts';

export const END_MARK_INTERVAL_MS = 250;

/** Runs something again and again until the returned function is called. */
export type Every = (intervalMs: number, run: () => void) => () => void;

interface Follower {
  state: PartitionState;
  cursor: Cursor;
  isPaused: boolean;
  /** A read is under way or the listener is being called: nobody else may deliver. */
  isBusy: boolean;
  hasFailed: boolean;
}

export interface ConsumerOptions {
  access: ReadAccess;
  now: () => number;
  every: Every;
  onStop(consumer: EmbeddedConsumer): void;
}

export class EmbeddedConsumer implements LogConsumer {
  private readonly options: ConsumerOptions;
  private readonly listener: LogListener;
  private readonly followers = new Map<number, Follower>();
  private readonly reads = new Set<Promise<void>>();
  private readonly cancelMarks: () => void;
  private isStopped = false;

  constructor(from: ReadonlyMap<PartitionState, number>, listener: LogListener, options: ConsumerOptions) {
    this.options = options;
    this.listener = listener;
    for (const [state, offset] of from) {
      const cursor = cursorAt(offset);
      this.followers.set(state.id, { state, cursor, isPaused: false, isBusy: false, hasFailed: false });
    }
    this.cancelMarks = options.every(END_MARK_INTERVAL_MS, () => {
      for (const follower of this.followers.values()) this.goOn(follower);
    });
    // Later, so that the caller holds the consumer when its listener is first called.
    queueMicrotask(() => {
      for (const follower of this.followers.values()) this.goOn(follower);
    });
  }

  pause(partition: number): void {
    this.follower(partition).isPaused = true;
  }

  resume(partition: number): void {
    const follower = this.follower(partition);
    if (!follower.isPaused) return;
    follower.isPaused = false;
    this.goOn(follower);
  }

  async stop(): Promise<void> {
    if (!this.isStopped) {
      this.isStopped = true;
      this.cancelMarks();
      this.options.onStop(this);
    }
    await Promise.all(this.reads);
  }

  /** A group of `partition` became durable. Never throws. */
  onDurable(partition: number, group: DurableGroup): void {
    const follower = this.followers.get(partition);
    if (follower === undefined || !this.mayDeliver(follower) || follower.isBusy) return;
    if (follower.cursor.offset !== group.firstOffset) {
      this.goOn(follower);
      return;
    }
    follower.isBusy = true;
    let at = 0;
    while (at < group.length && this.mayDeliver(follower)) {
      const { cursor } = follower;
      const { bytes, view, length, endOffset } = group;
      const stretch = measure(bytes, view, at, length, cursor.offset, endOffset, true, this.listener.batchBytes);
      const batch = copyBatch(partition, bytes, view, at, stretch, this.options.now());
      at = stretch.next;
      cursor.offset += stretch.count;
      // Where that is in which file is found again if it is ever needed.
      cursor.segment = undefined;
      this.deliver(follower, batch);
    }
    follower.isBusy = false;
    this.goOn(follower);
  }

  /** Whatever is next for a follower that nobody is busy with: to say that it is at the end, or to read on. */
  private goOn(follower: Follower): void {
    if (follower.isBusy || this.isStopped || follower.hasFailed) return;
    if (follower.cursor.offset === follower.state.end) {
      this.mark(follower);
      return;
    }
    if (follower.isPaused) return;
    follower.isBusy = true;
    const read = this.readToEnd(follower).finally(() => {
      this.reads.delete(read);
      follower.isBusy = false;
      this.goOn(follower);
    });
    this.reads.add(read);
  }

  private async readToEnd(follower: Follower): Promise<void> {
    const { state, cursor } = follower;
    try {
      while (this.mayDeliver(follower) && cursor.offset !== state.end) {
        const { access, now } = this.options;
        const emit = (batch: LogBatch) => {
          if (!this.isStopped) this.deliver(follower, batch);
          return this.mayDeliver(follower);
        };
        await readChunk(state, access, cursor, now, emit, () => this.listener.batchBytes);
      }
    } catch (error) {
      this.fail(follower, error);
    }
  }

  /**
   * Also while paused: a partition that is paused at its end has nothing to hold back, and whoever waits for its end must
   * learn of it, or the pause would never end.
   */
  private mark(follower: Follower): void {
    follower.isBusy = true;
    try {
      const { id: partition, end } = follower.state;
      this.listener.onEnd({ partition, end, wallMs: this.options.now() });
    } catch (error) {
      this.fail(follower, error);
    }
    follower.isBusy = false;
  }

  private mayDeliver(follower: Follower): boolean {
    return !this.isStopped && !follower.isPaused && !follower.hasFailed;
  }

  private deliver(follower: Follower, batch: LogBatch): void {
    try {
      this.listener.onBatch(batch);
    } catch (error) {
      this.fail(follower, error);
    }
  }

  private fail(follower: Follower, cause: unknown): void {
    if (follower.hasFailed || this.isStopped) return;
    follower.hasFailed = true;
    const error = cause instanceof Error ? cause : new LogError('log_damaged', String(cause));
    try {
      this.listener.onError(follower.state.id, error);
    } catch {
      // It has been told; nothing more can be done for this partition.
    }
  }

  private follower(partition: number): Follower {
    const follower = this.followers.get(partition);
    if (follower === undefined) throw new RangeError(`partition ${partition} isn't consumed here`);
    return follower;
  }
}
