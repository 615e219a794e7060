// What a tenant gets, value by value, and which part of the configuration each one comes from. Keys and values as a block of overrides
// would have them; what only the static block can say stands at its path there. Secrets are masked.

import type { Config } from './config.ts';
import { durationText } from './duration.ts';
import { resolveTenant, tenantBlockOf } from './resolve.ts';

/**
 * `default` is spanmill's own; `metrics_generator` the static block; `tenant` the tenant's block in the per-tenant file and `*` the block
 * there for everybody else.
 */
export type SettingSource = 'default' | 'metrics_generator' | 'overrides.defaults' | 'tenant' | '*';

export interface ExplainedSetting {
  value: unknown;
  source: SettingSource;
}

export interface TenantExplanation {
  tenant: string;
  /** The block of the per-tenant file that holds for it. */
  block: string | null;
  merge: Config['overrides']['merge'];
  /** By dotted path under `metrics_generator`. */
  settings: Record<string, ExplainedSetting>;
}

/** Names that don't follow from the name of the setting. */
const NAMES: Record<string, string> = {
  slackMs: 'ingestion_time_range_slack',
  histogramMode: 'generate_native_histograms',
  nativeBucketFactor: 'native_histogram_bucket_factor',
  nativeMaxBuckets: 'native_histogram_max_bucket_number',
  nativeMinResetMs: 'native_histogram_min_reset_duration',
};
/** Where the static block has it, if that is another path. */
const STATIC: Record<string, string> = {
  collection_interval: 'registry.collection_interval',
  ingestion_time_range_slack: 'metrics_ingestion_time_range_slack',
};
/** Of these there is only the static one. */
const REGISTRY_KEYS = [
  'stale_duration',
  'external_labels',
  'inject_tenant_id_as',
  'max_label_name_length',
  'max_label_value_length',
];
/** Even a block that replaces the defaults takes these from them. */
const ALWAYS_DEFAULTED = [
  'native_histogram_bucket_factor',
  'native_histogram_max_bucket_number',
  'native_histogram_min_reset_duration',
  'span_name_sanitization',
];
/** In these, 0 and an empty text say nothing. */
const EMPTY_IS_UNSET = [
  ...ALWAYS_DEFAULTED,
  'collection_interval',
  'ingestion_time_range_slack',
  'trace_id_label_name',
  'processor.span_metrics.span_multiplier_key',
  'processor.service_graphs.span_multiplier_key',
  'processor.host_info.metric_name',
];
const PROCESSORS = ['spanMetrics', 'serviceGraphs', 'hostInfo'];
const HEADERS = 'remote_write_headers';
const PREFIX = 'processor.service_graphs.enable_client_server_prefix';
/** Maps with keys of the user's. */
const WHOLE = ['externalLabels'];

export function explainTenant(config: Config, tenant: string): TenantExplanation {
  const { tenants, merge } = config.overrides;
  const block = Object.hasOwn(tenants, tenant) ? tenant : Object.hasOwn(tenants, '*') ? '*' : null;
  const settings: Record<string, ExplainedSetting> = {};
  for (const [path, value] of leaves(resolveTenant(config, tenant), [])) {
    const key = keyOf(path);
    // Without the collector's names, its options mean nothing.
    if (path[0] === 'otel' && config.generator.naming === 'tempo') continue;
    const shown = path.at(-1)!.endsWith('Ms') ? durationText(value as number) : value;
    const isHeader = key.startsWith(`${HEADERS}.`);
    settings[key] = { value: isHeader ? '<secret>' : shown, source: sourceOf(config, tenant, key) };
  }
  return { tenant, block, merge, settings };
}

function keyOf(path: readonly string[]): string {
  const [first, ...rest] = path;
  if (first === 'remoteWriteHeaders') return [HEADERS, ...rest].join('.');
  const key = NAMES[first!] ?? path.map(snake).join('.');
  if (PROCESSORS.includes(first!)) return `processor.${key}`;
  return REGISTRY_KEYS.includes(key) ? `registry.${key}` : key;
}

function sourceOf(config: Config, tenant: string, key: string): SettingSource {
  const { overrides, written, generator } = config;
  const own = tenantBlockOf(overrides.tenants, tenant);
  const isDeep = overrides.merge === 'deep';
  const says = (value: unknown): boolean => {
    if (value === undefined) return false;
    if (EMPTY_IS_UNSET.includes(key) && !value) return false;
    return isDeep || own === undefined || key !== PREFIX || value !== false;
  };
  const ownValue = own && at(own.metricsGenerator, camelPath(key));
  if (says(ownValue)) {
    return Object.hasOwn(overrides.tenants, tenant) && tenant !== '*' ? 'tenant' : '*';
  }
  // An empty value stands in the way of the defaults all the same: what follows it is the static one.
  if (own === undefined || (isDeep && ownValue === undefined) || ALWAYS_DEFAULTED.includes(key)) {
    // The defaults are filled in by now: what was written says which of them were meant.
    const isWritten = at(written, ['overrides', 'defaults', 'metrics_generator', ...split(key)]) !== undefined;
    if (isWritten && says(at(overrides.defaults.metricsGenerator, camelPath(key)))) return 'overrides.defaults';
  }
  const isStatic = at(written, ['metrics_generator', ...split(STATIC[key] ?? key)]) !== undefined;
  const isOfCollector = generator.naming === 'otel' && key.startsWith('processor.service_graphs.');
  return isStatic || isOfCollector ? 'metrics_generator' : 'default';
}

function* leaves(value: object, path: readonly string[]): Generator<[path: string[], value: unknown]> {
  for (const [key, held] of Object.entries(value)) {
    const isMap = typeof held === 'object' && held !== null && !Array.isArray(held) && !WHOLE.includes(key);
    if (isMap && Object.keys(held).length > 0) yield* leaves(held, [...path, key]);
    else yield [[...path, key], held];
  }
}

/** A header's name may have dots. */
function split(key: string): string[] {
  return key.startsWith(`${HEADERS}.`) ? [HEADERS, key.slice(HEADERS.length + 1)] : key.split('.');
}

function camelPath(key: string): string[] {
  const [first, ...rest] = split(key);
  return first === HEADERS ? [camel(first), ...rest] : [first!, ...rest].map(camel);
}

function at(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function snake(name: string): string {
  return name.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camel(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
