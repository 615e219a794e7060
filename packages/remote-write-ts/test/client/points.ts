// Series and points for tests of the client.

import {
  createExemplar,
  createSeries,
  customHistogram,
  exponentialHistogram,
  type Point,
  type Series,
} from '../../src/index.ts';

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

export function series(name: string, extra: [string, string][] = []): Series {
  return createSeries([['__name__', name], ...extra], { type: 'counter', help: `Help of ${name}.` });
}

export function sample(of: Series | string, value = 1, timestampMs = NOW_MS): Point {
  return { kind: 'sample', series: typeof of === 'string' ? series(of) : of, value, timestampMs };
}

export function samples(count: number, timestampMs = NOW_MS): Point[] {
  return Array.from({ length: count }, (_, i) => sample(`s${i}`, i, timestampMs));
}

/** One point of each kind. */
export function mixture(timestampMs = NOW_MS): Point[] {
  const exemplars = [createExemplar([['trace_id', 'abc']], 0.5, timestampMs)];
  const histogram = exponentialHistogram({ schema: 3, sum: 5, positive: [[1, 2]] });
  return [
    { kind: 'sample', series: series('a_total'), value: 1, timestampMs, startMs: timestampMs - 1000, exemplars },
    { kind: 'stale', series: series('b_total'), timestampMs },
    { kind: 'histogram', series: series('c'), histogram, timestampMs, exemplars },
    { kind: 'stale_histogram', series: series('d'), timestampMs },
    {
      kind: 'histogram',
      series: series('e'),
      histogram: customHistogram({ bounds: [1], counts: [1, 2], sum: 3 }),
      timestampMs,
    },
  ];
}
