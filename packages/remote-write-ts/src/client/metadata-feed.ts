// Metadata for 1.0, where they don't travel with the series: each family once, again after an interval, and at once when a
// new one has come.

import type { Series, SeriesMetadata } from '../labels/index.ts';

/** Beyond it, new families are left out: names should not be many. */
const MAX_FAMILIES = 10_000;

export class MetadataFeed {
  readonly #intervalMs: number;
  readonly #maxPerSend: number;
  readonly #families = new Map<string, SeriesMetadata>();
  /** The last one. */
  #seen: SeriesMetadata | undefined;
  #hasNews = false;
  #sentMs = Number.NEGATIVE_INFINITY;

  constructor(intervalMs: number, maxPerSend: number) {
    this.#intervalMs = intervalMs;
    this.#maxPerSend = maxPerSend;
  }

  see({ metadata }: Series): void {
    // Those of one family come together: no look-up for each of them.
    if (metadata === undefined || metadata === this.#seen) return;
    this.#seen = metadata;
    if (this.#families.get(metadata.family) === metadata) return;
    const isNew = !this.#families.has(metadata.family);
    if (isNew && this.#families.size >= MAX_FAMILIES) return;
    this.#families.set(metadata.family, metadata);
    this.#hasNews ||= isNew;
  }

  /** The requests that are due now, if any. They count as sent. */
  due(nowMs: number): SeriesMetadata[][] {
    if (this.#families.size === 0 || (!this.#hasNews && nowMs - this.#sentMs < this.#intervalMs)) return [];
    this.#hasNews = false;
    this.#sentMs = nowMs;
    const all = [...this.#families.values()];
    const requests: SeriesMetadata[][] = [];
    for (let i = 0; i < all.length; i += this.#maxPerSend) requests.push(all.slice(i, i + this.#maxPerSend));
    return requests;
  }
}
