// A table of rows: one row per label set, found by one lookup of a tuple of symbols, values in columns. Knows what changed since
// the last boundary. Hot file (long, as rows, marks and slots move together): `find`, `touch` and the exemplar call are on the path
// of every span; everything else runs per new row, per boundary or per sweep.

import { ExemplarPool } from './exemplars.ts';
import { FirstExemplars } from './first-exemplars.ts';
import type { Limiter } from './limiter.ts';
import { NativeRows } from './native-rows.ts';
import { type CounterPart, fullMask, type HistogramPart, type Part, seriesOfPart, type TableSchema } from './schema.ts';
import { EMPTY_SYMBOL, type Symbols } from './symbols.ts';

const INITIAL_ROWS = 64;
/** Ended label sets are remembered this long, so that a zero sample of their rebirth lands after their last sample. */
const REMEMBER_ENDED_MS = 60_000;
/** Between two samples; an end is sent with the next one. */
const LONGEST_INTERVAL_MS = 300_000;

/** No row: the label set is not valid UTF-8. */
export const INVALID_LABELS = -2;

export class RowTable {
  readonly schema: TableSchema;
  /** The label set to look for: one symbol per label name of the schema. Filled by the processor; carried labels matter for a new row. */
  readonly key: Int32Array;
  readonly fullMask: number;
  /** `schema.width` doubles a row. */
  values: Float64Array;
  /** Which parts of a row are active series; less than `fullMask` only under a limit. */
  admitted: Uint8Array;
  updatedMs: Float64Array;
  readonly exemplars: ExemplarPool;
  /** In place of these, only where the schema says so. */
  readonly firstExemplars: FirstExemplars | undefined;
  /** Only where the schema has any. */
  readonly natives: NativeRows | undefined;
  liveRows = 0;
  /** After `admit` or `settle`: parts whose update goes to the overflow row. */
  refused = 0;
  /** Row of the label set `metric_overflow="true"`, or -1. */
  overflowRow = -1;

  /** Rows have ids that are never used again; the ledger speaks of rows by id. */
  nextId = 0;
  ids: Float64Array;
  /** Parts that no boundary has said yet: they get a zero sample at the next one. */
  unborn: Uint8Array;
  /** Time of the row's first zero sample: when its counting began; 0 before that. */
  startMs: Float64Array;
  /** Was the row itself never in a boundary? */
  unsaid: Uint8Array;
  live: Uint8Array;
  keys: Int32Array;
  dirtyRows: Int32Array;
  dirtyCount = 0;
  /** Rows that ended since the last boundary and had been said: ids and label sets. */
  ended: number[] = [];
  endedIdentities: string[] = [];
  /** Boundary of the last `changes`, or 0. */
  saidMs = 0;
  /** Label sets that ended lately → the boundary that says so, or for ones that came back before it, the one before. */
  readonly endedLately = new Map<string, number>();
  /** Samples have timestamps that are multiples of this: where an end between two of them is sent, if it still holds. */
  speaksEveryMs = 1;
  /** Rows above this were never used. */
  highWater = 0;

  symbols: Symbols;
  private readonly limiter: Limiter;
  private readonly width: number;
  /** So many labels tell rows apart: the first ones, all but the carried. */
  private readonly telling: number;
  /** Pairs of row (-1 = none) and hash, side by side: a probe touches one cache line. */
  private slots: Int32Array;
  private mask: number;
  private dirty: Uint8Array;
  private free: number[] = [];
  private capacity = INITIAL_ROWS;

