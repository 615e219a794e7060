// A native histogram against a plain model of the rules: too many buckets, resets, and the exemplars it keeps.

import { describe, expect, test } from 'vitest';
import { nativeBucket } from '../../src/registry/native-buckets.ts';
import { type NativeExemplar, NativeExemplars } from '../../src/registry/native-exemplars.ts';
import { NativeHistogram, type NativeLayout, NEVER } from '../../src/registry/native-histogram.ts';
import { choices } from '../otlp/noisy-encoder.ts';

interface Plain {
  schema: number;
  sum: number;
  zeros: number;
  buckets: Map<number, number>;
}

/** One observation after the other, each with its look at the number of buckets. */
class Model {
  state: Plain;
  dueMs = NEVER;
  private resetMs: number;
  private readonly layout: NativeLayout;

  constructor(layout: NativeLayout, nowMs: number) {
    this.layout = layout;
    this.state = { schema: layout.schema, sum: 0, zeros: 0, buckets: new Map() };
    this.resetMs = nowMs;
  }

  observe(value: number, nowMs: number): void {
    this.count(value);
    const { maxBuckets, minResetMs } = this.layout;
    if (maxBuckets === 0 || this.state.buckets.size <= maxBuckets) return;
    if (minResetMs > 0 && this.dueMs === NEVER) {
      if (nowMs - this.resetMs >= minResetMs) {
        this.reset(nowMs);
        this.count(value);
        return;
      }
      this.dueMs = this.resetMs + minResetMs;
    }
    if (this.state.schema === -4) return;
    const merged = new Map<number, number>();
    for (const [index, n] of this.state.buckets) {
      merged.set(Math.ceil(index / 2) + 0, (merged.get(Math.ceil(index / 2) + 0) ?? 0) + n);
    }
    this.state.buckets = merged;
    this.state.schema--;
  }

  reset(nowMs: number): void {
    this.state = { schema: this.layout.schema, sum: 0, zeros: 0, buckets: new Map() };
    this.resetMs = nowMs;
    this.dueMs = NEVER;
  }

  private count(value: number): void {
    const { state } = this;
    state.sum += value;
    if (value === 0) state.zeros++;
    else {
      const index = nativeBucket(Float64Array.of(value), 0, state.schema);
      state.buckets.set(index, (state.buckets.get(index) ?? 0) + 1);
    }
  }
}

function plain(histogram: NativeHistogram): Plain {
  const buckets = new Map<number, number>();
  for (let i = 0; i < histogram.length; i++) buckets.set(histogram.indexes[i]!, histogram.counts[i]!);
  return { schema: histogram.schema, sum: histogram.sum, zeros: histogram.zeroCount, buckets };
}

function sorted({ schema, zeros, buckets }: Plain) {
  return { schema, zeros, buckets: [...buckets].sort(([a], [b]) => a - b) };
}

describe('a native histogram', () => {
  test('is what the rules say, observation by observation', () => {
    let resets = 0;
    let halvings = 0;
    for (let seed = 0; seed < 120; seed++) {
      const below = choices(seed);
      const layout = {
        schema: [8, 3, 0, -2][below(4)]!,
        maxBuckets: [0, 1, 3, 10][below(4)]!,
        minResetMs: [0, 1_000, 60_000][below(3)]!,
      };
      let nowMs = 1_000_000;
      const histogram = new NativeHistogram(layout, nowMs);
      const model = new Model(layout, nowMs);
      for (let n = 0; n < 80; n++) {
        nowMs += below(300);
        if (nowMs >= model.dueMs) {
          const { dueMs } = model;
          model.reset(dueMs);
          histogram.reset(dueMs);
          resets++;
        }
        const value = below(9) === 0 ? 0 : 2 ** (below(40) - 30) * (1 + below(1_000) / 1_000);
        const times = below(4) === 0 ? 1 + below(30) : 1;
        const before = model.state;
        for (let i = 0; i < times; i++) model.observe(value, nowMs);
        const since = histogram.observe(Float64Array.of(value), 0, times, nowMs);
        const where = `seed ${seed}, observation ${n}`;
        expect(sorted(plain(histogram)), where).toEqual(sorted(model.state));
        expect(Math.abs(histogram.sum - model.state.sum), where).toBeLessThanOrEqual(1e-9 * model.state.sum);
        expect(histogram.dueMs, where).toBe(model.dueMs);
        if (model.state !== before) {
          expect(since, where).toBe([...model.state.buckets.values()].reduce((a, b) => a + b, 0));
          resets++;
        } else expect(since, where).toBe(0);
        if (model.state.schema < layout.schema) halvings++;
      }
    }
    expect(resets).toBeGreaterThan(50);
    expect(halvings).toBeGreaterThan(500);
  });

  test('takes any number of observations at once', () => {
    const histogram = new NativeHistogram({ schema: 3, maxBuckets: 1, minResetMs: 0 }, 0);
    histogram.observe(Float64Array.of(1), 0, 2 ** 56, 0);
    histogram.observe(Float64Array.of(1_000), 0, 2 ** 56, 0);
    expect(histogram.count).toBe(2 ** 57);
    expect(histogram.schema).toBe(-1 - 3);
  });
});

