// How the OpenTelemetry Collector spells names and values once they are in Prometheus.

import type { OtelSettings, TenantSettings } from '../../../src/config/index.ts';
import { type AnyValue, isMap, isRaw } from './request.ts';
import { type ByteText, byteText } from './text.ts';

export const COLLECTOR_INSTANCE = 'collector_instance_id';
export const SPAN_SCOPE = { otel_scope_name: 'spanmetricsconnector' };
export const GRAPH_SCOPE = { otel_scope_name: 'traces_service_graph' };

/** Runs of other characters become one underscore; no name begins with one, or with a digit. */
export function otelName(key: string): string {
  const name = [...key]
    .map((character) => (/^[a-zA-Z0-9]$/.test(character) ? character : '_'))
    .join('')
    .replace(/_+/g, '_');
  if (name.startsWith('_')) return `key${name}`;
  return /^[0-9]/.test(name) ? `key_${name}` : name;
}

export function otelMetric({ spanMetrics, suffixes }: OtelSettings, metric: 'calls' | 'duration' | 'events'): string {
  const full = spanMetrics.namespace === '' ? metric : otelName(`${spanMetrics.namespace}.${metric}`);
  if (!suffixes) return full;
  if (metric !== 'duration') return `${full}_total`;
  return spanMetrics.unit === 'ms' ? `${full}_milliseconds` : `${full}_seconds`;
}

/** Name of the label that tells processes apart; empty: it is left out. */
export function instanceLabel({ otel }: TenantSettings): string {
  return otel.spanMetrics.excludeDimensions.includes('collector.instance.id') ? '' : COLLECTOR_INSTANCE;
}

/** Lists and maps are JSON, bytes base64, numbers as JavaScript prints them. */
export function otelText(value: AnyValue): ByteText {
  if (value === null) return '';
  if (isRaw(value)) return Buffer.from(value.bytes).toString('latin1');
  if (typeof value === 'string') return byteText(value);
  return byteText(value instanceof Uint8Array ? Buffer.from(value).toString('base64') : json(value));
}

function json(value: AnyValue): string {
  if (value === null) return 'null';
  if (isRaw(value)) return JSON.stringify(Buffer.from(value.bytes).toString('utf8'));
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`;
  if (isMap(value)) {
    const pairs = [...value.entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${pairs.map(([key, held]) => `${JSON.stringify(key)}:${json(held)}`).join(',')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
