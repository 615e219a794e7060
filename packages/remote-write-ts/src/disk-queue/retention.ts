// What leaves the disk: segments in which everything has its final fate, and, beyond the limits, the oldest whatever it holds.
// Whatever is dropped is counted, then the cursor says so, and only then it is removed or others take its place: a process that
// dies in between must not send it behind newer ones, or count it again.

import type { Books } from './books.ts';
import type { Segment } from './entry.ts';
import type { Lanes } from './lanes.ts';
import type { SegmentLog } from './segment-log.ts';

export interface RetentionOptions {
  maxBytes: number;
  maxAgeMs: number;
  now: () => number;
  /** False if that isn't possible. */
  advanceCursor: () => Promise<boolean>;
  /** Bodies were dropped. */
  onDropped: () => void;
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Ends all waiting. */
  signal: AbortSignal;
}

/** How often a cursor is tried that others wait for. */
const MAX_WRITES = 10;
const WRITE_PAUSE_MS = 1_000;

export class Retention {
  readonly #lanes: Lanes;
  readonly #log: SegmentLog;
  readonly #books: Books;
  readonly #options: RetentionOptions;
  #writing: Promise<unknown> | undefined;
  #isCursorWell = true;

  constructor(lanes: Lanes, log: SegmentLog, books: Books, options: RetentionOptions) {
    this.#lanes = lanes;
    this.#log = log;
    this.#books = books;
    this.#options = options;
  }

  /** Something was dropped, and the cursor doesn't know of it yet: what lies behind it must not be sent before. */
  get isDropping(): boolean {
    return this.#writing !== undefined;
  }

  /** Resolves when the cursor knows of all that was dropped. */
  async dropped(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Of a body that was dropped, and is still on the disk. */
  tellCursor(): Promise<void> {
    return this.#whileDropping(this.#tryCursor());
  }

  async dropOld(): Promise<void> {
    const oldestMs = this.#options.now() - this.#options.maxAgeMs;
    if (this.#log.asides.files > 0) await this.#log.asides.removeOlderThan(oldestMs);
    const old = this.#lanes.dropOlderThan(oldestMs);
    if (old.length === 0) return;
    for (const { body } of old) this.#books.dropped('disk_max_age', body.counts);
    await this.tellCursor();
    this.#options.onDropped();
    await this.reclaim();
  }

  /** Bytes that may be written now. */
  get roomBytes(): number {
    return this.#options.maxBytes - this.#log.sizeBytes;
  }

  /** Whether there could ever be room for so much. */
  canHold(sizeBytes: number): boolean {
    return sizeBytes <= this.#options.maxBytes;
  }

  /** Removes what nobody needs, and then drops the oldest segments, until there is room. False if there can't be. */
  async makeRoom(sizeBytes: number): Promise<boolean> {
    if (sizeBytes > this.roomBytes) await this.#log.removeLeftovers();
    while (sizeBytes > this.roomBytes && (await this.#log.asides.removeOldest()));
    while (sizeBytes > this.roomBytes) {
      if (this.#log.oldest === undefined) await this.#log.retire();
      const { oldest } = this.#log;
      if (oldest === undefined || !(await this.#drop(oldest))) return false;
    }
    return true;
  }

  /** Removes settled segments. From the oldest on only: so that a gap between sequences always means a loss. */
  async reclaim(): Promise<void> {
    for (let { oldest } = this.#log; oldest?.unsettled === 0; { oldest } = this.#log) {
      // Or else what was settled in it just now would be looked for.
      await this.#options.advanceCursor();
      if (!(await this.#log.removeOldest(oldest))) return;
    }
  }

  // They are written one after the other: the last write tells of all.
  async #whileDropping<T>(writing: Promise<T>): Promise<T> {
    this.#writing = writing;
    const result = await writing;
    if (this.#writing === writing) this.#writing = undefined;
    return result;
  }

  // Once it is known to fail, nobody waits for it any more.
  async #tryCursor(): Promise<void> {
    const { advanceCursor, sleep, signal } = this.#options;
    for (let attempt = 1; !(await advanceCursor()); attempt++) {
      if (attempt === MAX_WRITES) this.#isCursorWell = false;
      if (!this.#isCursorWell || signal.aborted) return;
      await sleep(WRITE_PAUSE_MS, signal).catch(() => {});
    }
    this.#isCursorWell = true;
  }

  async #drop(segment: Segment): Promise<boolean> {
    const unread = this.#lanes.unreadOf(segment);
    if (unread !== undefined) {
      this.#lanes.giveUp(unread);
      this.#books.unreadable++;
    }
    for (const { body } of this.#lanes.dropSegment(segment, this.#log.second)) {
      this.#books.dropped('disk_max_bytes', body.counts);
    }
    const isWritten = await this.#whileDropping(this.#options.advanceCursor());
    this.#options.onDropped();
    const isRemoved = await this.#log.removeOldest(segment, true);
    // Perhaps the disk was full.
    if (isRemoved && !isWritten) await this.#options.advanceCursor();
    return isRemoved;
  }
}
