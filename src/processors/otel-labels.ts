// The labels of the collector's span metrics, compiled to one source per label name. Attributes whose names become the same label
// are joined by `;` in the order of their names.

import { type OtelDimension, type OtelGlob, otelLabelName, type TenantSettings } from '../config/index.ts';

/** What is there without being named. */
type PlainKind =
  | 'service'
  | 'span_name'
  | 'span_kind'
  | 'status_code'
  | 'status_message'
  | 'otel_status_code'
  | 'sampling'
  | 'overflow';

/** `attribute`: the name that the value has before it is a label's; empty where there are several. */
export type OtelSource = { attribute: string } & (
  | { kind: PlainKind }
  | { kind: 'dimension'; default: string | null; isResourceFirst: boolean }
  | { kind: 'mapping'; keys: string[]; join: string }
  | { kind: 'joined'; sources: OtelSource[] }
  /** Wins only if it is not empty. */
  | { kind: 'job' | 'instance'; otherwise: OtelSource | undefined }
);

/** The metric's own dimensions, beside those of all metrics. */
export interface OwnDimensions {
  named: readonly OtelDimension[];
  globs: readonly OtelGlob[];
}

export interface OtelLabels {
  /** Sorted. */
  names: string[];
  sources: OtelSource[];
  /** Labels of which only the spans know the names: of these attributes … */
  globs: OtelGlob[];
  /** … and of all of the resource's but for these; undefined: of none. */
  resourceExcept: readonly string[] | undefined;
  /** Scopes whose spans have the labels `SCOPE_LABELS`. */
  scopes: readonly string[];
}

export const JOB = 'job';
export const INSTANCE = 'instance';
export const OVERFLOW = 'otel_metric_overflow';
export const SCOPE_LABELS = ['span_instrumentation_scope_name', 'span_instrumentation_scope_version'];

/** Which resource attributes tell series apart, beside the service's name. */
export function identityOf({ otel, spanMetrics }: TenantSettings): { namespace: boolean; instance: boolean } {
  const keys = otel.spanMetrics.keyAttributes;
  const has = (key: string) => keys.length === 0 || keys.includes(key);
  return {
    namespace: has('service.namespace'),
    instance: otel.resourceLabels && spanMetrics.enableInstanceLabel && has('service.instance.id'),
  };
}

/** Tempo's dimensions are the collector's too. */
export function commonDimensions({ otel, spanMetrics }: TenantSettings): OtelDimension[] {
  const named = new Set(otel.spanMetrics.dimensions.map(({ name }) => name));
  const others = spanMetrics.dimensions.filter((name) => !named.has(name));
  return [...otel.spanMetrics.dimensions, ...others.map((name) => ({ name, default: null }))];
}

/** Names of the scopes whose spans have labels of them. An empty name is a missing one. */
export function scopesOf({ otel }: TenantSettings): string[] {
  return (otel.spanMetrics.scopes ?? []).filter((name) => name !== '');
}

/** The label of an attribute. */
export function labelOf(attribute: string, { maxLabelNameLength }: TenantSettings): string {
  const full = otelLabelName(attribute);
  return maxLabelNameLength > 0 ? full.slice(0, maxLabelNameLength) : full;
}

/** @param own dimensions of the one metric */
export function compileOtelLabels(settings: TenantSettings, own: OwnDimensions): OtelLabels {
  const { otel } = settings;
  const { globs, resourceAttributes } = otel.spanMetrics;
  const scopes = scopesOf(settings);
  const attributes = attributesOf(settings, [...commonDimensions(settings), ...own.named]);
  const byLabel = new Map<string, OtelSource[]>();
  for (const [key, source] of [...attributes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const label = labelOf(key, settings);
    byLabel.set(label, [...(byLabel.get(label) ?? []), source]);
  }
  if (scopes.length > 0) for (const label of SCOPE_LABELS) byLabel.delete(label);
  const labels = new Map<string, OtelSource>();
  for (const [label, sources] of byLabel) {
    labels.set(label, sources.length === 1 ? sources[0]! : { kind: 'joined', attribute: '', sources });
  }
  if (otel.resourceLabels) labels.set(JOB, { kind: 'job', attribute: '', otherwise: labels.get(JOB) });
  if (identityOf(settings).instance)
    labels.set(INSTANCE, { kind: 'instance', attribute: '', otherwise: labels.get(INSTANCE) });
  if (otel.spanMetrics.cardinalityLimit > 0) labels.set(OVERFLOW, { kind: 'overflow', attribute: '' });
  const names = [...labels.keys()].sort();
  return {
    names,
    sources: names.map((name) => labels.get(name)!),
    globs: [...(globs?.common ?? []), ...own.globs],
    resourceExcept: resourceAttributes?.except,
    scopes,
  };
}

/** Name → where the value comes from; of two with one name the later counts. */
function attributesOf({ otel, spanMetrics }: TenantSettings, named: readonly OtelDimension[]): Map<string, OtelSource> {
  const { intrinsicDimensions: on } = spanMetrics;
  const { excludeDimensions, resourceAttributes } = otel.spanMetrics;
  const attributes = new Map<string, OtelSource>();
  const excluded = new Set(excludeDimensions);
  const set = (isOn: boolean, attribute: string, kind: PlainKind) => {
    if (isOn && !excluded.has(attribute)) attributes.set(attribute, { kind, attribute });
  };
  set(on.service, 'service.name', 'service');
  set(on.spanName, 'span.name', 'span_name');
  set(on.spanKind, 'span.kind', 'span_kind');
  if (!otel.otelStatusCode) set(on.statusCode, 'status.code', 'status_code');
  // The built-in name excludes it too.
  else if (!excluded.has('status.code')) set(on.statusCode, 'otel.status_code', 'otel_status_code');
  set(on.statusMessage, 'status.message', 'status_message');
  set(otel.spanMetrics.samplingMethod, 'sampling.method', 'sampling');
  for (const { name, default: value } of named) {
    // The exporter puts the resource's attributes over the span's.
    const isResourceFirst = resourceAttributes?.except.includes(name) === false;
    attributes.set(name, { kind: 'dimension', attribute: name, default: value, isResourceFirst });
  }
  for (const { name, sourceLabels, join } of spanMetrics.dimensionMappings) {
    attributes.set(name, { kind: 'mapping', attribute: name, keys: sourceLabels, join });
  }
  return attributes;
}
