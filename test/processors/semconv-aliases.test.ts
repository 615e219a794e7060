// `semconv.aliases`: which names a key matches, in which order, and how values are spelt; and that all is as ever where it is off.

import { describe, expect, test } from 'vitest';
import { type ConfigError, loadConfig, resolveTenant } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { SEMCONV_ALIASES } from '../../src/processors/index.ts';
import { viewSeries } from '../../src/simulate/series-view.ts';
import { imageOf } from '../fold/series.ts';
import { type Changes, settingsWith } from '../fold/settings.ts';
import { type Attributes, type PlainSpan, plainSpan, requestBytes } from '../fold/spans.ts';

const T = Date.UTC(2026, 0, 1);
const NS = BigInt(T) * 1_000_000n;

interface Given {
  span: Partial<PlainSpan>;
  resource?: Attributes;
}

const SHOP: Attributes = [['service.name', 'shop']];

function fold(changes: Changes, given: readonly Given[]): Fold {
  const settings = settingsWith({ semconvAliases: true, ...changes });
  const made = new Fold({ settingsOf: () => settings, originMs: T });
  for (const { span, resource = SHOP } of given) {
    made.push('t', T, T, requestBytes([{ resource, spans: [plainSpan({ startNs: NS, endNs: NS, ...span })] }]), false);
  }
  return made;
}

/** The labels of each series of the metric, by name. */
function labels(made: Fold, metric: string): Record<string, string>[] {
  return viewSeries(imageOf(made.collect(T + 15_000)), {})
    .filter((series) => series.labels['__name__'] === metric)
    .map((series) => series.labels);
}

/** What the dimension's label says for one span. */
function dimension(key: string, span: Attributes, resource: Attributes = [], aliases = true): string | undefined {
  const changes: Changes = {
    semconvAliases: aliases,
    processors: ['span-metrics-count'],
    spanMetrics: { dimensions: [key] },
  };
  const made = fold(changes, [{ span: { attributes: span }, resource }]);
  return labels(made, 'traces_spanmetrics_calls_total')[0]![key.replaceAll('.', '_')];
}

describe('a dimension', () => {
  const names = Object.entries(SEMCONV_ALIASES).flatMap(([today, before]) => before.map(({ key }) => [today, key]));

  test.each(names)('%s matches %s, and the other way round', (today, before) => {
    expect(dimension(today!, [[before!, 'v']])).toBe('v');
    expect(dimension(before!, [[today!, 'v']])).toBe('v');
    expect(dimension(today!, [[before!, 'v']], [], false)).toBe(undefined);
  });

  const spelt = Object.entries(SEMCONV_ALIASES).flatMap(([today, before]) =>
    before.flatMap(({ key, values }) => Object.entries(values ?? {}).map(([old, now]) => [today, now, key, old])),
  );

  test.each(spelt)('%s says %s where %s is %s', (today, now, before, old) => {
    expect(dimension(today!, [[before!, old!]])).toBe(now);
    expect(dimension(before!, [[today!, now!]])).toBe(old);
  });

  test("takes its own name's value first, wherever that stands, and spells it as it is", () => {
    expect(
      dimension('db.system', [
        ['db.system.name', 'postgresql'],
        ['db.system', 'microsoft.sql_server'],
      ]),
    ).toBe('microsoft.sql_server');
    expect(dimension('http.method', [['http.method', 'GET']], [['http.request.method', 'POST']])).toBe('GET');
  });

  test('takes the newest of its other names, and of that the resource first', () => {
    const both: Attributes = [
      ['db.sql.table', 'old'],
      ['db.collection.name', 'new'],
    ];
    expect(dimension('db.mongodb.collection', both)).toBe('new');
    expect(dimension('db.name', [['db.namespace', 'span']], [['db.namespace', 'resource']])).toBe('resource');
  });

  test('goes by way of the name of today between two older ones', () => {
    expect(dimension('http.flavor', [['net.protocol.version', '2']])).toBe('2.0');
    expect(dimension('net.protocol.version', [['http.flavor', '2.0']])).toBe('2');
  });

  test('reads values that are no text as ever', () => {
    expect(dimension('http.status_code', [['http.response.status_code', 404n]])).toBe('404');
    expect(dimension('rpc.response.status_code', [['rpc.grpc.status_code', 5n]])).toBe('NOT_FOUND');
  });

  test('of a mapping and with the names of the collector matches too', () => {
    const mapping = { name: 'db', sourceLabels: ['db.system', 'db.name'], join: '/' };
    const attributes: Attributes = [
      ['db.system.name', 'oracle.db'],
      ['db.namespace', 'orders'],
    ];
    const mapped = fold({ processors: ['span-metrics-count'], spanMetrics: { dimensionMappings: [mapping] } }, [
      { span: { attributes } },
    ]);
    expect(labels(mapped, 'traces_spanmetrics_calls_total')[0]!['db']).toBe('oracle/orders');
    const settings = settingsWith();
    const otel = {
      ...settings.otel,
      spanMetrics: { ...settings.otel.spanMetrics, dimensions: [{ name: 'db.system', default: null }] },
    };
    const collector = fold({ naming: 'otel', otel }, [{ span: { attributes } }]);
    expect(labels(collector, 'traces_span_metrics_calls_total')[0]!['db_system']).toBe('oracle');
  });

  test('keeps its spelling when symbols are numbered anew', () => {
    const settings = settingsWith({
      semconvAliases: true,
      processors: ['span-metrics-count'],
      spanMetrics: { dimensions: ['db.system'] },
      staleDurationMs: 60_000,
    });
    const made = new Fold({ settingsOf: () => settings, originMs: T });
    const push = (atMs: number, name: string, system: string) => {
      const ns = BigInt(atMs) * 1_000_000n;
      const span = plainSpan({ name, startNs: ns, endNs: ns, attributes: [['db.system.name', system]] });
      made.push('t', atMs, atMs, requestBytes([{ resource: SHOP, spans: [span] }]), false);
    };
    const { registry } = made.tenant('t');
    const { generation } = registry;
    // Names that come once, until their symbols are dropped and others get their numbers: so that of "oracle.db", which came late.
    let atMs = T;
    for (let i = 0; registry.generation === generation; i++, atMs += 5) {
      push(atMs, `name ${i}`, i === 100_000 ? 'oracle.db' : 'mysql');
      made.advance(atMs);
    }
    const fresh = Array.from({ length: 120_000 }, (_, i) => `system ${i}`);
    for (const system of fresh) push(atMs, 'last', system);
    const last = labels(made, 'traces_spanmetrics_calls_total').filter((held) => held['span_name'] === 'last');
    expect(last.filter((held) => !held['db_system']?.startsWith('system '))).toEqual([]);
    expect(last.length).toBe(fresh.length);
  });
});

