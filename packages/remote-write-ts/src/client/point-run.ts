// Points in a row, as a queue keeps them: a sample with nothing more to it is no object but a place in two arrays, so that
// thousands of waiting points cost the garbage collector nothing. Whoever needs them as points gets copies.

import type { Series } from '../labels/index.ts';
import { countKinds, type KindCounts, type Point, type PointCounts } from '../points/index.ts';
import type { Protocol } from '../wire/index.ts';

/** Of each point in `numbers`: value, timestamp, start. */
export const NUMBERS_PER_POINT = 3;

export class PointRun {
  readonly series: readonly Series[];
  /** Value, timestampMs and startMs (0: not known) of each point in turn; of `others` only the timestamp. */
  readonly numbers: Float64Array;
  /** By index, those that are more than a sample: histograms, stale markers, what has exemplars. Missing: there are none. */
  readonly others: readonly (Point | undefined)[] | undefined;
  #points: readonly Point[] | undefined;
  #counts: PointCounts | undefined;
  #timeRange: [minTimestampMs: number, maxTimestampMs: number] | undefined;

  /** @param series one at least. */
  constructor(series: readonly Series[], numbers: Float64Array, others: readonly (Point | undefined)[] | undefined) {
    this.series = series;
    this.numbers = numbers;
    this.others = others;
  }

  get length(): number {
    return this.series.length;
  }

  get points(): readonly Point[] {
    this.#points ??= this.series.map((_, i) => this.#point(i));
    return this.#points;
  }

  /** The same for both protocols. */
  get pointCounts(): PointCounts {
    this.#counts ??=
      this.others === undefined
        ? { samples: this.length, histograms: 0, exemplars: 0 }
        : withoutMetadata(countKinds('1.0', this.points));
    return this.#counts;
  }

  /** What a request of this protocol has. */
  counts(protocol: Protocol): KindCounts {
    let metadata = 0;
    if (protocol === '2.0') {
      for (let i = 0; i < this.series.length; i++) if (this.series[i]!.metadata !== undefined) metadata++;
    }
    return { ...this.pointCounts, metadata };
  }

  get timeRange(): readonly [minTimestampMs: number, maxTimestampMs: number] {
    if (this.#timeRange === undefined) {
      const { numbers } = this;
      let min = Number.POSITIVE_INFINITY;
      let max = Number.NEGATIVE_INFINITY;
      for (let at = 1; at < numbers.length; at += NUMBERS_PER_POINT) {
        const timestampMs = numbers[at]!;
        if (timestampMs < min) min = timestampMs;
        if (timestampMs > max) max = timestampMs;
      }
      this.#timeRange = [min, max];
    }
    return this.#timeRange;
  }

  #point(i: number): Point {
    const other = this.others?.[i];
    if (other !== undefined) return other;
    const at = i * NUMBERS_PER_POINT;
    const startMs = this.numbers[at + 2]!;
    const point = { kind: 'sample', series: this.series[i]!, value: this.numbers[at]! } as const;
    return { ...point, timestampMs: this.numbers[at + 1]!, ...(startMs !== 0 && { startMs }) };
  }
}

function withoutMetadata({ samples, histograms, exemplars }: KindCounts): PointCounts {
  return { samples, histograms, exemplars };
}
