// What the OpenTelemetry Collector calls its metrics once they are in Prometheus, and the labels that all of them carry.

import { type OtelSettings, otelLabelName, type TenantSettings } from '../config/index.ts';
import { constantLabels } from './constant-labels.ts';

export const COLLECTOR_INSTANCE = 'collector_instance_id';
/** The connector's instrumentation scope. */
export const SPAN_SCOPE = 'spanmetricsconnector';
const UNITS = { ms: 'milliseconds', s: 'seconds' } as const;

export type OtelMetric = 'calls' | 'duration' | 'events';

export function otelMetricName({ spanMetrics, suffixes }: OtelSettings, metric: OtelMetric): string {
  const { namespace, unit } = spanMetrics;
  const name = namespace === '' ? metric : otelLabelName(`${namespace}.${metric}`);
  if (!suffixes) return name;
  return metric === 'duration' ? `${name}_${UNITS[unit]}` : `${name}_total`;
}

/** @param scope the instrumentation scope; none for info metrics */
export function otelConstantLabels(tenant: string, settings: TenantSettings, scope?: string): Record<string, string> {
  return { ...constantLabels(tenant, settings), ...(scope === undefined ? {} : { otel_scope_name: scope }) };
}

/** Label that tells the processes apart; empty: it is left out. */
export function otelInstanceLabel({ spanMetrics }: OtelSettings): string {
  return spanMetrics.excludeDimensions.includes('collector.instance.id') ? '' : COLLECTOR_INSTANCE;
}
