// Interns byte strings: equal bytes, equal small integer. Everything on the hot path that is text is one of these integers, so
// label sets compare as integers and text is decoded once per distinct value. Ids count up from 0 in order of first sight;
// nothing observable depends on the hash.

const INITIAL = 256;

export class ByteTable {
  count = 0;
  private mask = INITIAL * 2 - 1;
  private slots = new Int32Array(INITIAL * 2).fill(-1);
  private hashes = new Int32Array(INITIAL);
  private offsets = new Uint32Array(INITIAL);
  private lengths = new Uint32Array(INITIAL);
  private arena = new Uint8Array(4096);
  private arenaView = new DataView(this.arena.buffer);
  private top = 0;

  /** Id of buf[start, end); `view` covers the same bytes as `buf`. `count` tells whether it is new. */
  intern(buf: Uint8Array, view: DataView, start: number, end: number): number {
    const n = end - start;
    const h = hashBytes(buf, view, start, end);
    let p = h & this.mask;
    const { slots, hashes, lengths, offsets, arena, arenaView } = this;
    for (;;) {
      const id = slots[p]!;
      if (id < 0) break;
      if (hashes[id] === h && lengths[id] === n) {
        const o = offsets[id]!;
        let i = 0;
        while (i + 4 <= n && arenaView.getInt32(o + i, true) === view.getInt32(start + i, true)) i += 4;
        while (i < n && arena[o + i] === buf[start + i]) i++;
        if (i === n) return id;
      }
      p = (p + 1) & this.mask;
    }
    return this.append(buf, start, end, h, p);
  }

  internBytes(bytes: Uint8Array): number {
    return this.intern(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
  }

  /** The bytes of an id: a view into the arena, good until the next intern. */
  bytes(id: number): Uint8Array {
    const o = this.offsets[id]!;
    return this.arena.subarray(o, o + this.lengths[id]!);
  }

  length(id: number): number {
    return this.lengths[id]!;
  }

  /** Bytes of memory held. */
  get sizeBytes(): number {
    return this.arena.length + this.slots.length * 4 + this.hashes.length * 12;
  }

  private append(buf: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const n = end - start;
    if (this.top + n > this.arena.length) {
      let size = this.arena.length * 2;
      while (size < this.top + n) size *= 2;
      const arena = new Uint8Array(size);
      arena.set(this.arena);
      this.arena = arena;
      this.arenaView = new DataView(arena.buffer);
    }
    const id = this.count++;
    this.arena.set(buf.subarray(start, end), this.top);
    this.hashes[id] = hash;
    this.offsets[id] = this.top;
    this.lengths[id] = n;
    this.top += n;
    this.slots[slot] = id;
    if (this.count === this.hashes.length) this.grow();
    return id;
  }

  private grow(): void {
    const capacity = this.hashes.length * 2;
    const wider = <T extends Int32Array | Uint32Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.hashes = wider(this.hashes, new Int32Array(capacity));
    this.offsets = wider(this.offsets, new Uint32Array(capacity));
    this.lengths = wider(this.lengths, new Uint32Array(capacity));
    this.mask = capacity * 2 - 1;
    this.slots = new Int32Array(capacity * 2).fill(-1);
    for (let id = 0; id < this.count; id++) {
      let p = this.hashes[id]! & this.mask;
      while (this.slots[p]! >= 0) p = (p + 1) & this.mask;
      this.slots[p] = id;
    }
  }
}

/** 32-bit hash, eight bytes at a time: two lanes, multiply and rotate, avalanche at the end. */
function hashBytes(buf: Uint8Array, view: DataView, start: number, end: number): number {
  let h = Math.imul(end - start, 0x9e3779b1);
  let g = 0x1b873593;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    h = Math.imul(h ^ view.getInt32(i, true), 0x85ebca6b);
    g = Math.imul(g ^ view.getInt32(i + 4, true), 0xc2b2ae35);
    h = (h << 13) | (h >>> 19);
    g = (g << 15) | (g >>> 17);
  }
  for (; i < end; i++) {
    h = Math.imul(h ^ buf[i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  h ^= g;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
