// The series of one request, to be pushed in whichever protocol the endpoint speaks. On 1.0, where a receiver refuses a whole
// request for one series, some can be set aside; they must never be in a 1.0 body again until they are taken back.

import type { Series } from '../labels/index.ts';
import type { Point, RequestBody } from '../points/index.ts';
import type { Protocol } from '../wire/index.ts';
import { hasLabelsOf } from './check.ts';
import { createStableBatch, type StableBatch } from './stable-batch.ts';

export class BatchPart {
  readonly size: number;
  /** All series, with all that is known of them: what 1.0 has no words for is kept here. */
  readonly #whole: StableBatch;
  /** Those that aren't set aside; undefined until it is asked for. */
  #v1: StableBatch | undefined;
  /** By index. */
  readonly #aside = new Map<number, Series>();

  /**
   * @param series are read, and not kept.
   * Throws as `createStableBatch` does.
   */
  constructor(series: readonly Series[], startMs: ArrayLike<number> | undefined, protocol: Protocol) {
    this.size = series.length;
    this.#whole = createStableBatch(series, { protocol: '2.0', ...(startMs && { startMs }) });
    if (protocol === '1.0') this.#v1 = createStableBatch(series, { protocol });
  }

  get asideCount(): number {
    return this.#aside.size;
  }

  /**
   * The body for a push, without what is set aside on 1.0: undefined if that is everything. Its bytes are as `StableBatch.push`
   * gives them: valid until the next call for the same protocol.
   */
  body(protocol: Protocol, values: Float64Array, timestampMs: number): RequestBody | undefined {
    if (protocol === '1.0' && this.#aside.size === this.size) return undefined;
    const batch = protocol === '2.0' ? this.#whole : this.#withoutAside();
    const bytes = batch.push(batch.size === this.size ? values : this.#valuesNotAside(values), timestampMs);
    const counts = { samples: batch.size, histograms: 0, exemplars: 0, metadata: batch.metadataCount };
    return { protocol, bytes, counts, minTimestampMs: timestampMs, maxTimestampMs: timestampMs };
  }

  /** Those that are set aside, as points. */
  asidePoints(values: Float64Array, timestampMs: number): Point[] {
    return Array.from(this.#aside, ([i, series]) => ({ kind: 'sample', series, value: values[i]!, timestampMs }));
  }

  /** Series that aren't of this part are passed over. */
  setAside(refused: readonly Series[]): void {
    const { series } = this.#whole.decode();
    for (const one of refused) {
      const index = series.findIndex((any) => hasLabelsOf(any, one));
      if (index >= 0) this.#aside.set(index, series[index]!);
    }
    this.#v1 = undefined;
  }

  /** All that is set aside, but for these. */
  takeBack(except: readonly Series[]): void {
    for (const [index, series] of this.#aside) {
      if (!except.some((one) => hasLabelsOf(one, series))) this.#aside.delete(index);
    }
    this.#v1 = undefined;
  }

  #withoutAside(): StableBatch {
    this.#v1 ??= createStableBatch(
      this.#whole.decode().series.filter((_, i) => !this.#aside.has(i)),
      { protocol: '1.0' },
    );
    return this.#v1;
  }

  #valuesNotAside(values: Float64Array): Float64Array {
    return values.filter((_, i) => !this.#aside.has(i));
  }
}
