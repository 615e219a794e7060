// What leaves the disk: segments in which everything has its final fate, and, beyond the limits, the oldest whatever it holds.
// What is on its way is never dropped: its fate will be told.

import type { Books } from './books.ts';
import type { Lanes } from './lanes.ts';
import type { SegmentLog } from './segment-log.ts';

export interface RetentionOptions {
  maxBytes: number;
  maxAgeMs: number;
  now: () => number;
  /** Bodies were dropped. */
  onDropped: () => void;
}

export class Retention {
  readonly #lanes: Lanes;
  readonly #log: SegmentLog;
  readonly #books: Books;
  readonly #options: RetentionOptions;

  constructor(lanes: Lanes, log: SegmentLog, books: Books, options: RetentionOptions) {
    this.#lanes = lanes;
    this.#log = log;
    this.#books = books;
    this.#options = options;
  }

  dropOld(): void {
    const old = this.#lanes.dropOlderThan(this.#options.now() - this.#options.maxAgeMs);
    if (old.length === 0) return;
    for (const { body } of old) this.#books.dropped('disk_max_age', body.counts);
    this.#options.onDropped();
  }

  /** Bytes that may be written now. */
  get roomBytes(): number {
    return this.#options.maxBytes - this.#log.sizeBytes;
  }

  /** Drops the oldest segments until there is room. False if there can't be. */
  async makeRoom(sizeBytes: number): Promise<boolean> {
    if (sizeBytes > this.#options.maxBytes) return false;
    if (sizeBytes <= this.roomBytes) return true;
    while (sizeBytes > this.roomBytes) {
      if (this.#log.oldest === undefined) await this.#log.retire();
      const { oldest } = this.#log;
      if (oldest === undefined) return false;
      for (const { body } of this.#lanes.dropSegment(oldest)) this.#books.dropped('disk_max_bytes', body.counts);
      this.#options.onDropped();
      if (!(await this.#log.removeOldest())) return false;
    }
    return true;
  }

  /** Removes settled segments. From the oldest on only: so that a gap between sequences always means a loss. */
  async reclaim(): Promise<void> {
    while (this.#log.oldest?.unsettled === 0) if (!(await this.#log.removeOldest())) return;
  }
}
