import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, reloadTenants, resolveTenant } from '../../src/config/index.ts';

const MAIN = `metrics_generator:
  metrics_ingestion_time_range_slack: 20s
  processor:
    span_metrics:
      dimensions: [static]
      intrinsic_dimensions: {status_message: true}
    service_graphs: {enable_client_server_prefix: true}
overrides:
  merge: MERGE
  per_tenant_override_config: tenants.yaml
  defaults:
    metrics_generator:
      processors: [span-metrics]
      max_active_series: 100
      collection_interval: 30s
      native_histogram_bucket_factor: 1.5
      remote_write_headers: {X-A: a, X-B: b}
      processor: {span_metrics: {dimensions: [default], intrinsic_dimensions: {service: false}}}
`;
const TENANTS = `overrides:
  own:
    metrics_generator:
      max_active_series: 0
      ingestion_time_range_slack: 0
      remote_write_headers: {X-B: mine}
      processor:
        span_metrics: {intrinsic_dimensions: {span_name: false}, dimensions: []}
        service_graphs: {enable_client_server_prefix: false}
  flat:
    metrics_generator_processors: [host-info]
  "*":
    metrics_generator: {processors: [service-graphs]}
  empty:
`;

const load = (merge: string, tenants = TENANTS) =>
  loadConfig({ text: MAIN.replace('MERGE', merge), fileName: 'main.yaml', readFile: () => tenants });

describe('a tenant, with blocks merged over the defaults', () => {
  const { config, notes } = load('deep');

  it('keeps what its block does not say; lists are replaced, maps merged', () => {
    const own = resolveTenant(config, 'own');
    expect(own.processors).toEqual(['span-metrics']);
    expect(own.collectionIntervalMs).toBe(30_000);
    expect(own.maxActiveSeries).toBe(0);
    expect(own.slackMs).toBe(20_000);
    expect(own.nativeBucketFactor).toBe(1.5);
    expect(own.remoteWriteHeaders).toEqual({ 'X-A': 'a', 'X-B': 'mine' });
    expect(own.spanMetrics.dimensions).toEqual([]);
    expect(own.spanMetrics.intrinsicDimensions).toEqual({
      service: false,
      spanName: false,
      spanKind: true,
      statusCode: true,
      statusMessage: true,
    });
    expect(own.serviceGraphs.enableClientServerPrefix).toBe(false);
  });

  it('takes 0 for "not set" where 0 can mean nothing', () => {
    const { config: zeros } = load(
      'deep',
      'overrides: {own: {metrics_generator: {native_histogram_max_bucket_number: 0, collection_interval: 0}}}',
    );
    expect(resolveTenant(zeros, 'own').nativeMaxBuckets).toBe(100);
    expect(resolveTenant(zeros, 'own').collectionIntervalMs).toBe(15_000);
  });

  it('may be of the flat shape', () => {
    expect(resolveTenant(config, 'flat').processors).toEqual(['host-info']);
  });

  it('without a block, or with an empty one, has the block *', () => {
    expect(resolveTenant(config, 'anybody').processors).toEqual(['service-graphs']);
    expect(resolveTenant(config, 'empty').processors).toEqual(['service-graphs']);
    expect(resolveTenant(config, 'constructor').spanMetrics.dimensions).toEqual(['default']);
  });

  it('is told which values the defaults supplied', () => {
    const note = notes.find((line) => line.startsWith('tenants.yaml:2:3: overrides.own: takes'));
    expect(note).toContain('metrics_generator.processors');
    expect(note).toContain('metrics_generator.collection_interval');
    expect(note).not.toContain('max_active_series');
  });

  it('gets settings of its own: changing them changes nobody else', () => {
    resolveTenant(config, 'own').spanMetrics.histogramBuckets.push(1);
    expect(resolveTenant(config, 'own').spanMetrics.histogramBuckets).toHaveLength(14);
  });
});

