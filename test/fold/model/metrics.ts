// What one series or histogram of a label set holds, and what is said of it at a boundary.

import {
  blankNative,
  exemplify,
  type Native,
  type NativeExemplar,
  type NativeLayout,
  observeNative,
  resetNative,
} from './native.ts';
import { numberText } from './text.ts';

/** A metric as it is said: under its name, or under a second one with bounds and a unit of its own. */
export interface Voice {
  name: string;
  /** Ascending, without +Inf; in a unit of its own. */
  bounds: number[];
  /** How many of that unit are one of the observations'. */
  factor: number;
  hasExemplars: boolean;
}

export interface Metric {
  name: string;
  kind: 'counter' | 'gauge' | 'histogram';
  /** Of histograms: are there classic buckets, is there a native one? */
  classic?: boolean;
  native?: NativeLayout;
  voices: Voice[];
}

interface ClassicExemplar {
  trace: string;
  value: number;
}

export interface State {
  metric: Metric;
  /** Of a counter its value, of a classic histogram its sum. */
  value: number;
  /** By voice: counts of the buckets by themselves, +Inf last. */
  counts: number[][];
  /** By voice and bucket. */
  exemplars: Map<number, ClassicExemplar>[];
  native?: Native;
  wasSaid: boolean;
}

export interface Sample {
  name: string;
  le?: string;
  voice: number;
  value: number;
  native?: Native;
  /** Does a new one begin with a sample of 0? */
  hasZero: boolean;
  exemplars: { trace: string; value: number }[];
}

export function counter(name: string): Metric {
  return { name, kind: 'counter', voices: [voice(name)] };
}

export function gauge(name: string): Metric {
  return { name, kind: 'gauge', voices: [voice(name)] };
}

export interface HistogramSettings {
  histogramMode: 'classic' | 'native' | 'both';
  nativeBucketFactor: number;
  nativeMaxBuckets: number;
  nativeMinResetMs: number;
}

export function histogram(
  name: string,
  bounds: readonly number[],
  native: NativeLayout | undefined,
  classic = true,
): Metric {
  const sorted = classic ? [...bounds].sort((a, b) => a - b) : [];
  return { name, kind: 'histogram', classic, ...(native && { native }), voices: [{ ...voice(name), bounds: sorted }] };
}

function voice(name: string): Voice {
  return { name, bounds: [], factor: 1, hasExemplars: true };
}

/** Active series that a label set's metric counts as. */
export function seriesOf({ kind, classic, native, voices }: Metric): number {
  if (kind !== 'histogram') return voices.length;
  // _sum, _count and the buckets, of which +Inf is one; and the native one.
  const each = voices.map(({ bounds }) => (classic ? 2 + bounds.length + 1 : 0) + (native ? 1 : 0));
  return each.reduce((a, b) => a + b);
}

export function blankState(metric: Metric, nowMs: number): State {
  return {
    metric,
    value: 0,
    counts: metric.voices.map(({ bounds }) => Array.from({ length: bounds.length + 1 }, () => 0)),
    exemplars: metric.voices.map(() => new Map()),
    ...(metric.native && { native: blankNative(metric.native, nowMs) }),
    wasSaid: false,
  };
}

export interface Observation {
  value: number;
  weight: number;
  /** Hex. */
  trace: string;
  nowMs: number;
}

export function observe(state: State, { value, weight, trace, nowMs }: Observation): void {
  if (state.native === undefined) take(state, value, weight);
  else {
    resetIfDue(state, nowMs);
    // As often as the weight says, rounded up.
    for (let i = 0; i < weight; i++) {
      if (observeNative(state.native, value, nowMs) === 'reset') clearClassic(state);
      take(state, value, 1);
    }
  }
  const isTrace = /[1-9a-f]/.test(trace) && trace.length <= 120;
  if (state.metric.classic) {
    state.metric.voices.forEach((voice, v) => {
      if (isTrace) state.exemplars[v]!.set(bucketAt(voice, value), { trace, value });
      else state.exemplars[v]!.delete(bucketAt(voice, value));
    });
  } else if (isTrace) {
    const one: NativeExemplar = { value, atMs: nowMs, trace };
    for (let i = 0; i < weight; i++) exemplify(state.native!, one);
  }
}

/** A reset that was put off. */
export function resetIfDue(state: State, nowMs: number): void {
  if (state.native === undefined || nowMs < state.native.dueMs) return;
  resetNative(state.native, state.native.dueMs);
  clearClassic(state);
}

function take(state: State, value: number, weight: number): void {
  state.value += value * weight;
  state.metric.voices.forEach((voice, v) => {
    state.counts[v]![bucketAt(voice, value)]! += weight;
  });
}

function clearClassic(state: State): void {
  state.value = 0;
  for (const counts of state.counts) counts.fill(0);
}

function bucketAt({ bounds, factor }: Voice, value: number): number {
  const found = bounds.findIndex((bound) => value <= bound / factor);
  return found < 0 ? bounds.length : found;
}

export function samplesOf(state: State): Sample[] {
  return state.metric.voices.flatMap((_, v) => samplesOfVoice(state, v));
}

function samplesOfVoice({ metric, value, counts, exemplars, native }: State, v: number): Sample[] {
  const { name, bounds, factor, hasExemplars } = metric.voices[v]!;
  const base = { voice: v, exemplars: [] };
  if (metric.kind === 'gauge') return [{ ...base, name, value: 1, hasZero: false }];
  if (metric.kind === 'counter') return [{ ...base, name, value, hasZero: true }];
  const samples: Sample[] = [];
  let below = 0;
  counts[v]!.forEach((n, bucket) => {
    below += n;
    if (!metric.classic) return;
    const le = bucket < bounds.length ? numberText(bounds[bucket]!) : '+Inf';
    const exemplar = hasExemplars ? exemplars[v]!.get(bucket) : undefined;
    const bucketSample = { ...base, name: `${name}_bucket`, le, value: below, hasZero: true };
    samples.push({ ...bucketSample, exemplars: exemplar ? [exemplar] : [] });
  });
  if (metric.classic) {
    samples.push({ ...base, name: `${name}_sum`, value: value * factor, hasZero: false });
    samples.push({ ...base, name: `${name}_count`, value: below, hasZero: true });
  }
  if (native !== undefined) {
    const own = metric.classic || !hasExemplars ? [] : native.exemplars;
    samples.push({ ...base, name, value: Number.NaN, native, hasZero: true, exemplars: own });
  }
  return samples;
}
