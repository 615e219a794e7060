// Committed entries in order, for whoever sends them: the newest from memory, older ones read back from the ledger. A reader that is
// behind costs disk reads, never memory.

import type { EntryContent, Ledger } from '../ledger/index.ts';

/** What a sender needs of an entry. */
export type SentEntry = Pick<EntryContent, 'tMs' | 'kind' | 'sections'>;

/** Entries kept in memory for readers that are in step. */
const KEPT = 4;

export class EntryFeed {
  private readonly ledger: Ledger;
  private readonly recent: { afterMs: number; entry: SentEntry }[] = [];
  private newestMs: number;
  private waiters: (() => void)[] = [];
  private closed = false;

  /** @param newestMs T of the newest committed entry, -1 if there is none */
  constructor(ledger: Ledger, newestMs: number) {
    this.ledger = ledger;
    this.newestMs = newestMs;
  }

  push(entry: SentEntry): void {
    this.recent.push({ afterMs: this.newestMs, entry });
    if (this.recent.length > KEPT) this.recent.shift();
    this.newestMs = entry.tMs;
    this.wake();
  }

  /** Ends every `follow` once it has given what there is. */
  close(): void {
    this.closed = true;
    this.wake();
  }

  /** Entries with T > `afterMs` (-1: all), for ever; ends after `close`. */
  async *follow(afterMs: number): AsyncGenerator<SentEntry> {
    let positionMs = afterMs;
    for (;;) {
      while (positionMs < this.newestMs) {
        const next = this.recent.find(({ entry }) => entry.tMs > positionMs);
        if (next && next.afterMs <= positionMs) {
          positionMs = next.entry.tMs;
          yield next.entry;
          continue;
        }
        for await (const entry of this.ledger.read(positionMs)) {
          // Durable, but its commit is still under way.
          if (entry.tMs > this.newestMs) break;
          positionMs = entry.tMs;
          // Where a first start began: nothing is said of it.
          if (entry.kind === 'genesis') continue;
          yield entry;
          if (this.recent[0] && this.recent[0].afterMs <= positionMs) break;
        }
      }
      if (this.closed) return;
      await new Promise<void>((resolve) => {
        this.waiters.push(resolve);
      });
    }
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const resolve of waiters) resolve();
  }
}
