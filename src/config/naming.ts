// What goes with which naming: a key that would do nothing under the tenant's naming is an error, never passed over.

import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.ts';
import { filled } from './describe.ts';
import { otelLabelName } from './label-name.ts';
import type { Path } from './problem.ts';
import { configFile } from './schema/file.ts';
import type { TenantSettings } from './tenant.ts';
import type { YamlSource } from './yaml-source.ts';

const GENERATOR: Path = ['metrics_generator'];
const SPAN_METRICS: Path = [...GENERATOR, 'processor', 'span_metrics'];
const SERVICE_GRAPHS: Path = [...GENERATOR, 'processor', 'service_graphs'];
const OTEL: Path = [...GENERATOR, 'otel'];
const OTEL_SPANS: Path = [...OTEL, 'span_metrics'];

/** Tempo's keys that the collector's names replace, and by what. */
const REPLACED: readonly [path: Path, by: string][] = [
  [[...SPAN_METRICS, 'histogram_buckets'], 'span_metrics.histogram.explicit.buckets'],
  [[...SERVICE_GRAPHS, 'wait'], 'service_graph.store.ttl'],
  [[...SERVICE_GRAPHS, 'max_items'], 'service_graph.store.max_items'],
  [[...SERVICE_GRAPHS, 'histogram_buckets'], 'service_graph.latency_histogram_buckets'],
  [[...SERVICE_GRAPHS, 'dimensions'], 'service_graph.dimensions'],
  [[...SERVICE_GRAPHS, 'peer_attributes'], 'service_graph.virtual_node_peer_attributes'],
  [[...SERVICE_GRAPHS, 'database_name_attributes'], 'service_graph.database_name_attributes'],
  [[...SERVICE_GRAPHS, 'enable_virtual_node_label'], 'service_graph.virtual_node_extra_label'],
];
/** With both names there is one row: its labels and counts are those of Tempo's keys. */
const NOT_WITH_BOTH: readonly Path[] = [
  [...OTEL, 'service_graph'],
  [...OTEL, 'feature_gates'],
  [...OTEL, 'resource_to_telemetry_conversion'],
  ...[
    'dimensions',
    'calls_dimensions',
    'exclude_dimensions',
    'exemplars',
    'events',
    'resource_metrics_key_attributes',
    'aggregation_cardinality_limit',
    'enable_metrics_sampling_method',
    'include_instrumentation_scope',
    'series_expiration',
  ].map((key): Path => [...OTEL_SPANS, key]),
  ...['disable', 'dimensions', 'exponential'].map((key): Path => [...OTEL_SPANS, 'histogram', key]),
];

/** A key that would do nothing under this naming is refused, unless it asks for what is there by default. */
export function checkNaming(config: Config, source: YamlSource): void {
  const { naming, otel } = config.generator;
  const effective = filled(configFile, config.written);
  const defaults = filled(configFile, {});
  const refuse = (path: Path, why: string) => {
    if (!source.has(path) || isDeepStrictEqual(valueAt(effective, path), valueAt(defaults, path))) return;
    source.problem(path, why, 'key');
  };
  if (naming === 'tempo') refuse(OTEL, 'needs `naming: otel` or `both`');
  if (naming === 'both')
    for (const path of NOT_WITH_BOTH) refuse(path, 'not with `naming: both`: needs `naming: otel`');
  if (naming === 'both' && otelLabelName(otel.spanMetrics.namespace) === 'traces_spanmetrics')
    source.problem([...OTEL_SPANS, 'namespace'], 'with `naming: both` calls would have one name for both');
  if (naming !== 'otel') return;
  for (const [path, by] of REPLACED) refuse(path, `with \`naming: otel\` it is metrics_generator.otel.${by}`);
  if (otel.spanMetrics.excludeDimensions.includes('collector.instance.id') && config.shards.count > 1) {
    source.problem(
      [...OTEL_SPANS, 'exclude_dimensions'],
      `${config.shards.count} shards would write the same series: keep collector.instance.id or set shards.count to 1`,
    );
  }
}

function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce((at, key) => (at as Record<string | number, unknown> | undefined)?.[key], tree);
}

/** What a tenant's overrides ask for in vain, by their key in `metrics_generator`. */
export function namingProblems(settings: TenantSettings): { key: string; message: string }[] {
  const problems: { key: string; message: string }[] = [];
  const { naming, otel, histogramMode, processors } = settings;
  if (naming === 'both' && otel.spanMetrics.unit === 'ms' && histogramMode !== 'classic') {
    const message = 'with `naming: both` native histograms need otel.span_metrics.histogram.unit s';
    problems.push({ key: 'generate_native_histograms', message });
  }
  if (naming === 'otel' && processors.includes('span-metrics-size'))
    problems.push({ key: 'processors', message: 'with `naming: otel` there is no span-metrics-size' });
  return problems;
}