  constructor(schema: TableSchema, symbols: Symbols, limiter: Limiter) {
    this.schema = schema;
    this.symbols = symbols;
    this.limiter = limiter;
    this.width = schema.labels.length;
    this.telling = this.width - (schema.carried?.labels ?? 0);
    this.fullMask = fullMask(schema);
    const n = INITIAL_ROWS;
    this.key = new Int32Array(this.width);
    this.keys = new Int32Array(n * this.width);
    this.values = new Float64Array(n * schema.width);
    this.admitted = new Uint8Array(n);
    this.unborn = new Uint8Array(n);
    this.startMs = new Float64Array(n);
    this.unsaid = new Uint8Array(n);
    this.live = new Uint8Array(n);
    this.updatedMs = new Float64Array(n);
    this.ids = new Float64Array(n);
    this.dirty = new Uint8Array(n);
    this.dirtyRows = new Int32Array(n);
    this.slots = emptySlots(n);
    this.mask = this.slots.length / 2 - 1;
    this.exemplars = new ExemplarPool(schema.exemplarSlots, n);
    this.firstExemplars = schema.firstExemplars ? new FirstExemplars(schema.firstExemplars, n) : undefined;
    this.natives = schema.nativeSlots ? new NativeRows(this, schema.nativeSlots) : undefined;
  }

  /** The row of `key`, or -1. */
  find(): number {
    const { key, keys, width, telling, slots, mask } = this;
    const h = hashKey(key, 0, telling);
    for (let p = h & mask; ; p = (p + 1) & mask) {
      const row = slots[2 * p]!;
      if (row < 0) return -1;
      if (slots[2 * p + 1] !== h) continue;
      const o = row * width;
      let i = 0;
      while (i < telling && keys[o + i] === key[i]) i++;
      if (i === telling) return row;
    }
  }

  /** Is the label set of `key` text? */
  isValidKey(): boolean {
    for (let i = 0; i < this.width; i++) if (!this.symbols.isValid(this.key[i]!)) return false;
    return true;
  }

  /** Marks a row as updated at `nowMs`. Within a tick now may go back; the row keeps the newest. */
  touch(row: number, nowMs: number): void {
    if (nowMs > this.updatedMs[row]!) this.updatedMs[row] = nowMs;
    if (this.dirty[row] === 0) this.markDirty(row);
  }

  /** Marks a row as changed by time alone. */
  touchUnused(row: number): void {
    if (this.dirty[row] === 0) this.markDirty(row);
  }

  /**
   * The row for a label set that `find` did not have: new, or the overflow row where the limit admits none of the `wanted`
   * parts, or INVALID_LABELS. `refused` then has the wanted parts whose update belongs to the overflow row instead.
   */
  admit(nowMs: number, wanted: number): number {
    this.refused = 0;
    if (!this.isValidKey()) return INVALID_LABELS;
    const mask = this.admitParts(this.key, 0, wanted);
    if (mask !== wanted) this.spill(wanted & ~mask, nowMs);
    if (mask === 0) return this.overflowRow;
    const row = this.insert(nowMs);
    this.setAdmitted(row, mask);
    this.refused = wanted & ~mask;
    return row;
  }

  /** For a row that lacks `wanted` parts: asks for them again. `refused` then has those that it still lacks. */
  settle(row: number, wanted: number, nowMs: number): void {
    const before = this.admitted[row]!;
    const after = before | this.admitParts(this.keys, row * this.width, wanted & ~before);
    if (after !== before) this.setAdmitted(row, after);
    this.refused = wanted & ~after;
    if (this.refused !== 0) this.spill(this.refused, nowMs);
  }

  add(row: number, part: CounterPart, value: number): void {
    const at = row * this.schema.width + part.column;
    this.values[at] = this.values[at]! + value;
  }

  observe(row: number, part: HistogramPart, bucket: number, value: number, weight: number): void {
    const at = row * this.schema.width + part.column;
    const { values } = this;
    values[at] = values[at]! + value * weight;
    values[at + 1 + bucket] = values[at + 1 + bucket]! + weight;
  }

  /** Ends rows whose last update is before `cutoffMs`; returns how many. */
  sweep(cutoffMs: number): number {
    let n = 0;
    for (let row = 0; row < this.highWater; row++) {
      if (this.live[row] === 1 && this.updatedMs[row]! < cutoffMs) {
        this.finish(row);
        n++;
      }
    }
    if (n > 0) this.compactDirty();
    return n;
  }

