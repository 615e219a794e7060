// Random series, values and timestamps from a seed, so that a round that fails can be run again: in the shapes that real ones have,
// and in odd ones.

import {
  createSeries,
  type LabelPair,
  METRIC_TYPES,
  type Protocol,
  type Series,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../../src/index.ts';

/** A generator of numbers from 0 to 1. */
export function randomFrom(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_-ÄßЖ中🙂';

/** Series whose labels they share in part, as those of a service do, or not at all. No two are the same. */
export function randomSeries(random: () => number, count: number): Series[] {
  const below = (n: number) => Math.floor(random() * n);
  const text = (most: number) =>
    Array.from({ length: 1 + below(most) }, () => [...LETTERS][below([...LETTERS].length)]).join('');
  const names = Array.from({ length: 1 + below(8) }, (_, i) => `l${i}_${text(10)}`);
  const pools = names.map(() => Array.from({ length: 1 + below(20) }, () => text(below(10) === 0 ? 200 : 25)));
  const hasMetadata = random() < 0.7;
  return Array.from({ length: count }, (_, i) => {
    const labels = names
      .filter(() => random() < 0.9)
      .map((name): LabelPair => {
        const pool = pools[names.indexOf(name)]!;
        return [name, random() < 0.1 ? text(40) : pool[below(pool.length)]!];
      });
    const metadata = {
      type: METRIC_TYPES[below(METRIC_TYPES.length)]!,
      help: text(30),
      unit: random() < 0.5 ? '' : 's',
    };
    const own: LabelPair[] = [
      ['__name__', `metric_${below(5)}`],
      ['index', String(i)],
    ];
    return createSeries([...own, ...labels], hasMetadata && random() < 0.9 ? metadata : undefined);
  });
}

const ODD_VALUES = [
  0,
  -0,
  1,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  5e-324,
  -2.5e-310,
  2 ** 53,
  Number.NaN,
];

export function randomValues(random: () => number, count: number): Float64Array {
  const bits = new DataView(new ArrayBuffer(8));
  return Float64Array.from({ length: count }, () => {
    const kind = random();
    if (kind < 0.2) return ODD_VALUES[Math.floor(random() * ODD_VALUES.length)]!;
    if (kind < 0.6) return Math.floor(random() * 1e6);
    // Any pattern of bits, other kinds of NaN among them.
    bits.setUint32(0, random() * 2 ** 32);
    bits.setUint32(4, random() * 2 ** 32);
    return bits.getFloat64(0);
  });
}

const ODD_TIMES = [0, 1, 127, 128, -1, 2 ** 35 - 1, 2 ** 35, 2 ** 42 - 1, 2 ** 42, 2 ** 53 - 1, -(2 ** 53 - 1)];

export function randomTime(random: () => number): number {
  if (random() < 0.15) return ODD_TIMES[Math.floor(random() * ODD_TIMES.length)]!;
  return 1_700_000_000_000 + Math.floor(random() * 1e11);
}

/** What the ordinary builders would send: the uncompressed request. */
export function expectedRequest(
  protocol: Protocol,
  series: readonly Series[],
  values: Float64Array,
  timestampMs: number,
  startMs?: ArrayLike<number>,
): Uint8Array {
  if (protocol === '1.0') {
    const builder = new WriteRequestBuilder();
    for (const [i, { labelBytes }] of series.entries()) builder.addSample(labelBytes, values[i]!, timestampMs);
    return builder.uncompressed();
  }
  const builder = new WriteRequestV2Builder();
  for (const [i, one] of series.entries()) {
    builder.addSample(one, values[i]!, timestampMs, { startMs: startMs?.[i] ?? 0 });
  }
  return builder.uncompressed();
}
