// One native histogram: whole counts in exponential buckets, of which it has only those that something fell into. With too many it
// begins anew, or where it did so lately halves its resolution and begins anew as soon as it may.

import { MIN_SCHEMA, nativeBucket, ZERO_THRESHOLD } from './native-buckets.ts';
import { NativeExemplars } from './native-exemplars.ts';
import type { NativeState } from './native-sections.ts';

export interface NativeLayout {
  /** The finest resolution, -4 to 8. */
  schema: number;
  /** Buckets at most; 0 = no limit. */
  maxBuckets: number;
  /** Least time between two resets; 0 = it is never reset. */
  minResetMs: number;
}

const INITIAL = 8;
/** Copies of one exemplar beyond these change nothing any more: each replaces another. */
const MOST_COPIES = 32;
/** Of a histogram that waits for nothing. */
export const NEVER = Number.POSITIVE_INFINITY;

export class NativeHistogram {
  schema: number;
  zeroCount = 0;
  sum = 0;
  /** Ascending indexes of the buckets, and their counts; `length` of them are in use. */
  length = 0;
  indexes: Int32Array = new Int32Array(INITIAL);
  counts: Float64Array = new Float64Array(INITIAL);
  resetMs: number;
  /** When it is to be reset. */
  dueMs = NEVER;
  /** From the first one on. */
  exemplars: NativeExemplars | undefined;
  private readonly layout: NativeLayout;

  constructor(layout: NativeLayout, nowMs: number) {
    this.layout = layout;
    this.schema = layout.schema;
    this.resetMs = nowMs;
  }

  get count(): number {
    let count = this.zeroCount;
    for (let i = 0; i < this.length; i++) count += this.counts[i]!;
    return count;
  }

  /** Takes `times` observations of values[at] in. If it had to be reset: how many of these it counts since then; else 0. */
  observe(values: Float64Array, at: number, times: number, nowMs: number): number {
    const { maxBuckets } = this.layout;
    let left = times;
    let since = 0;
    // One by one while there are too many buckets: each observation may widen them once.
    do {
      this.add(values, at, 1);
      left--;
      if (maxBuckets > 0 && this.length > maxBuckets && this.limit(nowMs)) {
        this.add(values, at, 1);
        since = left + 1;
      }
    } while (left > 0 && maxBuckets > 0 && this.length > maxBuckets && this.schema > MIN_SCHEMA);
    if (left > 0) this.add(values, at, left);
    return since;
  }

  /** An exemplar for each of `times` observations of values[at]; the trace id is buf[start, start + length). */
  exemplify(
    values: Float64Array,
    at: number,
    times: number,
    nowMs: number,
    buf: Uint8Array,
    start: number,
    length: number,
  ): void {
    this.exemplars ??= new NativeExemplars();
    for (let i = Math.min(times, MOST_COPIES); i > 0; i--) this.exemplars.add(values, at, nowMs, buf, start, length);
  }

  /** Forgets all observations. Exemplars stay. */
  reset(atMs: number): void {
    this.schema = this.layout.schema;
    this.zeroCount = 0;
    this.sum = 0;
    this.length = 0;
    this.resetMs = atMs;
    this.dueMs = NEVER;
  }

  /** Takes over what a boundary said of one. */
  restore(state: NativeState): void {
    this.schema = state.schema;
    this.zeroCount = state.zeroCount;
    this.sum = state.sum;
    this.length = state.indexes.length;
    this.indexes = state.indexes;
    this.counts = state.counts;
    this.resetMs = state.resetMs;
    this.dueMs = state.dueMs;
    if (state.exemplars.length === 0) return;
    this.exemplars = new NativeExemplars();
    this.exemplars.restore(state.exemplars);
  }

  private add(values: Float64Array, at: number, times: number): void {
    const value = values[at]!;
    this.sum += value * times;
    if (value <= ZERO_THRESHOLD) {
      this.zeroCount += times;
      return;
    }
    const index = nativeBucket(values, at, this.schema);
    const { indexes } = this;
    let low = 0;
    for (let top = this.length; low < top; ) {
      const middle = (low + top) >>> 1;
      if (indexes[middle]! < index) low = middle + 1;
      else top = middle;
    }
    if (low === this.length || indexes[low] !== index) this.insert(low, index);
    this.counts[low] = this.counts[low]! + times;
  }

  private insert(at: number, index: number): void {
    if (this.length === this.indexes.length) this.grow(Math.max(INITIAL, this.length * 2));
    this.indexes.copyWithin(at + 1, at, this.length);
    this.counts.copyWithin(at + 1, at, this.length);
    this.indexes[at] = index;
    this.counts[at] = 0;
    this.length++;
  }

  /** There are too many buckets. True if all was forgotten. */
  private limit(nowMs: number): boolean {
    const { minResetMs } = this.layout;
    if (minResetMs > 0 && this.dueMs === NEVER) {
      if (nowMs - this.resetMs >= minResetMs) {
        this.reset(nowMs);
        return true;
      }
      this.dueMs = this.resetMs + minResetMs;
    }
    if (this.schema > MIN_SCHEMA) this.halve();
    return false;
  }

  /** Merges each two neighbours: bucket i becomes part of bucket ⌈i/2⌉. */
  private halve(): void {
    const { indexes, counts } = this;
    this.schema--;
    let n = 0;
    for (let i = 0; i < this.length; i++) {
      const wide = (indexes[i]! + 1) >> 1;
      if (n > 0 && indexes[n - 1] === wide) counts[n - 1] = counts[n - 1]! + counts[i]!;
      else {
        indexes[n] = wide;
        counts[n++] = counts[i]!;
      }
    }
    this.length = n;
  }

  private grow(size: number): void {
    const indexes = new Int32Array(size);
    indexes.set(this.indexes.subarray(0, this.length));
    this.indexes = indexes;
    const counts = new Float64Array(size);
    counts.set(this.counts.subarray(0, this.length));
    this.counts = counts;
  }
}
