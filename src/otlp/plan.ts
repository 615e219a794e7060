// The extraction plan: which attribute keys matter, and the slot that each one fills. Configuration is compiled to this once;
// at span time every other attribute is passed over by its length.

const encoder = new TextEncoder();

export class ExtractionPlan {
  /** Raw attribute keys; the index is the slot. */
  readonly keys: readonly string[];
  private readonly names: Uint8Array[];
  private readonly mask: number;
  private readonly multiplier: number;
  private readonly table: Int16Array;
  private readonly next: Int16Array;

  constructor(keys: Iterable<string>) {
    this.keys = [...new Set(keys)];
    this.names = this.keys.map((key) => encoder.encode(key));
    let size = 64;
    while (size < this.keys.length * 8) size *= 2;
    this.mask = size - 1;
    this.multiplier = this.bestMultiplier(size);
    this.table = new Int16Array(size).fill(-1);
    this.next = new Int16Array(this.keys.length).fill(-1);
    this.names.forEach((name, slot) => {
      const h = this.hash(name, 0, name.length, this.multiplier);
      this.next[slot] = this.table[h]!;
      this.table[h] = slot;
    });
  }

  slotOf(key: string): number {
    return this.keys.indexOf(key);
  }

  /** Slot of the key whose bytes are buf[start, end), or -1. */
  find(buf: Uint8Array, start: number, end: number): number {
    if (start >= end) return -1;
    let slot = this.table[this.hash(buf, start, end, this.multiplier)]!;
    while (slot >= 0) {
      const name = this.names[slot]!;
      if (name.length === end - start) {
        let i = 0;
        while (i < name.length && name[i] === buf[start + i]) i++;
        if (i === name.length) return slot;
      }
      slot = this.next[slot]!;
    }
    return -1;
  }

  /** Length, first, middle and last byte tell real keys apart; which multiplier does it best is found by trying. */
  private hash(buf: Uint8Array, start: number, end: number, multiplier: number): number {
    const n = end - start;
    const mixed = (n << 24) ^ (buf[start]! << 16) ^ (buf[start + (n >> 1)]! << 8) ^ buf[end - 1]!;
    return (Math.imul(mixed, multiplier) >>> 16) & this.mask;
  }

  private bestMultiplier(size: number): number {
    let best = 0x9e3779b1;
    let fewest = Number.POSITIVE_INFINITY;
    for (let i = 0, m = 0x9e3779b1; i < 200 && fewest > 0; i++, m = (Math.imul(m, 0x85ebca6b) + 0x27d4eb2f) | 1) {
      const used = new Uint8Array(size);
      let collisions = 0;
      for (const name of this.names) {
        if (name.length === 0) continue;
        const h = this.hash(name, 0, name.length, m);
        if (used[h]) collisions++;
        used[h] = 1;
      }
      if (collisions < fewest) {
        fewest = collisions;
        best = m;
      }
    }
    return best;
  }
}
