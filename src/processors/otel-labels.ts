// The labels of the collector's span metrics, compiled to one source per label name. Attributes whose names become the same label
// are joined by `;` in the order of their names.

import { type OtelDimension, otelLabelName, type TenantSettings } from '../config/index.ts';

export type OtelSource =
  | {
      kind:
        | 'service'
        | 'span_name'
        | 'span_kind'
        | 'status_code'
        | 'status_message'
        | 'otel_status_code'
        | 'sampling'
        | 'overflow';
    }
  | { kind: 'dimension'; key: string; default: string | null }
  | { kind: 'mapping'; keys: string[]; join: string }
  | { kind: 'joined'; sources: OtelSource[] }
  /** Wins only if it is not empty. */
  | { kind: 'job' | 'instance'; otherwise: OtelSource | undefined };

export interface OtelLabels {
  /** Sorted. */
  names: string[];
  sources: OtelSource[];
}

export const JOB = 'job';
export const INSTANCE = 'instance';
export const OVERFLOW = 'otel_metric_overflow';

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

/** @param own dimensions of the one metric */
export function compileOtelLabels(settings: TenantSettings, own: readonly OtelDimension[]): OtelLabels {
  const { otel, spanMetrics, maxLabelNameLength } = settings;
  const { intrinsicDimensions: on } = spanMetrics;
  const attributes = new Map<string, OtelSource>();
  const excluded = new Set(otel.spanMetrics.excludeDimensions);
  const set = (isOn: boolean, key: string, source: OtelSource) => {
    if (isOn && !excluded.has(key)) attributes.set(key, source);
  };
  set(on.service, 'service.name', { kind: 'service' });
  set(on.spanName, 'span.name', { kind: 'span_name' });
  set(on.spanKind, 'span.kind', { kind: 'span_kind' });
  if (!otel.otelStatusCode) set(on.statusCode, 'status.code', { kind: 'status_code' });
  // The built-in name excludes it too.
  else if (on.statusCode && !excluded.has('status.code'))
    attributes.set('otel.status_code', { kind: 'otel_status_code' });
  set(on.statusMessage, 'status.message', { kind: 'status_message' });
  set(otel.spanMetrics.samplingMethod, 'sampling.method', { kind: 'sampling' });
  for (const { name, default: value } of [...commonDimensions(settings), ...own]) {
    attributes.set(name, { kind: 'dimension', key: name, default: value });
  }
  for (const { name, sourceLabels, join } of spanMetrics.dimensionMappings) {
    attributes.set(name, { kind: 'mapping', keys: sourceLabels, join });
  }
  const byLabel = new Map<string, OtelSource[]>();
  for (const [key, source] of [...attributes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const full = otelLabelName(key);
    const label = maxLabelNameLength > 0 ? full.slice(0, maxLabelNameLength) : full;
    byLabel.set(label, [...(byLabel.get(label) ?? []), source]);
  }
  const labels = new Map<string, OtelSource>();
  for (const [label, sources] of byLabel) {
    labels.set(label, sources.length === 1 ? sources[0]! : { kind: 'joined', sources });
  }
  if (otel.resourceLabels) labels.set(JOB, { kind: 'job', otherwise: labels.get(JOB) });
  if (identityOf(settings).instance) labels.set(INSTANCE, { kind: 'instance', otherwise: labels.get(INSTANCE) });
  if (otel.spanMetrics.cardinalityLimit > 0) labels.set(OVERFLOW, { kind: 'overflow' });
  const names = [...labels.keys()].sort();
  return { names, sources: names.map((name) => labels.get(name)!) };
}