  /** Ends one row: its series stop, its capacity is given back. */
  end(row: number): void {
    const wasDirty = this.dirty[row] === 1;
    this.finish(row);
    if (wasDirty) this.compactDirty();
  }

  endAll(): void {
    for (let row = 0; row < this.highWater; row++) if (this.live[row] === 1) this.finish(row);
    this.compactDirty();
  }

  /** `end` but for the list of dirty rows, which the caller puts right before any row is made. */
  private finish(row: number): void {
    if (this.unsaid[row] === 0) {
      this.ended.push(this.ids[row]!);
      this.endedIdentities.push(this.identity(this.keys, row * this.width));
    }
    if (row === this.overflowRow) this.overflowRow = -1;
    else {
      this.releaseParts(row);
      this.unlink(row);
    }
    this.exemplars.forgetRow(row);
    this.firstExemplars?.forgetRow(row);
    this.natives?.forgetRow(row);
    this.live[row] = 0;
    this.liveRows--;
    this.dirty[row] = 0;
    this.free.push(row);
  }

  /** The label set of a row as one string of its values' bytes: identity across symbol renumbering. */
  identity(keys: Int32Array, at: number): string {
    const textOf = (symbol: number) => Buffer.from(this.symbols.bytes(symbol)).toString('latin1');
    // A free label set is spelt this way already.
    if (this.schema.freeLabels) return textOf(keys[at]!);
    let text = '';
    for (let i = 0; i < this.width; i++) {
      const symbol = keys[at + i]!;
      if (symbol !== EMPTY_SYMBOL) text += `${this.schema.labels[i]}\u0000${escaped(textOf(symbol))}\u0000`;
    }
    return text;
  }

  /** Takes over what a table of another schema remembers of label sets that ended: the same series may be born here again. */
  inherit(from: RowTable): void {
    for (const [identity, endedMs] of from.endedLately) this.endedLately.set(identity, endedMs);
    this.endedIdentities = [...from.endedIdentities];
    this.saidMs = from.saidMs;
  }

  /** Counts the parts that are active with a limiter that has begun anew. */
  recount(): void {
    for (let row = 0; row < this.highWater; row++) {
      if (this.live[row] === 0) continue;
      const mask = this.admitted[row]!;
      this.admitted[row] = 0;
      this.restoreAdmitted(row, mask);
    }
  }

  /**
   * Of a label set that is born anew: its last sample or stale marker was sent no later than this; undefined if that is long ago. Rather
   * late than early: what lies before a sample that was sent is refused.
   */
  lastSampleMs(identity: string): number | undefined {
    const endedMs = this.endedLately.get(identity);
    if (endedMs === undefined || this.sentMs(endedMs) < this.saidMs - REMEMBER_ENDED_MS) return undefined;
    return Math.max(endedMs, this.saidMs);
  }

  forgetEndedBefore(tMs: number): void {
    for (const [identity, endedMs] of this.endedLately)
      if (endedMs < tMs - REMEMBER_ENDED_MS - LONGEST_INTERVAL_MS) this.endedLately.delete(identity);
  }

  private sentMs(endedMs: number): number {
    return Math.ceil(endedMs / this.speaksEveryMs) * this.speaksEveryMs;
  }

  /** Bytes of memory held, without the strings. */
  get sizeBytes(): number {
    const { values, updatedMs, ids, keys, slots, dirtyRows } = this;
    return (
      (values.length + updatedMs.length + ids.length) * 8 +
      (keys.length + slots.length + dirtyRows.length) * 4 +
      this.capacity * 5 +
      this.exemplars.sizeBytes +
      (this.firstExemplars?.sizeBytes ?? 0)
    );
  }

  /** All dirty marks are gone after this: the boundary has said them. */
  clearDirty(): void {
    for (let i = 0; i < this.dirtyCount; i++) {
      const row = this.dirtyRows[i]!;
      this.dirty[row] = 0;
      this.unsaid[row] = 0;
      this.unborn[row] = 0;
    }
    this.dirtyCount = 0;
    this.ended = [];
    this.endedIdentities = [];
  }

