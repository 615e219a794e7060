// Sends what the lanes hold: one body of each at a time, the next only when the cursor has passed the one before.

import type { RequestBody } from '../points/index.ts';
import type { Books } from './books.ts';
import type { Entry } from './entry.ts';
import { isBodySound } from './frame.ts';
import type { Lanes } from './lanes.ts';
import type { Retention } from './retention.ts';
import type { SegmentLog } from './segment-log.ts';

/**
 * Takes a body to its final fate, or leaves it `unsettled`, which it may only when the queue has been told to stop. Must not
 * reject.
 * @param info `isStored`: an unsettled one will be sent by the next process; otherwise it is lost.
 */
export type Deliver = (
  body: RequestBody,
  info: { isRepeat: boolean; isStored: boolean },
) => Promise<'settled' | 'unsettled'>;

export interface DeliveryParts {
  lanes: Lanes;
  log: SegmentLog;
  retention: Retention;
  books: Books;
  deliver: Deliver;
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Resolves when it is on the disk, if the policy wants that. */
  advanceCursor: () => Promise<void>;
  onSettled: () => void;
  /** Ends it: no more bodies are begun. */
  signal: AbortSignal;
}

/** What can't be read may be there a moment later; what never comes back must not hold up its shard for ever. */
const MAX_READS = 10;
const READ_PAUSE_MS = 1_000;

export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #running = new Map<number, Promise<void>>();

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Starts the lanes that have something to send. */
  serve(): void {
    const { lanes, signal } = this.#parts;
    if (signal.aborted) return;
    // Not before the cursor has passed all of them: or a series could be sent again from two of its lanes.
    if (this.#running.size === 0) lanes.advance();
    for (let lane = 0; lane < lanes.served; lane++) {
      if (this.#running.has(lane)) continue;
      const entry = lanes.take(lane);
      if (entry === undefined) continue;
      const running = this.#run(lane, entry).finally(() => {
        this.#running.delete(lane);
        // A body may have come since the last look, or this was the last one before another layout.
        this.serve();
      });
      this.#running.set(lane, running);
    }
  }

  /** Resolves when nothing is on its way any more; to be asked only after the end. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** After the end: the disk doesn't have them, and nobody is to wait for them, so they are delivered to the abort. */
  async giveUpUnstored(): Promise<void> {
    await this.idle();
    for (const entry of this.#parts.lanes.takeUnstored()) {
      await this.#deliver(entry);
      entry.accept?.();
    }
  }

  async #run(lane: number, first: Entry): Promise<void> {
    const { lanes, retention, advanceCursor, onSettled } = this.#parts;
    for (let entry: Entry | undefined = first; entry !== undefined; entry = this.#next(lane)) {
      if (!(await this.#deliver(entry))) {
        entry.isUnderWay = false;
        return;
      }
      lanes.settle(lane, entry);
      entry.accept?.();
      onSettled();
      // Before the next one is sent: so that not more than one is sent again.
      if (entry.place !== undefined) await advanceCursor();
      await retention.reclaim();
    }
  }

  #next(lane: number): Entry | undefined {
    const { lanes, retention, signal } = this.#parts;
    if (signal.aborted) return undefined;
    retention.dropOld();
    return lanes.take(lane);
  }

  /** False if it was left unsettled, and is on disk. */
  async #deliver(entry: Entry): Promise<boolean> {
    const { books, deliver } = this.#parts;
    const bytes = entry.bytes ?? (await this.#read(entry));
    if (bytes === 'stopped') return false;
    if (bytes === 'damaged') {
      books.dropped('disk_damaged', entry.body.counts);
      return true;
    }
    const { isRepeat, place } = entry;
    const fate = await deliver({ ...entry.body, bytes }, { isRepeat, isStored: place !== undefined });
    if (fate === 'settled') books.settled++;
    return fate === 'settled' || place === undefined;
  }

  /** The bytes, or why there are none. */
  async #read({ place }: Entry): Promise<Uint8Array | 'damaged' | 'stopped'> {
    const { log, books, sleep, signal } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await log.read(place!);
        return isBodySound(bytes, place!, place!.segment.salt) ? bytes : 'damaged';
      } catch (error) {
        books.failed('read', error);
      }
      if (attempt === MAX_READS) return 'damaged';
      await sleep(READ_PAUSE_MS, signal).catch(() => {});
      if (signal.aborted) return 'stopped';
    }
  }
}
