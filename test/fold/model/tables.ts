// Which tables a tenant's settings ask for: their metrics, their label names, the labels that all their series have.

import type { TenantSettings } from '../../../src/config/index.ts';
import { counter, gauge, histogram, type Metric } from './metrics.ts';
import { type NativeLayout, schemaOf } from './native.ts';
import { COLLECTOR_INSTANCE, otelMetric, otelName, SPAN_SCOPE } from './otel-names.ts';
import type { Table } from './registry.ts';
import { cut, dimensionName } from './text.ts';

export const INSTANCE_LABEL = '__metrics_gen_instance';

/** Is any of these among the processors that are on? */
export function isOn(settings: TenantSettings, ...names: string[]): boolean {
  return settings.processors.some((name) => names.includes(name));
}

export function nativeLayout(settings: TenantSettings): NativeLayout | undefined {
  if (settings.histogramMode === 'classic') return undefined;
  const { nativeBucketFactor, nativeMaxBuckets: maxBuckets, nativeMinResetMs: minResetMs } = settings;
  return { schema: schemaOf(nativeBucketFactor), maxBuckets, minResetMs };
}

export function latency(settings: TenantSettings, name: string, bounds: readonly number[]): Metric {
  return histogram(name, bounds, nativeLayout(settings), settings.histogramMode !== 'native');
}

export function constantLabels(tenant: string, settings: TenantSettings): Record<string, string> {
  const { externalLabels, injectTenantIdAs } = settings;
  return { ...externalLabels, ...(injectTenantIdAs !== '' && { [injectTenantIdAs]: tenant }) };
}

export function plainTable(
  tenant: string,
  settings: TenantSettings,
  name: string,
  metrics: Metric[],
  labelNames: string[] | undefined,
): Table {
  const names = labelNames?.map((label) => cut(label, settings.maxLabelNameLength));
  return {
    name,
    metrics,
    labelNames: names && [...new Set(names)].sort(),
    constantLabels: [constantLabels(tenant, settings)],
    instanceLabels: [INSTANCE_LABEL],
    spelling: [(label) => label],
    exemplarLabel: settings.traceIdLabelName,
  };
}

/** With a second set of names: labels are spelt otherwise there, and some metrics have none. */
function withSecond(
  tenant: string,
  settings: TenantSettings,
  table: Table,
  spellings: readonly [label: string, second: string][],
): Table {
  const { spanMetrics: otel } = settings.otel;
  const perSecond = otel.unit === 'ms' ? 1000 : 1;
  const metrics = table.metrics.map((metric): Metric => {
    const name = metric.name === CALLS ? 'calls' : metric.name === LATENCY ? 'duration' : undefined;
    if (name === undefined) return metric;
    const second = {
      name: otelMetric(settings.otel, name),
      bounds: otel.buckets,
      factor: perSecond,
      hasExemplars: false,
    };
    const bounds = metric.classic ? second.bounds : [];
    return { ...metric, voices: [...metric.voices, { ...second, bounds, factor: name === 'calls' ? 1 : perSecond }] };
  });
  const spell = new Map(spellings.map(([label, other]) => [cut(label, settings.maxLabelNameLength), other]));
  return {
    ...table,
    metrics,
    constantLabels: [...table.constantLabels, { ...constantLabels(tenant, settings), ...SPAN_SCOPE }],
    instanceLabels: [...table.instanceLabels, COLLECTOR_INSTANCE],
    spelling: [...table.spelling, (label) => spell.get(label) ?? label],
  };
}

export const CALLS = 'traces_spanmetrics_calls_total';
export const LATENCY = 'traces_spanmetrics_latency';
export const SIZE = 'traces_spanmetrics_size_total';

export function spanMetricsTable(tenant: string, settings: TenantSettings): Table | undefined {
  const { spanMetrics } = settings;
  const metrics = [
    ...(isOn(settings, 'span-metrics', 'span-metrics-count') ? [counter(CALLS)] : []),
    ...(isOn(settings, 'span-metrics', 'span-metrics-latency')
      ? [latency(settings, LATENCY, spanMetrics.histogramBuckets)]
      : []),
    ...(isOn(settings, 'span-metrics', 'span-metrics-size') ? [counter(SIZE)] : []),
  ];
  const { intrinsicDimensions: on } = spanMetrics;
  const names = [
    ...(on.service ? ['service'] : []),
    ...(on.spanName ? ['span_name'] : []),
    ...(on.spanKind ? ['span_kind'] : []),
    ...(on.statusCode ? ['status_code'] : []),
    ...(on.statusMessage ? ['status_message'] : []),
    ...spanMetrics.dimensions.map(dimensionName),
    ...spanMetrics.dimensionMappings.map(({ name }) => dimensionName(name)),
    ...(spanMetrics.enableTargetInfo ? ['job'] : []),
    ...(spanMetrics.enableTargetInfo && spanMetrics.enableInstanceLabel ? ['instance'] : []),
  ];
  if (metrics.length === 0) return undefined;
  const table = plainTable(tenant, settings, 'span-metrics', metrics, names);
  if (settings.naming !== 'both') return table;
  return withSecond(tenant, settings, table, [
    ['service', 'service_name'],
    ...spanMetrics.dimensions.map((key): [string, string] => [dimensionName(key), otelName(key)]),
    ...spanMetrics.dimensionMappings.map(({ name }): [string, string] => [dimensionName(name), otelName(name)]),
  ]);
}

export const TARGET_INFO = 'traces_target_info';

export function targetInfoTable(tenant: string, settings: TenantSettings): Table {
  const table = plainTable(tenant, settings, 'target-info', [gauge(TARGET_INFO)], undefined);
  if (settings.naming !== 'both') return table;
  return {
    ...table,
    metrics: table.metrics.map((metric) => ({
      ...metric,
      voices: [...metric.voices, { ...metric.voices[0]!, name: 'target_info' }],
    })),
    constantLabels: [...table.constantLabels, constantLabels(tenant, settings)],
    instanceLabels: [...table.instanceLabels, COLLECTOR_INSTANCE],
    spelling: [...table.spelling, (label) => label],
  };
}

export function hostInfoTable(tenant: string, settings: TenantSettings): Table | undefined {
  if (!isOn(settings, 'host-info')) return undefined;
  return plainTable(
    tenant,
    settings,
    'host-info',
    [gauge(settings.hostInfo.metricName)],
    ['grafana_host_id', 'host_source'],
  );
}
