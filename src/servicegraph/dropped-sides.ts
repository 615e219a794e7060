// Sides of calls that a filter dropped: their other half must not wait for them. Remembered for the wait time, bounded, and
// only there when filters are.

import type { Section } from '../registry/index.ts';

export class DroppedSides {
  overflows = 0;
  private readonly maxItems: number;
  /** Side and edge key → expiry, ms. */
  private readonly sides = new Map<string, number>();
  private changed = new Set<string>();

  constructor(maxItems: number) {
    this.maxItems = maxItems;
  }

  get size(): number {
    return this.sides.size;
  }

  static key(client: boolean, edgeKey: Int32Array): string {
    return `${client ? 'c' : 's'}${edgeKey.join(',')}`;
  }

  add(key: string, expiresMs: number): void {
    if (!this.sides.has(key) && this.sides.size >= this.maxItems) {
      this.overflows++;
      return;
    }
    this.sides.set(key, expiresMs);
    this.changed.add(key);
  }

  has(key: string): boolean {
    return this.sides.has(key);
  }

  expire(nowMs: number): void {
    for (const [key, expiresMs] of this.sides) {
      if (expiresMs > nowMs) continue;
      this.sides.delete(key);
      this.changed.add(key);
    }
  }

  /** Takes over what its predecessor remembers. */
  adopt(from: DroppedSides): void {
    for (const [key, expiresMs] of from.sides) this.sides.set(key, expiresMs);
    this.changed = new Set(from.changed);
    this.overflows = from.overflows;
  }

  changes(): Section {
    const keys = [...this.changed];
    this.changed = new Set();
    return this.section(keys);
  }

  everything(): Section {
    return this.section([...this.sides.keys()]);
  }

  load(section: Section): void {
    for (const [key, expiresMs] of section.meta['sides'] as [string, number][]) {
      if (expiresMs < 0) this.sides.delete(key);
      else this.sides.set(key, expiresMs);
    }
  }

  /** In the order of the keys: that of their making is not known after a load. */
  private section(keys: string[]): Section {
    return {
      name: 'dropped-sides',
      meta: { holder: 'dropped-sides', sides: keys.sort().map((key) => [key, this.sides.get(key) ?? -1]) },
      columns: {},
    };
  }
}