describe('the service graph', () => {
  test('finds peers and databases by their new names', () => {
    const client = { kind: 3, id: '1111111111111111', parent: '2222222222222222' };
    const peer = fold({ processors: ['service-graphs'], serviceGraphs: { peerAttributes: ['peer.service'] } }, [
      { span: { ...client, attributes: [['service.peer.name', 'mailer']] } },
    ]);
    peer.advance(T + 20_000);
    expect(labels(peer, 'traces_service_graph_request_total')).toMatchObject([{ client: 'shop', server: 'mailer' }]);

    const database = fold(
      { processors: ['service-graphs'], serviceGraphs: { databaseNameAttributes: ['db.name'], peerAttributes: [] } },
      [{ span: { ...client, attributes: [['db.namespace', 'orders']] } }],
    );
    expect(labels(database, 'traces_service_graph_request_total')).toMatchObject([
      { client: 'shop', server: 'orders', connection_type: 'database' },
    ]);
  });
});

describe('a filter policy', () => {
  const kept = (key: string, value: string | number, attributes: Attributes, regex = false) => {
    const include = { matchType: regex ? ('regex' as const) : ('strict' as const), attributes: [{ key, value }] };
    const made = fold({ processors: ['span-metrics-count'], spanMetrics: { filterPolicies: [{ include }] } }, [
      { span: { attributes }, resource: attributes },
    ]);
    return made.tenant('t').registry.liveRows === 1;
  };

  test.each([['span'], ['resource']])(
    'of a %s attribute looks at the other names where its own is not there',
    (scope) => {
      expect(kept(`${scope}.db.system`, 'mssql', [['db.system.name', 'microsoft.sql_server']])).toBe(true);
      expect(kept(`${scope}.db.system`, 'mssql', [['db.system.name', 'mysql']])).toBe(false);
      expect(kept(`${scope}.db.system`, '^ms.*', [['db.system.name', 'microsoft.sql_server']], true)).toBe(true);
      expect(kept(`${scope}.http.status_code`, 500, [['http.response.status_code', 500n]])).toBe(true);
      const own: Attributes = [
        ['db.system', 'mysql'],
        ['db.system.name', 'microsoft.sql_server'],
      ];
      expect(kept(`${scope}.db.system`, 'mssql', own)).toBe(false);
    },
  );

  test('reads values under another name as a dimension does, whatever their type', () => {
    const grpc: Attributes = [['rpc.grpc.status_code', 0n]];
    expect(kept('span.rpc.response.status_code', 'OK', grpc)).toBe(true);
    expect(kept('span.rpc.response.status_code', '^O.$', grpc, true)).toBe(true);
    expect(kept('span.rpc.grpc.status_code', 5, [['rpc.response.status_code', 'NOT_FOUND']])).toBe(true);
    expect(kept('span.network.transport', 'tcp', [['net.transport', 'tcp']])).toBe(true);
    expect(kept('span.network.transport', 'tcp', [['net.transport', 'ip_tcp']])).toBe(true);
    expect(kept('span.network.transport', 'ip_tcp', [['net.transport', 'ip_tcp']])).toBe(false);
  });
});

describe('the configuration', () => {
  const settings = (text: string) => resolveTenant(loadConfig({ text }).config, 'anybody');

  test('is off unless it is switched on', () => {
    expect(settings('').semconvAliases).toBe(false);
    expect(settings('semconv: {aliases: on}').semconvAliases).toBe(true);
    expect(settings('semconv: {aliases: true}').semconvAliases).toBe(true);
    expect(settings('semconv: {aliases: off}').semconvAliases).toBe(false);
  });

  test('takes nothing else', () => {
    let refused: ConfigError | undefined;
    try {
      settings('semconv: {aliases: maybe}');
    } catch (error) {
      refused = error as ConfigError;
    }
    expect(refused?.message).toMatch(/semconv\.aliases.*one of on, off, not "maybe"/);
  });
});
