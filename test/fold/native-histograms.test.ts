// Native histograms where they meet the processors, the timers and an image: resets at their time, in step with the classic buckets.

import { describe, expect, test } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { type NativeState, TenantImage } from '../../src/registry/index.ts';
import { applyAll, seriesOfImage } from './series.ts';
import { type Changes, settingsWith } from './settings.ts';
import { plainSpan, requestBytes } from './spans.ts';

const T = Date.UTC(2026, 0, 1);
const TRACE = '000000000000000000000000000000ab';

class Life {
  readonly fold: Fold;
  readonly image = new TenantImage();
  private nowMs = T;

  constructor(changes: Changes) {
    const settings = settingsWith({ processors: ['span-metrics-latency'], histogramMode: 'native', ...changes });
    this.fold = new Fold({ settingsOf: () => settings, originMs: T });
  }

  at(ms: number): this {
    this.nowMs = T + ms;
    this.fold.advance(this.nowMs);
    return this;
  }

  /** Spans that took so many ms each. */
  push(tookMs: readonly number[], name = 'GET', trace = TRACE): this {
    const endNs = BigInt(this.nowMs) * 1_000_000n;
    const spans = tookMs.map((ms) => plainSpan({ name, trace, startNs: endNs - BigInt(ms * 1e6), endNs }));
    this.fold.push('t', this.nowMs, this.nowMs, requestBytes([{ resource: [['service.name', 'web']], spans }]), false);
    return this;
  }

  collect(): this {
    applyAll(this.image, this.fold.collect(this.nowMs));
    return this;
  }

  /** The first row's. */
  get native(): NativeState | undefined {
    return [...this.image.tables.get('span-metrics')!.rows.values()][0]!.natives[0];
  }

  get counts(): [number, number][] {
    const { indexes, counts } = this.native!;
    return Array.from(indexes, (index, i) => [index, counts[i]!]);
  }
}

/** Bucket i at schema 0 ends at 2^i seconds. */
const BY_TWO = { nativeBucketFactor: 2 };
const FEW = { ...BY_TWO, nativeMaxBuckets: 2, nativeMinResetMs: 60_000 };

describe('a native histogram', () => {
  test('counts durations by powers, and none in a bucket of its own', () => {
    const life = new Life(BY_TWO).push([1_000, 1_500, 4_000, 0]).collect();
    expect(life.native).toMatchObject({ schema: 0, zeroCount: 1, sum: 6.5 });
    expect(life.counts).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  test('with too many buckets halves its resolution, and begins anew when its time has come', () => {
    const life = new Life(FEW).push([1_000, 2_000, 4_000]).collect();
    expect(life.native!.schema).toBe(-1);
    expect(life.at(59_999).collect().native!.schema).toBe(-1);
    life.at(60_000).collect();
    expect(life.native).toMatchObject({ schema: 0, sum: 0 });
    expect(life.counts).toEqual([]);
    expect(life.push([2_000]).collect().counts).toEqual([[1, 1]]);
  });

  test('that was not reset for long is reset at once, but for the last observation', () => {
    const life = new Life(FEW).push([1_000, 2_000]).at(90_000).push([4_000]).collect();
    expect(life.counts).toEqual([[2, 1]]);
    life.push([1_000, 2_000]).collect();
    expect(life.native!.schema).toBe(-1);
    // Counted from the reset on.
    expect(life.at(149_999).collect().native!.schema).toBe(-1);
    expect(life.at(150_000).collect().native!.schema).toBe(0);
  });

  test('is reset before what comes at that very time', () => {
    const life = new Life(FEW).push([1_000, 2_000, 4_000]).at(60_000).push([1_000]).collect();
    expect(life.counts).toEqual([[0, 1]]);
  });

  test('says its exemplars at every boundary, also after a reset, and not those without a trace', () => {
    const life = new Life(FEW).push([1_000]).push([3_000], 'GET', '').push([2_000], 'GET', '00').collect();
    const values = () => life.native!.exemplars.map(({ value }) => value);
    expect(values()).toEqual([1]);
    life.at(15_000).collect();
    expect(values()).toEqual([1]);
    life.push([2_000, 4_000, 500]).collect();
    life.at(60_000).collect();
    expect([values(), life.counts]).toEqual([[0.5, 1, 2, 4], []]);
  });

  test('takes part in limits as one series, and has an overflow row', () => {
    const life = new Life({ ...BY_TWO, maxActiveSeries: 1 }).push([1_000]).push([2_000, 2_000], 'POST').collect();
    const rows = [...life.image.tables.get('span-metrics')!.rows.values()];
    expect(rows.map(({ overflow, natives }) => [overflow, ...natives[0]!.counts])).toEqual([
      [false, 1],
      [true, 2],
    ]);
  });

  test('beside classic buckets is reset with them', () => {
    const life = new Life({ ...FEW, histogramMode: 'both', spanMetrics: { histogramBuckets: [1, 3] } });
    const classic = () =>
      [...seriesOfImage(life.image)].filter(([key]) => /_(bucket|count|sum)\[/.test(key)).map(([, value]) => value);
    life.push([1_000, 2_000, 4_000, 4_000]).collect();
    expect([life.native!.schema, classic()]).toEqual([-1, [1, 2, 4, 11, 4]]);
    life.at(60_000).collect();
    expect([life.counts, classic()]).toEqual([[], [0, 0, 0, 0, 0]]);
    life.push([1_000, 2_000]).at(200_000).push([4_000]).collect();
    expect([life.counts, classic()]).toEqual([[[2, 1]], [0, 0, 1, 4, 1]]);
  });

  test('counts whole spans for a weight, the calls beside it do not', () => {
    const life = new Life({
      ...BY_TWO,
      processors: ['span-metrics-latency', 'span-metrics-count'],
      histogramMode: 'both',
      spanMetrics: { histogramBuckets: [1], enableTracestateSpanMultiplier: true },
    });
    const endNs = BigInt(T) * 1_000_000n;
    // A threshold of 3/8: each span stands for 1.6.
    const span = plainSpan({ startNs: endNs - 1_000_000_000n, endNs, state: 'ot=th:6' });
    life.fold.push('t', T, T, requestBytes([{ resource: [['service.name', 'web']], spans: [span] }]), false);
    life.collect();
    expect([life.native!.sum, life.counts]).toEqual([2, [[0, 2]]]);
    expect([...seriesOfImage(life.image).values()].filter((value) => !Number.isNaN(value))).toEqual([1.6, 2, 2, 2, 2]);
  });
});