  /** Puts back a row that the ledger knows. Returns its slot. */
  restore(id: number, key: Int32Array, overflow: boolean): number {
    const row = this.allocate(0);
    this.ids[row] = id;
    this.keys.set(key, row * this.width);
    if (overflow) this.overflowRow = row;
    else this.link(row);
    this.unsaid[row] = 0;
    this.cleanDirty(row);
    return row;
  }

  /** Sets what a restored row has admitted, and counts it with the limiter. */
  restoreAdmitted(row: number, mask: number): void {
    if (row !== this.overflowRow) {
      const identity = this.limiter.limitsEntities ? this.identity(this.keys, row * this.width) : '';
      this.schema.parts.forEach((part, i) => {
        if (mask & ~this.admitted[row]! & (1 << i)) this.limiter.restore(identity, seriesOfPart(part));
      });
    }
    this.admitted[row] = mask;
  }

  /** Gives every symbol its new number after the registry has renumbered them. */
  renumber(translate: (symbol: number) => number): void {
    for (let row = 0; row < this.highWater; row++) {
      if (this.live[row] === 0) continue;
      for (let i = row * this.width; i < (row + 1) * this.width; i++) this.keys[i] = translate(this.keys[i]!);
    }
    this.relink(this.highWater);
  }

  /** Gives the overflow row, made at first need and never counted as active, these parts too. */
  private spill(parts: number, nowMs: number): void {
    if (this.overflowRow < 0) {
      const row = this.allocate(nowMs);
      this.keys.fill(EMPTY_SYMBOL, row * this.width, (row + 1) * this.width);
      this.overflowRow = row;
    }
    this.touch(this.overflowRow, nowMs);
    this.setAdmitted(this.overflowRow, this.admitted[this.overflowRow]! | parts);
  }

  private setAdmitted(row: number, mask: number): void {
    const fresh = mask & ~this.admitted[row]!;
    this.admitted[row] = mask;
    this.unborn[row] = this.unborn[row]! | fresh;
    if (this.dirty[row] === 0) this.markDirty(row);
  }

  private admitParts(keys: Int32Array, at: number, wanted: number): number {
    const identity = this.limiter.limitsEntities ? this.identity(keys, at) : '';
    let mask = 0;
    this.schema.parts.forEach((part: Part, i) => {
      if ((wanted & (1 << i)) !== 0 && this.limiter.admit(identity, seriesOfPart(part))) mask |= 1 << i;
    });
    return mask;
  }

  private releaseParts(row: number): void {
    const identity = this.limiter.limitsEntities ? this.identity(this.keys, row * this.width) : '';
    this.schema.parts.forEach((part, i) => {
      if (this.admitted[row]! & (1 << i)) this.limiter.release(identity, seriesOfPart(part));
    });
  }

  private insert(nowMs: number): number {
    const row = this.allocate(nowMs);
    this.keys.set(this.key, row * this.width);
    this.link(row);
    return row;
  }

  private allocate(nowMs: number): number {
    const row = this.free.pop() ?? this.highWater++;
    if (row === this.capacity) this.grow();
    this.ids[row] = this.nextId++;
    this.live[row] = 1;
    this.admitted[row] = 0;
    this.unborn[row] = 0;
    this.startMs[row] = 0;
    this.unsaid[row] = 1;
    this.updatedMs[row] = nowMs;
    this.values.fill(0, row * this.schema.width, (row + 1) * this.schema.width);
    this.liveRows++;
    this.markDirty(row);
    return row;
  }

  private markDirty(row: number): void {
    this.dirty[row] = 1;
    if (this.dirtyCount === this.dirtyRows.length) {
      const wider = new Int32Array(this.dirtyRows.length * 2);
      wider.set(this.dirtyRows);
      this.dirtyRows = wider;
    }
    this.dirtyRows[this.dirtyCount++] = row;
  }

