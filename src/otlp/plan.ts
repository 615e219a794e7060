// The extraction plan: which attribute keys matter, and the slot that each one fills. Configuration is compiled to this once;
// at span time every other attribute is passed over by its length. Hot: `mayHave` runs for every attribute of every span.

const encoder = new TextEncoder();

/** Planned keys of these lengths are told apart by a table; others, which nobody has, by looking at each. */
const SHORTEST = 4;
const LENGTHS = 128;

export class ExtractionPlan {
  /** Raw attribute keys; the index is the slot. */
  readonly keys: readonly string[];
  private readonly names: Uint8Array[];
  /** By key length: which values of `sampleOf` planned keys of that length have, as bits. Small, so it stays in the cache. */
  private readonly samples = new Int32Array(LENGTHS);
  /** By key length and sample: the first slot, or -1. */
  private readonly table = new Int16Array(LENGTHS * 32).fill(-1);
  /** By slot: another slot with the same length and sample, or -1. */
  private readonly next: Int16Array;
  /** Names as little-endian words from `wordsAt[slot]` on, the last word being the last four bytes: compared a word at a time. */
  private readonly words: Int32Array;
  private readonly wordsAt: Int32Array;

  constructor(keys: Iterable<string>) {
    this.keys = [...new Set(keys)];
    this.names = this.keys.map((key) => encoder.encode(key));
    this.next = new Int16Array(this.keys.length).fill(-1);
    this.wordsAt = new Int32Array(this.keys.length);
    const words: number[] = [];
    this.names.forEach((name, slot) => {
      const n = name.length;
      if (n < SHORTEST || n >= LENGTHS) return;
      const view = new DataView(name.buffer, name.byteOffset, n);
      this.wordsAt[slot] = words.length;
      for (let i = 0; i < n - 4; i += 4) words.push(view.getInt32(i, true));
      words.push(view.getInt32(n - 4, true));
      const sample = sampleOf(view, 0, n);
      this.samples[n] = this.samples[n]! | (1 << sample);
      this.next[slot] = this.table[(n << 5) | sample]!;
      this.table[(n << 5) | sample] = slot;
    });
    this.words = Int32Array.from(words);
    // Nothing is known of keys that are too short to be sampled: `find` looks at those.
    const shortest = this.names.filter((name) => name.length < SHORTEST);
    for (const name of shortest) this.samples[name.length] = -1;
  }

  slotOf(key: string): number {
    return this.keys.indexOf(key);
  }

  /**
   * May [start, end) of `view`, 1 to 127 bytes and at least four more behind `start`, be a planned key? Says no to nearly all
   * others, and costs less than `find`.
   */
  mayHave(view: DataView, start: number, end: number): boolean {
    return (this.samples[end - start]! & (1 << sampleOf(view, start, end))) !== 0;
  }

  /** Slot of the key whose bytes are [start, end) of `view`, or -1. */
  find(view: DataView, start: number, end: number): number {
    const n = end - start;
    if (n < SHORTEST || n >= LENGTHS) return this.search(view, start, end);
    const { words, wordsAt } = this;
    const last = end - 4;
    let slot = this.table[(n << 5) | sampleOf(view, start, end)]!;
    for (; slot >= 0; slot = this.next[slot]!) {
      let w = wordsAt[slot]!;
      let p = start;
      while (p < last && view.getInt32(p, true) === words[w]) {
        p += 4;
        w++;
      }
      if (p >= last && view.getInt32(last, true) === words[w]) break;
    }
    return slot;
  }

  private search(view: DataView, start: number, end: number): number {
    if (start >= end) return -1;
    const n = end - start;
    return this.names.findIndex(
      (name) => name.length === n && name.every((byte, i) => byte === view.getUint8(start + i)),
    );
  }
}

/** 0 to 31, by the first and the last four bytes. */
function sampleOf(view: DataView, start: number, end: number): number {
  return Math.imul(view.getInt32(start, true) ^ Math.imul(view.getInt32(end - 4, true), 0x85ebca6b), 0x9e3779b1) >>> 27;
}
