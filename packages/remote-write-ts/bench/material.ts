// What is measured: a batch of series as span metrics have them. The same for every program that takes part.

import type { LabelPair } from '../src/index.ts';

export const SERIES = 2_000;
export const FIRST_MS = Date.UTC(2026, 0, 1);
export const INTERVAL_MS = 15_000;
export const METADATA = { type: 'counter', help: 'Observations up to the bound.' } as const;

/** Eight labels: a few services and status codes, many span names, a bucket's bound. */
export function labelsOf(i: number): LabelPair[] {
  return [
    ['__name__', 'traces_spanmetrics_latency_bucket'],
    ['service', `shop-${i % 20}-service`],
    ['span_name', `GET /api/v2/resource/${Math.floor(i / 14)}/items`],
    ['span_kind', i % 2 === 0 ? 'SPAN_KIND_SERVER' : 'SPAN_KIND_CLIENT'],
    ['status_code', i % 10 === 0 ? 'STATUS_CODE_ERROR' : 'STATUS_CODE_OK'],
    ['__metrics_gen_instance', 'cluster-a/0'],
    ['k8s_namespace', `namespace-${i % 7}`],
    ['le', String(2 ** (i % 14) / 1000)],
  ];
}

export function labelSets(count: number): LabelPair[][] {
  return Array.from({ length: count }, (_, i) => labelsOf(i));
}

/**
 * The values of so many pushes, to be taken in turn: counts that grow, and for every sixteenth series a sum of seconds.
 * `go/main.go` has the same.
 */
export function valueSets(series: number, pushes = 16): Float64Array[] {
  return Array.from({ length: pushes }, (_, push) =>
    Float64Array.from({ length: series }, (_, i) => {
      const count = ((i * 7919) % 100_003) + push * (i % 13);
      return i % 16 === 15 ? count * 0.001 : count;
    }),
  );
}
