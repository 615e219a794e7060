// `metrics_generator.naming` and the collector's block: a key that would do nothing is an error, never passed over.

import { describe, expect, it } from 'vitest';
import { ConfigError, describeEffective, loadConfig, otelLabelName, resolveTenant } from '../../src/config/index.ts';

const text = (generator: object, more: object = {}) =>
  JSON.stringify({ metrics_generator: generator, ...more }, null, 1);

function problemsOf(generator: object, more: object = {}): string[] {
  try {
    loadConfig({ text: text(generator, more) });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

const spans = (spanMetrics: object, naming = 'otel') => ({ naming, otel: { span_metrics: spanMetrics } });
const OTEL = 'metrics_generator.otel';

describe('naming', () => {
  it('is Tempo’s unless another is asked for', () => {
    expect(resolveTenant(loadConfig({ text: '' }).config, 't').naming).toBe('tempo');
  });

  it.each<[what: string, generator: object, path: string]>([
    ['the collector’s block under Tempo’s names', spans({ namespace: 'x' }, 'tempo'), OTEL],
    [
      'dimensions of the collector with both',
      spans({ dimensions: [{ name: 'a' }] }, 'both'),
      `${OTEL}.span_metrics.dimensions`,
    ],
    [
      'Tempo’s namespace for both',
      spans({ namespace: 'traces.spanmetrics' }, 'both'),
      `${OTEL}.span_metrics.namespace`,
    ],
    [
      'events with both',
      spans({ events: { enabled: true, dimensions: [{ name: 'a' }] } }, 'both'),
      `${OTEL}.span_metrics.events`,
    ],
    [
      'exponential histograms with both',
      spans({ histogram: { exponential: {} } }, 'both'),
      `${OTEL}.span_metrics.histogram.exponential`,
    ],
    [
      'a service graph of the collector with both',
      { naming: 'both', otel: { service_graph: { dimensions: ['a'] } } },
      `${OTEL}.service_graph`,
    ],
    [
      'Tempo’s buckets under the collector’s names',
      { naming: 'otel', processor: { span_metrics: { histogram_buckets: [1] } } },
      'metrics_generator.processor.span_metrics.histogram_buckets',
    ],
    [
      'Tempo’s wait under the collector’s names',
      { naming: 'otel', processor: { service_graphs: { wait: '1s' } } },
      'metrics_generator.processor.service_graphs.wait',
    ],
    [
      'both forms of histograms',
      spans({ histogram: { exponential: {}, explicit: { buckets: ['1ms'] } } }),
      `${OTEL}.span_metrics.histogram`,
    ],
    [
      'buckets that do not increase',
      spans({ histogram: { explicit: { buckets: ['2ms', '1ms'] } } }),
      `${OTEL}.span_metrics.histogram.explicit.buckets[1]`,
    ],
    [
      'a dimension that is there anyway',
      spans({ dimensions: [{ name: 'span.name' }] }),
      `${OTEL}.span_metrics.dimensions[0].name`,
    ],
    [
      'a dimension twice',
      spans({ calls_dimensions: [{ name: 'a' }, { name: 'a' }] }),
      `${OTEL}.span_metrics.calls_dimensions[1].name`,
    ],
    [
      'a dimension that would be the label of buckets',
      spans({ dimensions: [{ name: 'le' }] }),
      `${OTEL}.span_metrics.dimensions[0].name`,
    ],
    ['events without a dimension', spans({ events: { enabled: true } }), `${OTEL}.span_metrics.events.dimensions`],
    [
      'delta samples',
      spans({ aggregation_temporality: 'AGGREGATION_TEMPORALITY_DELTA' }),
      `${OTEL}.span_metrics.aggregation_temporality`,
    ],
    ['a flush interval', spans({ metrics_flush_interval: '15s' }), `${OTEL}.span_metrics.metrics_flush_interval`],
    [
      'instrumentation scopes with both names',
      spans({ include_instrumentation_scope: ['a'] }, 'both'),
      `${OTEL}.span_metrics.include_instrumentation_scope`,
    ],
    [
      'the resource’s attributes as labels with both names',
      { naming: 'both', otel: { resource_to_telemetry_conversion: { enabled: true } } },
      `${OTEL}.resource_to_telemetry_conversion`,
    ],
    [
      'a number of exemplars with both names',
      spans({ exemplars: { enabled: true, max_per_data_point: 2 } }, 'both'),
      `${OTEL}.span_metrics.exemplars`,
    ],
  ])('refuses %s', (_, generator, path) => {
    expect(problemsOf(generator).map((line) => line.split(': ')[0])).toContain(path);
  });

  it('lets series go without the instance’s label only where there is one shard', () => {
    const without = spans({ exclude_dimensions: ['collector.instance.id'] });
    expect(problemsOf(without, { shards: { count: 1 } })).toEqual([]);
    expect(problemsOf(without, { shards: { count: 2 } })[0]).toContain('2 shards would write the same series');
  });

  it('with both has native histograms in seconds only', () => {
    const native = { overrides: { defaults: { metrics_generator: { generate_native_histograms: 'both' } } } };
    expect(problemsOf(spans({}, 'both'), native)[0]).toContain('histogram.unit s');
    expect(problemsOf(spans({ histogram: { unit: 's' } }, 'both'), native)).toEqual([]);
  });

  it('of the collector has no sizes, which is said once for all tenants that share the block', () => {
    const shared = { overrides: { defaults: { metrics_generator: { processors: ['span-metrics-size'] } } } };
    expect(problemsOf(spans({}), shared)).toEqual([
      'overrides.defaults.metrics_generator.processors: with `naming: otel` there is no span-metrics-size',
    ]);
    const own = {
      path: 'c.yaml',
      readFile: (path: string) =>
        path === 'c.yaml'
          ? text(spans({}), { overrides: { per_tenant_override_config: 't.yaml' } })
          : 'overrides:\n  a: {metrics_generator: {processors: [span-metrics]}}\n  b: {metrics_generator: {processors: [span-metrics-size]}}\n',
    };
    expect(() => loadConfig(own)).toThrow('t.yaml:3:39: overrides.b.metrics_generator.processors');
  });

  it.each(['tempo', 'otel', 'both'])('%s can be loaded again from the effective configuration', (naming) => {
    const { config } = loadConfig({ text: text({ naming }) });
    const again = loadConfig({ text: JSON.stringify(describeEffective(config)) });
    expect(resolveTenant(again.config, 't')).toEqual(resolveTenant(config, 't'));
  });

  it('gives the collector’s defaults, and a tenant’s own buckets in the unit', () => {
    const own = { processor: { span_metrics: { histogram_buckets: [0.0014, 1] } } };
    const settings = (generator: object, tenant: object = {}) =>
      resolveTenant(
        loadConfig({ text: text(generator, { overrides: { defaults: { metrics_generator: tenant } } }) }).config,
        't',
      );
    const { otel, serviceGraphs, traceIdLabelName } = settings({ naming: 'otel' });
    expect(otel.spanMetrics.buckets).toEqual([
      2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1e3, 1.4e3, 2e3, 5e3, 1e4, 1.5e4,
    ]);
    expect(serviceGraphs).toMatchObject({ waitMs: 2_000, maxItems: 1_000, enableClientServerPrefix: true });
    expect(serviceGraphs.histogramBuckets).toHaveLength(16);
    expect(traceIdLabelName).toBe('trace_id');
    expect(settings(spans({ histogram: { unit: 's' } })).otel.spanMetrics.buckets.slice(0, 3)).toEqual([
      0.002, 0.004, 0.006,
    ]);
    expect(settings({ naming: 'otel' }, own).otel.spanMetrics.buckets).toEqual([1.4, 1000]);
  });
});

it.each([
  ['http.method', 'http_method'],
  ['a..b', 'a_b'],
  ['a__b', 'a_b'],
  ['_lead', 'key_lead'],
  ['__dunder', 'key_dunder'],
  ['0digit', 'key_0digit'],
  ['kéy', 'k_y'],
])('the collector’s label of %s is %s', (name, label) => {
  expect(otelLabelName(name)).toBe(label);
});
