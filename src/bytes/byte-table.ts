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
        if (sameBytes(arena, arenaView, offsets[id]!, buf, view, start, n)) return id;
      }
      p = (p + 1) & this.mask;
    }
    return this.append(buf, start, end, h, p);
  }

  /** Is buf[start, end) the string of this id? Cheaper than interning where one knows what to expect. */
  equals(id: number, buf: Uint8Array, view: DataView, start: number, end: number): boolean {
    const n = end - start;
    return this.lengths[id] === n && sameBytes(this.arena, this.arenaView, this.offsets[id]!, buf, view, start, n);
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

/** Four bytes at a time, the last four again where the length is no multiple. */
function sameBytes(a: Uint8Array, av: DataView, ap: number, b: Uint8Array, bv: DataView, bp: number, n: number): boolean {
  if (n < 4) {
    for (let i = 0; i < n; i++) if (a[ap + i] !== b[bp + i]) return false;
    return true;
  }
  const last = n - 4;
  for (let i = 0; i < last; i += 4) if (av.getInt32(ap + i, true) !== bv.getInt32(bp + i, true)) return false;
  return av.getInt32(ap + last, true) === bv.getInt32(bp + last, true);
}

/** 32-bit hash, eight bytes at a time: two lanes, multiply and rotate, avalanche at the end. The last eight bytes may count twice. */
function hashBytes(buf: Uint8Array, view: DataView, start: number, end: number): number {
  const n = end - start;
  let h = Math.imul(n, 0x9e3779b1);
  let g = 0x1b873593;
  if (n >= 8) {
    const last = end - 8;
    for (let i = start; i < last; i += 8) {
      h = Math.imul(h ^ view.getInt32(i, true), 0x85ebca6b);
      g = Math.imul(g ^ view.getInt32(i + 4, true), 0xc2b2ae35);
      h = (h << 13) | (h >>> 19);
      g = (g << 15) | (g >>> 17);
    }
    h = Math.imul(h ^ view.getInt32(last, true), 0x85ebca6b);
    g = Math.imul(g ^ view.getInt32(last + 4, true), 0xc2b2ae35);
  } else if (n >= 4) {
    h = Math.imul(h ^ view.getInt32(start, true), 0x85ebca6b);
    g = Math.imul(g ^ view.getInt32(end - 4, true), 0xc2b2ae35);
  } else {
    for (let i = start; i < end; i++) h = Math.imul(h ^ buf[i]!, 0x85ebca6b);
  }
  h ^= g ^ (h >>> 15);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
