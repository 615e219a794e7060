// Interns byte strings: equal bytes, equal small integer. Everything on the hot path that is text is one of these integers, so
// label sets compare as integers and text is decoded once per distinct value. Ids count up from 0 in order of first sight;
// nothing observable depends on the hash.

const INITIAL = 256;
/** From this many bytes on the call into native code is cheaper than the loop (bench/micro/intern.ts). */
const NATIVE_FROM = 320;

export class ByteTable {
  count = 0;
  private mask = INITIAL * 2 - 1;
  /** Pairs of id (-1 = none) and hash, side by side: a lookup touches one cache line here, one of `ranges`, and the bytes. */
  private slots = new Int32Array(INITIAL * 4).fill(-1);
  /** Offset and length in the arena, by id. */
  private ranges = new Uint32Array(INITIAL * 2);
  private arena = Buffer.from(new ArrayBuffer(4096));
  private arenaView = new DataView(this.arena.buffer);
  private top = 0;

  /** Id of buf[start, end); `view` covers the same bytes as `buf`. `count` tells whether it is new. */
  intern(buf: Uint8Array, view: DataView, start: number, end: number): number {
    const n = end - start;
    const h = hashBytes(buf, view, start, end);
    const { slots, mask } = this;
    let p = h & mask;
    for (;;) {
      const id = slots[2 * p]!;
      if (id < 0) break;
      if (slots[2 * p + 1] === h) {
        const { ranges } = this;
        if (ranges[2 * id + 1] === n && sameBytes(this.arena, this.arenaView, ranges[2 * id]!, buf, view, start, n)) {
          return id;
        }
      }
      p = (p + 1) & mask;
    }
    return this.append(buf, start, end, h, p);
  }

  /** Is buf[start, end) the string of this id? Cheaper than interning where one knows what to expect. */
  equals(id: number, buf: Uint8Array, view: DataView, start: number, end: number): boolean {
    const n = end - start;
    if (this.ranges[2 * id + 1] !== n) return false;
    const o = this.ranges[2 * id]!;
    if (n >= NATIVE_FROM) return this.arena.compare(buf, start, end, o, o + n) === 0;
    return sameBytes(this.arena, this.arenaView, o, buf, view, start, n);
  }

  internBytes(bytes: Uint8Array): number {
    return this.intern(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
  }

  /** The bytes of an id: a view into the arena, good until the next intern. */
  bytes(id: number): Uint8Array {
    return new Uint8Array(this.arena.buffer, this.ranges[2 * id]!, this.ranges[2 * id + 1]!);
  }

  length(id: number): number {
    return this.ranges[2 * id + 1]!;
  }

  /** Bytes of memory held. */
  get sizeBytes(): number {
    return this.arena.length + (this.slots.length + this.ranges.length) * 4;
  }

  private append(buf: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const n = end - start;
    if (this.top + n > this.arena.length) {
      let size = this.arena.length * 2;
      while (size < this.top + n) size *= 2;
      const arena = Buffer.from(new ArrayBuffer(size));
      arena.set(this.arena);
      this.arena = arena;
      this.arenaView = new DataView(arena.buffer);
    }
    const id = this.count++;
    this.arena.set(buf.subarray(start, end), this.top);
    this.ranges[2 * id] = this.top;
    this.ranges[2 * id + 1] = n;
    this.top += n;
    this.slots[2 * slot] = id;
    this.slots[2 * slot + 1] = hash;
    if (this.count * 2 === this.ranges.length) this.grow();
    return id;
  }

  private grow(): void {
    const ranges = new Uint32Array(this.ranges.length * 2);
    ranges.set(this.ranges);
    this.ranges = ranges;
    const old = this.slots;
    const slots = new Int32Array(old.length * 2).fill(-1);
    const mask = slots.length / 2 - 1;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from]! < 0) continue;
      let p = old[from + 1]! & mask;
      while (slots[2 * p]! >= 0) p = (p + 1) & mask;
      slots[2 * p] = old[from]!;
      slots[2 * p + 1] = old[from + 1]!;
    }
    this.slots = slots;
    this.mask = mask;
  }
}

/** Sixteen bytes at a time, then four; the last four again where the length is no multiple. */
function sameBytes(
  a: Uint8Array,
  av: DataView,
  ap: number,
  b: Uint8Array,
  bv: DataView,
  bp: number,
  n: number,
): boolean {
  if (n < 4) {
    for (let i = 0; i < n; i++) if (a[ap + i] !== b[bp + i]) return false;
    return true;
  }
  const last = n - 4;
  let i = 0;
  for (; i + 12 < last; i += 16) {
    const differs =
      (av.getInt32(ap + i, true) ^ bv.getInt32(bp + i, true)) |
      (av.getInt32(ap + i + 4, true) ^ bv.getInt32(bp + i + 4, true)) |
      (av.getInt32(ap + i + 8, true) ^ bv.getInt32(bp + i + 8, true)) |
      (av.getInt32(ap + i + 12, true) ^ bv.getInt32(bp + i + 12, true));
    if (differs !== 0) return false;
  }
  for (; i < last; i += 4) if (av.getInt32(ap + i, true) !== bv.getInt32(bp + i, true)) return false;
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
