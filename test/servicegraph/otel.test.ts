// The service graph with `naming: otel`: the collector's names, labels and rules for what stays without a peer.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadConfig, resolveTenant, type TenantSettings } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { INSTANCE_LABEL, seriesLabels, seriesValues } from '../../src/registry/index.ts';
import { imageOf } from '../fold/series.ts';
import { type PlainSpan, plainSpan, requestBytes } from '../fold/spans.ts';

const T = Date.UTC(2026, 0, 1);
const at = (ms: number) => BigInt(T + ms) * 1_000_000n;

function settingsOf(serviceGraph: object, more: object = {}): TenantSettings {
  const text = JSON.stringify({
    metrics_generator: { naming: 'otel', otel: { service_graph: serviceGraph, ...more } },
    overrides: { defaults: { metrics_generator: { processors: ['service-graphs'] } } },
  });
  return resolveTenant(loadConfig({ text }).config, 'anybody');
}

interface Half {
  service: string;
  span: Partial<PlainSpan>;
  resource?: [string, string][];
}

/** Label sets and values of all series after the halves came and those without a peer were given up. */
function graph(halves: readonly Half[], settings = settingsOf({})): Map<string, number> {
  const fold = new Fold({ settingsOf: () => settings, originMs: T });
  for (const { service, span, resource = [] } of halves) {
    const spans = [plainSpan({ startNs: at(-20), endNs: at(0), ...span })];
    fold.push('t', T, T, requestBytes([{ resource: [['service.name', service], ...resource], spans }]), false);
  }
  fold.advance(T + 6_000);
  const found = new Map<string, number>();
  for (const table of imageOf(fold.collect(T + 6_000)).tables.values()) {
    const values = new Float64Array(table.series.length);
    for (const row of table.rows.values()) {
      seriesValues(table.series, row.values, 0, values);
      table.series.forEach((spec, i) => {
        if ((row.admitted & (1 << spec.part)) === 0) return;
        const labels = seriesLabels(table.schema, row.labels, row.overflow, spec, { [INSTANCE_LABEL]: 'peer-0' });
        found.set(textOf(Object.fromEntries(labels)), values[i]!);
      });
    }
  }
  return found;
}

function textOf(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function requests(found: ReadonlyMap<string, number>): Record<string, string>[] {
  return [...found.keys()]
    .map((key) => Object.fromEntries(JSON.parse(key)) as Record<string, string>)
    .filter((labels) => labels['__name__'] === 'traces_service_graph_request_total');
}

const COMMON = {
  __name__: 'traces_service_graph_request_total',
  otel_scope_name: 'traces_service_graph',
  collector_instance_id: 'peer-0',
};
const CLIENT = { kind: 3 };
const SERVER = { kind: 2, parent: '0123456789abcdef', id: 'ff' };
const ERROR = { code: 2, message: '' };

describe('the service graph under the collector’s names', () => {
  test('has every series of the recorded names, and the instance label', () => {
    const path = new URL('../conformance/otel/28-servicegraph-name-translation/expected.json', import.meta.url);
    const recorded = (JSON.parse(readFileSync(path, 'utf8')) as { series: { labels: Record<string, string> }[] })
      .series;
    expect(recorded.length).toBe(12);
    const found = graph(
      [
        { service: 'a', span: CLIENT },
        { service: 'b', span: SERVER },
        { service: 'a', span: { ...CLIENT, id: 'ee', status: ERROR, attributes: [['http.route', '/x']] } },
      ],
      settingsOf({ virtual_node_extra_label: true, dimensions: ['http.route'] }),
    );
    const missing = recorded.filter(({ labels }) => !found.has(textOf({ ...labels, collector_instance_id: 'peer-0' })));
    expect(missing).toEqual([]);
  });

  test('tells failed calls from others, and counts failures among the failed only', () => {
    const found = graph([
      { service: 'a', span: CLIENT },
      { service: 'b', span: SERVER },
      { service: 'a', span: { ...CLIENT, id: 'ee' } },
      { service: 'b', span: { ...SERVER, parent: 'ee', status: ERROR } },
    ]);
    const edge = { client: 'a', server: 'b' };
    expect(requests(found)).toEqual([
      { ...COMMON, ...edge, failed: 'false' },
      { ...COMMON, ...edge, failed: 'true' },
    ]);
    const failures = [...found.keys()].filter((key) => key.includes('request_failed_total'));
    expect(failures).toEqual([
      textOf({ ...COMMON, ...edge, failed: 'true', __name__: 'traces_service_graph_request_failed_total' }),
    ]);
  });

  test('calls a peer without a name unknown, and the caller of a root the user, whatever attributes name it', () => {
    const virtual = { ...COMMON, connection_type: 'virtual_node', failed: 'false' };
    expect(requests(graph([{ service: 'a', span: CLIENT }]))).toEqual([{ ...virtual, client: 'a', server: 'unknown' }]);
    expect(requests(graph([{ service: 'a', span: { ...CLIENT, attributes: [['peer.service', 'p']] } }]))).toEqual([
      { ...virtual, client: 'a', server: 'p' },
    ]);
    expect(requests(graph([{ service: 'b', span: { kind: 2, attributes: [['peer.service', 'p']] } }]))).toEqual([
      { ...virtual, client: 'user', server: 'b' },
    ]);
  });

  test('has no virtual nodes where no attributes may name them', () => {
    const settings = settingsOf({ virtual_node_peer_attributes: [] });
    expect([...graph([{ service: 'a', span: CLIENT }], settings)]).toEqual([]);
    expect([...graph([{ service: 'b', span: { kind: 2 } }], settings)]).toEqual([]);
  });

  test('names a database by its own attribute, not by its address', () => {
    const attributes: [string, string][] = [
      ['db.name', 'orders'],
      ['server.address', 'db-1.example'],
    ];
    expect(requests(graph([{ service: 'a', span: { ...CLIENT, attributes } }]))).toEqual([
      { ...COMMON, client: 'a', server: 'orders', connection_type: 'database', failed: 'false' },
    ]);
  });

  test('has dimensions of both sides, and histograms without a unit in their names on request', () => {
    const settings = settingsOf(
      { dimensions: ['k8s.ns'], latency_histogram_buckets: ['10ms', '1s'] },
      { translation_strategy: 'UnderscoreEscapingWithoutSuffixes' },
    );
    const found = graph(
      [
        { service: 'a', span: CLIENT, resource: [['k8s.ns', 'x']] },
        { service: 'b', span: SERVER, resource: [['k8s.ns', 'y']] },
      ],
      settings,
    );
    const labels = { ...COMMON, client: 'a', server: 'b', failed: 'false', client_k8s_ns: 'x', server_k8s_ns: 'y' };
    expect(requests(found)).toEqual([labels]);
    const bucket = (le: string) =>
      found.get(textOf({ ...labels, __name__: 'traces_service_graph_request_client_bucket', le }));
    expect([bucket('0.01'), bucket('1'), bucket('+Inf')]).toEqual([0, 1, 1]);
  });
});
