// Exemplars of a native histogram: up to ten, spread over the values, kept until better or newer ones come. Unlike a classic bucket's
// they are said at every boundary. Hot: `add` runs for every observation, and once the list is full it takes one out each time.

import { MAX_ID_BYTES } from './exemplars.ts';

const MOST = 10;
const MAX_AGE_MS = 300_000;
const ID_BYTES = 16;
/** Length of a trace id that is too long for its slot. */
const LONG = 255;

export interface NativeExemplar {
  value: number;
  atMs: number;
  traceId: Uint8Array;
}

/** Places in `data` of the first one's value, of its ratio to the one before, and of its time. */
const RATIO = MOST;
const TIME = 2 * MOST;

export class NativeExemplars {
  count = 0;
  /** No exemplar is older: the oldest is looked for only where it might be too old. */
  private notBeforeMs = Number.POSITIVE_INFINITY;
  /** Ascending by value; see RATIO and TIME. One array, so that few cache lines are touched. */
  private readonly data = new Float64Array(3 * MOST);
  /** Where each one's trace id is: ids do not move. */
  private readonly slots = Uint8Array.from({ length: MOST }, (_, i) => i);
  private readonly ids = new Uint8Array(MOST * ID_BYTES);
  private readonly lengths = new Uint8Array(MOST);
  private readonly longIds = new Map<number, Uint8Array>();

  /**
   * Adds an exemplar of values[index] (see BucketIndex.of); the trace id is buf[start, start + length). Full, the list takes it for
   * another one.
   */
  add(values: Float64Array, index: number, atMs: number, buf: Uint8Array, start: number, length: number): void {
    if (length > MAX_ID_BYTES) return;
    const { data, slots, count } = this;
    const value = values[index]!;
    // A new one goes after equal ones while there is room, before them later.
    let place = 0;
    let hole = count;
    if (count < MOST) {
      while (place < count && data[place]! <= value) place++;
      this.count++;
    } else {
      while (place < MOST && data[place]! < value) place++;
      hole = this.leaver(values, index, atMs, place);
      if (hole < place) place--;
    }
    const slot = slots[hole]!;
    const left = hole;
    for (; hole < place; hole++) this.move(hole + 1, hole);
    for (; hole > place; hole--) this.move(hole - 1, hole);
    if (atMs < this.notBeforeMs) this.notBeforeMs = atMs;
    data[place] = value;
    data[TIME + place] = atMs;
    slots[place] = slot;
    // New neighbours: where the one that left was, and on both sides of the new one.
    this.relate(left < place ? left : left + 1);
    this.relate(place);
    this.relate(place + 1);
    this.setId(slot, buf, start, length);
  }

  list(): NativeExemplar[] {
    return Array.from({ length: this.count }, (_, i) => {
      const slot = this.slots[i]!;
      const from = slot * ID_BYTES;
      const length = this.lengths[slot]!;
      const traceId = length === LONG ? this.longIds.get(slot)! : this.ids.slice(from, from + length);
      return { value: this.data[i]!, atMs: this.data[TIME + i]!, traceId };
    });
  }

  /** Takes a list of `list` over. */
  restore(list: readonly NativeExemplar[]): void {
    this.count = 0;
    for (const { value, atMs, traceId } of list) {
      this.add(Float64Array.of(value), 0, atMs, traceId, 0, traceId.length);
    }
  }

  /**
   * Index of the one that makes room for one that belongs at `place`: the oldest if it is too old; else one of the two that are
   * closest, the new one counted in. Values are as close as their ratio is to 1; one of 0 is far from all others, and two of them
   * are neither close nor far (their ratio is NaN).
   */
  private leaver(values: Float64Array, index: number, atMs: number, place: number): number {
    const { data } = this;
    if (atMs - this.notBeforeMs > MAX_AGE_MS) {
      const oldest = this.oldest();
      this.notBeforeMs = data[TIME + oldest]!;
      if (atMs - this.notBeforeMs > MAX_AGE_MS) return oldest;
    }
    let right = 1;
    let closest = data[RATIO + 1]!;
    for (let i = 2; i < MOST; i++) {
      const ratio = data[RATIO + i]!;
      if (ratio < closest) {
        closest = ratio;
        right = i;
      }
    }
    const value = values[index]!;
    let leaver = data[TIME + right]! < data[TIME + right - 1]! ? right : right - 1;
    if (place > 0 && value / data[place - 1]! < closest) {
      closest = value / data[place - 1]!;
      leaver = place - 1;
    }
    if (place < MOST && data[place]! / value < closest) leaver = place;
    return leaver;
  }

  private oldest(): number {
    const { data } = this;
    let oldest = 0;
    for (let i = 1; i < MOST; i++) if (data[TIME + i]! < data[TIME + oldest]!) oldest = i;
    return oldest;
  }

  private relate(at: number): void {
    const { data } = this;
    if (at > 0 && at < this.count) data[RATIO + at] = data[at]! / data[at - 1]!;
  }

  private move(from: number, to: number): void {
    const { data } = this;
    data[to] = data[from]!;
    data[RATIO + to] = data[RATIO + from]!;
    data[TIME + to] = data[TIME + from]!;
    this.slots[to] = this.slots[from]!;
  }

  private setId(slot: number, buf: Uint8Array, start: number, length: number): void {
    if (length > ID_BYTES) {
      this.lengths[slot] = LONG;
      this.longIds.set(slot, buf.slice(start, start + length));
      return;
    }
    this.lengths[slot] = length;
    const { ids } = this;
    const from = slot * ID_BYTES;
    for (let i = 0; i < length; i++) ids[from + i] = buf[start + i]!;
  }
}
