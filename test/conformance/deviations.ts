// Cases where spanmill does something else than the reference on purpose (docs/reference/deviations.md says why). What it does
// instead is written out here by hand; whatever an entry does not replace stays as the case expects it.

import type { Expected, ExpectedSeries } from './compare.ts';

export interface Deviation {
  /** Row of docs/reference/deviations.md. */
  row: string;
  /** Replaces collections by index, and single self metrics; an undefined one is not there at all. */
  collections: Record<number, ExpectedSeries[]>;
  selfMetrics: Record<string, number | undefined>;
}

const BIRTH_MS = -43_500;
const GRAPH_BOUNDS = ['0.1', '0.2', '0.4', '0.8', '1.6', '3.2', '6.4', '12.8', '+Inf'];

interface Observed {
  bounds: readonly string[];
  /** Cumulative counts, one per bound. */
  counts: readonly number[];
  sum: number;
  exemplar?: { le: string; traceID: string; value: number };
  born: boolean;
}

/** The series of one classic histogram. */
function histogram(metric: string, labels: Record<string, string>, observed: Observed): ExpectedSeries[] {
  const zero = observed.born ? { init_zero_t_ms: BIRTH_MS } : {};
  const { exemplar, counts, bounds, sum } = observed;
  const sample = (suffix: string, value: number, more: Record<string, string> = {}): ExpectedSeries => ({
    labels: { __name__: `${metric}${suffix}`, ...labels, ...more },
    type: 'sample',
    value,
  });
  return [
    ...bounds.map((le, i) => ({
      ...sample('_bucket', counts[i]!, { le }),
      ...zero,
      ...(exemplar?.le === le ? { exemplars: [{ labels: { traceID: exemplar.traceID }, value: exemplar.value }] } : {}),
    })),
    sample('_sum', sum),
    { ...sample('_count', counts.at(-1)!), ...zero },
  ];
}

interface Edge {
  requests: number;
  serverSum: number;
  clientSum: number;
  born: boolean;
  /** Trace of the last call since the collection before, with both of its latencies. */
  last?: { traceID: string; server: number; client: number };
}

/** All series of an edge whose calls took no longer than 0.1 s. */
function edge(labels: Record<string, string>, { requests, serverSum, clientSum, born, last }: Edge): ExpectedSeries[] {
  const side = (metric: string, sum: number, value: number | undefined) =>
    histogram(metric, labels, {
      bounds: GRAPH_BOUNDS,
      counts: GRAPH_BOUNDS.map(() => requests),
      sum,
      born,
      ...(last === undefined ? {} : { exemplar: { le: '0.1', traceID: last.traceID, value: value! } }),
    });
  return [
    {
      labels: { __name__: 'traces_service_graph_request_total', ...labels },
      type: 'sample',
      value: requests,
      ...(born ? { init_zero_t_ms: BIRTH_MS } : {}),
    },
    ...side('traces_service_graph_request_server_seconds', serverSum, last?.server),
    ...side('traces_service_graph_request_client_seconds', clientSum, last?.client),
  ];
}

const SUB = { service: 'sub', span_kind: 'SPAN_KIND_SERVER', status_code: 'STATUS_CODE_UNSET' };
const TENANTS_BUCKETS = ['0.1', '1', '+Inf'];
const CALL = { client: 'web', server: 'api' };
const VIRTUAL = { client: 'user', server: 'api', connection_type: 'virtual_node', virtual_node: 'client' };

export const DEVIATIONS: ReadonlyMap<string, Deviation> = new Map([
  [
    'sm-sub-latency',
    {
      row: 'subprocessor-buckets',
      collections: {
        0: [
          ...histogram(
            'traces_spanmetrics_latency',
            { ...SUB, span_name: 'a' },
            {
              bounds: TENANTS_BUCKETS,
              counts: [1, 1, 1],
              sum: 0.003,
              exemplar: { le: '0.1', traceID: '5b8aa5a2d2c872e8ac2b8aca779ce1e7', value: 0.003 },
              born: true,
            },
          ),
          ...histogram(
            'traces_spanmetrics_latency',
            { ...SUB, span_name: 'b' },
            {
              bounds: TENANTS_BUCKETS,
              counts: [0, 1, 1],
              sum: 0.3,
              exemplar: { le: '1', traceID: '5b8aa5a2d2c872e90e720001f64265d8', value: 0.3 },
              born: true,
            },
          ),
        ],
      },
      selfMetrics: {
        metrics_generator_registry_active_series: 10,
        metrics_generator_registry_series_added_total: 10,
      },
    },
  ],
  [
    'sg-virtual-node-label-reload',
    {
      row: 'virtual-node-reload',
      collections: {
        // The counters go on over the reload check at 10 s, and the root that nobody called becomes a virtual edge at 12 s.
        1: [
          ...edge(CALL, {
            requests: 2,
            serverSum: 0.04,
            clientSum: 0.06,
            born: false,
            last: { traceID: '5b8aa5a2d2c872e9e8ba9e5f7509e9cd', server: 0.02, client: 0.03 },
          }),
          ...edge(VIRTUAL, {
            requests: 1,
            serverSum: 0.025,
            clientSum: 0,
            born: true,
            last: { traceID: '5b8aa5a2d2c872e90e720001f64265d8', server: 0.025, client: 0 },
          }),
        ],
        2: [
          ...edge(CALL, { requests: 2, serverSum: 0.04, clientSum: 0.06, born: false }),
          ...edge(VIRTUAL, { requests: 1, serverSum: 0.025, clientSum: 0, born: false }),
        ],
      },
      selfMetrics: {
        metrics_generator_registry_active_series: 46,
        metrics_generator_registry_series_removed_total: undefined,
      },
    },
  ],
]);

/** What spanmill does in the case: the case's expectation with the deviation in it. */
export function withDeviation(expected: Expected, deviation: Deviation): Expected {
  const selfMetrics: Record<string, number> = { ...expected.self_metrics };
  for (const [name, value] of Object.entries(deviation.selfMetrics)) {
    if (value === undefined) delete selfMetrics[name];
    else selfMetrics[name] = value;
  }
  return {
    ...expected,
    collections: (expected.collections ?? []).map((collection, i) => ({
      ...collection,
      series: deviation.collections[i] ?? collection.series,
    })),
    self_metrics: selfMetrics,
  };
}
