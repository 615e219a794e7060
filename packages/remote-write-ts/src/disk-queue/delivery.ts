// Sends what the lanes hold: one body of each at a time, the next only when the cursor has passed the one before.

import type { RequestBody } from '../points/index.ts';
import type { Books } from './books.ts';
import type { Entry, Unread } from './entry.ts';
import { MAX_READS, READ_PAUSE_MS } from './file-system.ts';
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
  /** Reads what is to be read before anything else is sent, or gives it up; leaves it only after the end. */
  readAgain: (unread: Unread) => Promise<void>;
  /** Resolves when it is on the disk, if the policy wants that. */
  advanceCursor: () => Promise<unknown>;
  onSettled: () => void;
  /** Ends it: no more bodies are begun. */
  signal: AbortSignal;
}

export class Delivery {
  readonly #parts: DeliveryParts;
  /** By lane. */
  readonly #running = new Map<number, Promise<void>>();
  #reading: Promise<void> | undefined;
  #givingUp: Promise<void> = Promise.resolve();

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Starts the lanes that have something to send. */
  serve(): void {
    const { lanes, retention, signal } = this.#parts;
    if (signal.aborted || this.#reading !== undefined || retention.isDropping) return;
    // Not before the cursor has passed all of them: or a series could be sent again from two of its lanes.
    if (this.#running.size === 0) lanes.advance();
    if (lanes.unread !== undefined) {
      // The lanes that run are those from before it.
      if (this.#running.size === 0) this.#read(lanes.unread);
      return;
    }
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
    await Promise.all([...this.#running.values(), this.#reading]);
  }

  /** After the end: the disk doesn't have them, and nobody is to wait for them, so they are delivered to the abort. */
  giveUpUnstored(): Promise<void> {
    // One after the other: who calls last waits for all.
    this.#givingUp = this.#givingUp.then(async () => {
      await this.idle();
      for (const entry of this.#parts.lanes.takeUnstored()) {
        await this.#deliver(entry);
        entry.accept?.();
      }
    });
    return this.#givingUp;
  }

  #read(unread: Unread): void {
    this.#reading = this.#parts.readAgain(unread).finally(() => {
      this.#reading = undefined;
      this.serve();
      // Perhaps there was nothing else.
      this.#parts.onSettled();
    });
  }

  async #run(lane: number, first: Entry): Promise<void> {
    const { lanes, retention, advanceCursor, onSettled } = this.#parts;
    for (let entry: Entry | undefined = first; entry !== undefined; entry = await this.#next(lane)) {
      const fate = await this.#deliver(entry);
      if (fate === 'left') {
        entry.isUnderWay = false;
        return;
      }
      lanes.settle(lane, entry);
      entry.accept?.();
      onSettled();
      // Before the next one is sent: so that not more than one is sent again.
      if (fate === 'dropped') await retention.tellCursor();
      else if (entry.place !== undefined) await advanceCursor();
      await retention.reclaim();
    }
  }

  async #next(lane: number): Promise<Entry | undefined> {
    const { lanes, retention, signal } = this.#parts;
    if (signal.aborted) return undefined;
    await retention.dropOld();
    await retention.dropped();
    return signal.aborted ? undefined : lanes.take(lane);
  }

  /** `left`: it is unsettled, and on disk. */
  async #deliver(entry: Entry): Promise<'settled' | 'dropped' | 'left'> {
    const { books, deliver } = this.#parts;
    const { body, isRepeat } = entry;
    const bytes = entry.bytes ?? (await this.#bytes(entry));
    if (typeof bytes === 'string') {
      if (bytes === 'stopped' && entry.isStored) return 'left';
      books.dropped(entry.isStored ? 'disk_damaged' : 'disk_max_bytes', body.counts);
      return 'dropped';
    }
    const { isStored } = entry;
    const fate = await deliver({ ...body, bytes }, { isRepeat, isStored });
    if (fate === 'settled') books.settled++;
    // Its segment was dropped while it was on its way: the next process won't find it, and nobody else counts it.
    else if (isStored && !entry.isStored) books.dropped('disk_max_bytes', body.counts);
    return fate === 'settled' || !entry.isStored ? 'settled' : 'left';
  }

  /** The bytes, or why there are none. */
  async #bytes(entry: Entry): Promise<Uint8Array | 'damaged' | 'stopped'> {
    const { log, books, sleep, signal } = this.#parts;
    const place = entry.place!;
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await log.read(place);
        return isBodySound(bytes, place, place.segment.salt) ? bytes : 'damaged';
      } catch (error) {
        if (entry.isStored) books.failed('read', error);
      }
      // Where there is no file, waiting doesn't bring it back.
      if (attempt === MAX_READS || !entry.isStored) return 'damaged';
      await sleep(READ_PAUSE_MS, signal).catch(() => {});
      if (signal.aborted) return 'stopped';
    }
  }
}
