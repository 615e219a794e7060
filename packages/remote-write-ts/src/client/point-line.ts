// Points that wait, first come, first served. Hot: what the queue costs for each sample is mostly spent here, see
// bench/end-to-end.ts. Must never keep a point's object alive where its numbers are all there is to it.

import type { Series } from '../labels/index.ts';
import { countPoints, exemplarsOf, type Point, type PointCounts, type SamplePoint } from '../points/index.ts';
import { NUMBERS_PER_POINT, PointRun } from './point-run.ts';

/** Room for so many at first, and kept when all have gone. */
const MIN_ROOM = 64;
const MAX_KEPT_ROOM = 16_384;

export class PointLine {
  /** By place, as the two below; undefined where nobody waits. */
  #series: (Series | undefined)[] = [];
  #numbers = new Float64Array(MIN_ROOM * NUMBERS_PER_POINT);
  /** What is more than a sample. Missing as long as there is none. */
  #others: (Point | undefined)[] | undefined;
  #otherCount = 0;
  /** The places of the first point, and after the last one. */
  #head = 0;
  #end = 0;
  #weight = 0;

  get length(): number {
    return this.#end - this.#head;
  }

  /** Points and exemplars. */
  get weight(): number {
    return this.#weight;
  }

  /** What is plain is copied; any other point is kept as it is. */
  push(point: Point): void {
    if (this.#end * NUMBERS_PER_POINT === this.#numbers.length) this.#grow();
    const place = this.#end;
    const at = place * NUMBERS_PER_POINT;
    const numbers = this.#numbers;
    this.#end = place + 1;
    this.#weight++;
    this.#series[place] = point.series;
    numbers[at + 1] = point.timestampMs;
    if (isPlain(point)) {
      numbers[at] = point.value;
      numbers[at + 2] = point.startMs ?? 0;
      if (this.#others !== undefined) this.#others[place] = undefined; // without gaps, or each access would be a search
    } else {
      this.#weight += exemplarsOf(point).length;
      this.#otherCount++;
      this.#others ??= new Array<Point | undefined>(place).fill(undefined);
      this.#others[place] = point;
    }
  }

  /** Takes the first points away, as many as weigh no more than that, but one at least. Only if there is one. */
  take(maxWeight: number): PointRun {
    const from = this.#head;
    const to = from + this.#countUpTo(maxWeight);
    // All places up to `#end` have one.
    const series = this.#series.slice(from, to) as Series[];
    const numbers = this.#numbers.slice(from * NUMBERS_PER_POINT, to * NUMBERS_PER_POINT);
    const others = this.#others?.slice(from, to);
    const hasOthers = others?.some((other) => other !== undefined);
    this.#leave(to);
    return new PointRun(series, numbers, hasOthers ? others : undefined);
  }

  /** Takes the first point away. Only if there is one. */
  dropFirst(): PointCounts {
    const other = this.#others?.[this.#head];
    this.#leave(this.#head + 1);
    return other === undefined ? { samples: 1, histograms: 0, exemplars: 0 } : countPoints([other]);
  }

  #countUpTo(maxWeight: number): number {
    if (this.#others === undefined) return Math.min(this.length, maxWeight);
    let weight = weightOf(this.#others[this.#head]);
    let place = this.#head + 1;
    for (; place < this.#end; place++) {
      weight += weightOf(this.#others[place]);
      if (weight > maxWeight) break;
    }
    return place - this.#head;
  }

  #leave(head: number): void {
    const others = this.#others;
    for (let place = this.#head; place < head; place++) {
      this.#series[place] = undefined; // or it would be kept alive until its place is taken
      this.#weight--;
      const other = others?.[place];
      if (other === undefined) continue;
      others![place] = undefined;
      this.#otherCount--;
      this.#weight -= exemplarsOf(other).length;
    }
    if (this.#otherCount === 0) this.#others = undefined;
    this.#head = head;
    // No more are moved than have gone: so it costs little, and a line that is kept short stays in the processor's cache.
    if (this.length <= head) this.#moveToFront();
  }

  #moveToFront(): void {
    const { length } = this;
    const series = this.#series;
    const others = this.#others;
    const head = this.#head;
    this.#numbers.copyWithin(0, head * NUMBERS_PER_POINT, this.#end * NUMBERS_PER_POINT);
    for (let place = 0; place < length; place++) {
      series[place] = series[head + place];
      series[head + place] = undefined;
      if (others === undefined) continue;
      others[place] = others[head + place];
      others[head + place] = undefined;
    }
    this.#head = 0;
    this.#end = length;
    if (length > 0 || this.#numbers.length <= MAX_KEPT_ROOM * NUMBERS_PER_POINT) return;
    this.#series = [];
    this.#numbers = new Float64Array(MIN_ROOM * NUMBERS_PER_POINT);
  }

  #grow(): void {
    const grown = new Float64Array(this.#numbers.length * 2);
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}

function isPlain(point: Point): point is SamplePoint {
  return point.kind === 'sample' && (point.exemplars === undefined || point.exemplars.length === 0);
}

function weightOf(other: Point | undefined): number {
  return other === undefined ? 1 : 1 + exemplarsOf(other).length;
}