  /** Takes a row off the list that was put on it last. */
  private cleanDirty(row: number): void {
    this.dirty[row] = 0;
    if (this.dirtyRows[this.dirtyCount - 1] === row) this.dirtyCount--;
    else this.compactDirty();
  }

  /** Drops the rows from the list that are not dirty any more. */
  private compactDirty(): void {
    const { dirty, dirtyRows, dirtyCount } = this;
    let n = 0;
    for (let i = 0; i < dirtyCount; i++) if (dirty[dirtyRows[i]!] === 1) dirtyRows[n++] = dirtyRows[i]!;
    this.dirtyCount = n;
  }

  private link(row: number): void {
    const { slots, mask } = this;
    const h = hashKey(this.keys, row * this.width, this.telling);
    let p = h & mask;
    while (slots[2 * p]! >= 0) p = (p + 1) & mask;
    slots[2 * p] = row;
    slots[2 * p + 1] = h;
  }

  /** Removes without tombstones: later entries of the probe run move back where they may. */
  private unlink(row: number): void {
    const { slots, mask } = this;
    let hole = hashKey(this.keys, row * this.width, this.telling) & mask;
    while (slots[2 * hole] !== row) hole = (hole + 1) & mask;
    for (let p = (hole + 1) & mask; slots[2 * p]! >= 0; p = (p + 1) & mask) {
      const home = slots[2 * p + 1]! & mask;
      if (((p - home) & mask) >= ((p - hole) & mask)) {
        slots[2 * hole] = slots[2 * p]!;
        slots[2 * hole + 1] = slots[2 * p + 1]!;
        hole = p;
      }
    }
    slots[2 * hole] = -1;
  }

  private relink(rows: number): void {
    this.slots.fill(-1);
    for (let row = 0; row < rows; row++) if (this.live[row] === 1 && row !== this.overflowRow) this.link(row);
  }

  /** By a half: doubling would hold up to twice of what a million rows need (bench/micro/rows.ts). */
  private grow(): void {
    const before = this.capacity;
    const n = before < 4096 ? before * 2 : before + (before >> 1);
    const int = (old: Int32Array, size: number) => {
      const wider = new Int32Array(size);
      wider.set(old);
      return wider;
    };
    const byte = (old: Uint8Array) => {
      const wider = new Uint8Array(n);
      wider.set(old);
      return wider;
    };
    const double = (old: Float64Array, size: number) => {
      const wider = new Float64Array(size);
      wider.set(old);
      return wider;
    };
    this.keys = int(this.keys, n * this.width);
    this.admitted = byte(this.admitted);
    this.unborn = byte(this.unborn);
    this.unsaid = byte(this.unsaid);
    this.live = byte(this.live);
    this.dirty = byte(this.dirty);
    this.updatedMs = double(this.updatedMs, n);
    this.ids = double(this.ids, n);
    this.startMs = double(this.startMs, n);
    this.values = double(this.values, n * this.schema.width);
    this.exemplars.growRows(n);
    this.firstExemplars?.growRows(n);
    this.capacity = n;
    const slots = emptySlots(n);
    if (slots.length === this.slots.length) return;
    this.slots = slots;
    this.mask = slots.length / 2 - 1;
    // The row that is being allocated is not live yet, so it is not linked here.
    this.relink(before);
  }
}

/** As in a free label set: NUL ends a value. */
function escaped(text: string): string {
  return text.replaceAll('\u0001', '\u00011').replaceAll('\u0000', '\u00010');
}

/** Slots for so many rows, at most two in three taken. */
function emptySlots(rows: number): Int32Array {
  let n = 128;
  while (n * 2 < rows * 3) n *= 2;
  return new Int32Array(n * 2).fill(-1);
}

function hashKey(key: Int32Array, at: number, width: number): number {
  let h = 0;
  for (let i = 0; i < width; i++) {
    h = Math.imul(h ^ key[at + i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h;
}