describe("a tenant, with blocks in the defaults' place", () => {
  const { config } = load('replace');

  it('loses every default but those of native histograms', () => {
    const own = resolveTenant(config, 'own');
    expect(own.processors).toEqual([]);
    expect(own.collectionIntervalMs).toBe(15_000);
    expect(own.nativeBucketFactor).toBe(1.5);
    expect(own.remoteWriteHeaders).toEqual({ 'X-B': 'mine' });
    expect(own.spanMetrics.dimensions).toEqual([]);
    expect(own.spanMetrics.intrinsicDimensions).toMatchObject({ service: true, spanName: false, statusMessage: true });
  });

  it("can't undo a static prefix", () => {
    expect(resolveTenant(config, 'own').serviceGraphs.enableClientServerPrefix).toBe(true);
  });

  it('has the static dimensions where its block names none', () => {
    expect(resolveTenant(config, 'flat').spanMetrics.dimensions).toEqual(['static']);
  });
});

describe('processors', () => {
  it('are span-metrics and service-graphs where no file names any', () => {
    expect(resolveTenant(loadConfig().config, 'a').processors).toEqual(['span-metrics', 'service-graphs']);
  });

  it('are none where the list is empty', () => {
    const { config } = loadConfig({ text: 'overrides: {defaults: {metrics_generator: {processors: []}}}' });
    expect(resolveTenant(config, 'a').processors).toEqual([]);
  });

  it('skip local-blocks, and say so', () => {
    const { config, notes } = loadConfig({
      text: 'overrides: {defaults: {metrics_generator: {processors: [local-blocks, host-info]}}}',
    });
    expect(resolveTenant(config, 'a').processors).toEqual(['host-info']);
    expect(notes).toEqual([expect.stringMatching(/:1:57: .*local-blocks is ignored/)]);
  });
});

describe('the per-tenant file', () => {
  it('is checked with the main file, and both are told', () => {
    const text = 'nonsense: 1\noverrides: {per_tenant_override_config: t.yaml}\n';
    const readFile = () => 'overrides:\n  a:\n    metrics_generator: {max_active_serie: 1}\n  "a b": {}\n';
    let problems: string[] = [];
    try {
      loadConfig({ text, fileName: 'main.yaml', readFile });
    } catch (error) {
      problems = (error as ConfigError).message.split('\n');
    }
    expect(problems).toEqual([
      expect.stringMatching(/^main\.yaml:1:1: nonsense/),
      expect.stringMatching(
        /^t\.yaml:3:25: overrides\.a\.metrics_generator\.max_active_serie: .*did you mean "max_active_series"\?/,
      ),
      expect.stringMatching(/^t\.yaml:4:10: overrides\["a b"\]: a tenant's name/),
    ]);
  });

  it('that is missing is a problem of the key that names it', () => {
    const readFile = () => {
      throw new Error('no such file');
    };
    expect(() =>
      loadConfig({ text: 'overrides: {per_tenant_override_config: t.yaml}', fileName: 'm', readFile }),
    ).toThrow("m:1:41: overrides.per_tenant_override_config: t.yaml can't be read: no such file");
  });

  it('can bring about a clash of labels, which is told at the tenant', () => {
    const tenants = `overrides:
  a:
    metrics_generator:
      processor:
        span_metrics:
          dimension_mappings: [{name: de.fault, source_labels: [x]}, {name: def_ault, source_labels: [x]}]
  b: {metrics_generator: {processor: {span_metrics: {dimensions: [de_fault], dimension_mappings: [{name: de.fault, source_labels: [x]}]}}}}
`;
    expect(() => load('deep', tenants)).toThrow(
      /^tenants\.yaml:7:\d+: overrides\.b\.metrics_generator\.processor\.span_metrics\.dimension_mappings\[0\]: the label "de_fault"[^\n]*$/,
    );
  });

  it('is read again without the main file; a broken one is refused and changes nothing', () => {
    const { config } = load('deep');
    const next = reloadTenants(config, {
      readFile: () => 'overrides: {own: {metrics_generator: {max_active_series: 5}}}',
    }).config;
    expect(resolveTenant(next, 'own').maxActiveSeries).toBe(5);
    expect(resolveTenant(config, 'own').maxActiveSeries).toBe(0);
    expect(() => reloadTenants(config, { readFile: () => 'overrides: {own: {x: 1}}' })).toThrow(ConfigError);
    expect(() => reloadTenants(config, { readFile: () => 'overrides: [' })).toThrow(ConfigError);
  });
});
