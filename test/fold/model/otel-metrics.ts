// The collector's span metrics: calls and durations of spans, events of spans, and `target_info`.

import type { OtelDimension, TenantSettings } from '../../../src/config/index.ts';
import { counter, gauge, histogram, type Metric, observe, type State } from './metrics.ts';
import {
  isOverflow,
  joined,
  namespaceAndInstance,
  otelIdentity,
  otelLabelNames,
  otelLabels,
  overflowLabels,
  type Places,
} from './otel-labels.ts';
import { instanceLabel, otelMetric, otelText, SPAN_SCOPE } from './otel-names.ts';
import type { Registry, Table } from './registry.ts';
import type { Attributes, Span } from './request.ts';
import { isOn, nativeLayout, plainTable } from './tables.ts';
import { compact, type Labels, type Pair } from './text.ts';
import { weightOf } from './weights.ts';

export const OTEL_INFO = 'target_info';
const FINEST_SCHEMA = 8;

/** A table with the dimensions that it alone has. */
export interface OtelTable {
  table: Table;
  own: readonly OtelDimension[];
}

/** Calls and durations are one table where they have the same labels. */
export function otelTables(tenant: string, settings: TenantSettings): OtelTable[] {
  const { callsDimensions, durationDimensions } = settings.otel.spanMetrics;
  const calls = isOn(settings, 'span-metrics', 'span-metrics-count')
    ? [counter(otelMetric(settings.otel, 'calls'))]
    : [];
  const durations = isOn(settings, 'span-metrics', 'span-metrics-latency') ? durationMetric(settings) : [];
  const make = (name: string, own: readonly OtelDimension[], metrics: Metric[]): OtelTable[] =>
    metrics.length === 0
      ? []
      : [{ table: otelTable(tenant, settings, name, metrics, otelLabelNames(settings, own)), own }];
  const isSame = sorted(callsDimensions) === sorted(durationDimensions);
  if (isSame) return make('span-metrics', callsDimensions, [...calls, ...durations]);
  return [
    ...make('span-metrics', callsDimensions, calls),
    ...make('span-metrics-duration', durationDimensions, durations),
  ];
}

export function otelEventsTable(tenant: string, settings: TenantSettings): OtelTable | undefined {
  const own = settings.otel.spanMetrics.eventsDimensions;
  if (own === null || !isOn(settings, 'span-metrics', 'span-metrics-count')) return undefined;
  const metrics = [counter(otelMetric(settings.otel, 'events'))];
  return { table: otelTable(tenant, settings, 'span-metrics-events', metrics, otelLabelNames(settings, own)), own };
}

export function otelInfoTable(tenant: string, settings: TenantSettings): Table | undefined {
  if (!settings.otel.resourceLabels) return undefined;
  const table = plainTable(tenant, settings, 'target-info', [gauge(OTEL_INFO)], undefined);
  return { ...table, instanceLabels: [instanceLabel(settings)] };
}

function sorted(dimensions: readonly OtelDimension[]): string {
  return JSON.stringify([...new Set(dimensions.map((one) => JSON.stringify([one.name, one.default])))].sort());
}

function otelTable(tenant: string, settings: TenantSettings, name: string, metrics: Metric[], names: string[]): Table {
  const table = plainTable(tenant, settings, name, metrics, names);
  return {
    ...table,
    constantLabels: [{ ...table.constantLabels[0], ...SPAN_SCOPE }],
    instanceLabels: [instanceLabel(settings)],
  };
}

function durationMetric(settings: TenantSettings): Metric[] {
  const { histogram: kind, buckets, maxSize } = settings.otel.spanMetrics;
  const name = otelMetric(settings.otel, 'duration');
  if (kind === 'off') return [];
  const exponential = { schema: FINEST_SCHEMA, maxBuckets: maxSize, minResetMs: 0 };
  const metric =
    kind === 'exponential'
      ? histogram(name, [], exponential, false)
      : histogram(name, buckets, nativeLayout(settings), settings.histogramMode !== 'native');
  // Exemplars are left to the tests of this naming.
  return [{ ...metric, voices: metric.voices.map((voice) => ({ ...voice, hasExemplars: false })) }];
}

/** What a span counts, in the unit of durations. */
export function otelChanges(
  settings: TenantSettings,
  { metrics }: Table,
  resource: Attributes,
  span: Span,
  nowMs: number,
): [metric: string, change: (state: State) => void][] {
  const weight = otelWeight(settings, resource, span);
  const perUnit = settings.otel.spanMetrics.unit === 'ms' ? 1e6 : 1e9;
  const value = span.endNs > span.startNs ? Number(span.endNs - span.startNs) / perUnit : 0;
  return metrics.map(({ name, kind }) => [
    name,
    (state) => {
      if (kind === 'histogram') observe(state, { value, weight, trace: span.trace, nowMs });
      else state.value += weight;
    },
  ]);
}

/** The tracestate weighs a span here whatever the settings. */
export function otelWeight({ spanMetrics }: TenantSettings, resource: Attributes, span: Span): number {
  return weightOf({ ...spanMetrics, enableTracestateSpanMultiplier: true }, resource, span);
}

/** The label set to count under: that of the span, or where its job and instance have too many, that of the overflow. */
export function limited(
  settings: TenantSettings,
  registry: Registry,
  { table, own }: OtelTable,
  resource: Attributes,
  span: Span,
  places: Places = [span.attributes, resource],
): Labels {
  const labels = otelLabels(settings, own, resource, span, places);
  const { cardinalityLimit } = settings.otel.spanMetrics;
  if (cardinalityLimit === 0) return labels;
  const rows = registry.labelSets(table.name);
  if (rows.some((row) => isSame(row, labels))) return labels;
  // Only where they are the resource's: a dimension of that name tells no groups apart.
  const { hasInstance } = namespaceAndInstance(settings);
  const names = [...(settings.otel.resourceLabels ? ['job'] : []), ...(hasInstance ? ['instance'] : [])];
  const group = (row: Labels) => names.map((name): Pair => [name, row.get(name) ?? '']);
  const others = rows.filter((row) => !isOverflow(row) && isSame(group(row), group(labels)));
  return others.length < cardinalityLimit ? labels : overflowLabels(settings, group(labels));
}

function isSame(a: Iterable<Pair>, b: Iterable<Pair>): boolean {
  return JSON.stringify([...a]) === JSON.stringify([...b]);
}

/** Undefined: there is nothing to tell, or nobody to tell it of. */
export function otelInfoLabels(settings: TenantSettings, resource: Attributes): Labels | undefined {
  const identity = ['service.name', 'service.namespace', 'service.instance.id'];
  const left = [...identity, ...settings.spanMetrics.targetInfoExcludedDimensions, ''];
  const attributes = resource
    .filter(([key]) => !left.includes(key))
    .map(([key, value]): [string, string] => [key, otelText(value)]);
  const pairs = joined({ ...settings, maxLabelNameLength: 0 }, attributes);
  const whose = otelIdentity(settings, resource);
  if (whose.length === 0 || compact(pairs, settings).size === 0) return undefined;
  return compact([...pairs, ...whose], settings);
}