const ID = Uint8Array.of(1, 2, 3, 4);

function add(exemplars: NativeExemplars, value: number, atMs: number, id = 1): void {
  exemplars.add(Float64Array.of(value), 0, atMs, Uint8Array.of(0, id, id + 1, 0), 1, 2);
}

/** The rule book's words, with logarithms. */
function model(list: readonly NativeExemplar[], value: number, atMs: number): NativeExemplar[] {
  const one = { value, atMs, traceId: ID };
  if (list.length < 10) {
    const at = list.findIndex((other) => other.value > value);
    return at < 0 ? [...list, one] : list.toSpliced(at, 0, one);
  }
  const distance = (a: number, b: number) => Math.abs(Math.log(a) - Math.log(b));
  let smallest = distance(list[0]!.value, list[1]!.value);
  let pair = 1;
  for (let i = 2; i < 10; i++) {
    const between = distance(list[i]!.value, list[i - 1]!.value);
    if (between < smallest) {
      smallest = between;
      pair = i;
    }
  }
  let leaves = list[pair]!.atMs < list[pair - 1]!.atMs ? pair : pair - 1;
  const found = list.findIndex((other) => other.value >= value);
  const at = found < 0 ? 10 : found;
  const times = list.map((other) => other.atMs);
  const oldest = times.indexOf(Math.min(...times));
  if (atMs - times[oldest]! > 300_000) leaves = oldest;
  else {
    if (at > 0 && distance(value, list[at - 1]!.value) < smallest) {
      smallest = distance(value, list[at - 1]!.value);
      leaves = at - 1;
    }
    if (at < 10 && distance(value, list[at]!.value) < smallest) leaves = at;
  }
  return list.toSpliced(at, 0, one).filter((other) => other !== list[leaves]);
}

describe('exemplars of a native histogram', () => {
  const values = (list: readonly NativeExemplar[]) => list.map(({ value, atMs }) => [value, atMs]);

  test('are those that the rules keep', () => {
    for (let seed = 0; seed < 100; seed++) {
      const below = choices(seed);
      const exemplars = new NativeExemplars();
      let expected: NativeExemplar[] = [];
      let nowMs = 0;
      for (let n = 0; n < 120; n++) {
        nowMs += below(3) === 0 ? below(100_000) : 0;
        const chosen = below(6);
        const value =
          chosen === 0
            ? 0
            : chosen === 1 && expected.length > 0
              ? expected[below(expected.length)]!.value
              : below(2 ** 31) / 1e6;
        expected = model(expected, value, nowMs);
        add(exemplars, value, nowMs);
        expect(values(exemplars.list()), `seed ${seed}, exemplar ${n}`).toEqual(values(expected));
      }
    }
  });

  test('have the trace id they came with, of any length', () => {
    const exemplars = new NativeExemplars();
    const long = Uint8Array.from({ length: 20 }, (_, i) => i);
    for (let i = 0; i < 30; i++) add(exemplars, i, i, i);
    exemplars.add(Float64Array.of(100), 0, 31, long, 0, 20);
    exemplars.add(Float64Array.of(200), 0, 32, ID, 0, 4);
    const copy = new NativeExemplars();
    copy.restore(exemplars.list());
    for (const { value, traceId } of copy.list()) {
      expect([...traceId]).toEqual(value === 100 ? [...long] : value === 200 ? [...ID] : [value, value + 1]);
    }
    expect(
      copy
        .list()
        .slice(-2)
        .map(({ value }) => value),
    ).toEqual([100, 200]);
  });

  test('of many observations at once are those of each', () => {
    for (let seed = 0; seed < 40; seed++) {
      const below = choices(seed);
      const once = new NativeHistogram({ schema: 3, maxBuckets: 0, minResetMs: 0 }, 0);
      const each = new NativeExemplars();
      for (let n = 0; n < 8; n++) {
        const value = below(5) === 0 ? 0 : below(1_000) / 7;
        const nowMs = n * below(120_000);
        once.exemplify(Float64Array.of(value), 0, 1_000, nowMs, ID, 0, 4);
        for (let i = 0; i < 1_000; i++) each.add(Float64Array.of(value), 0, nowMs, ID, 0, 4);
        expect(once.exemplars!.list()).toEqual(each.list());
      }
    }
  });
});
