// `overrides:`, the tree of a tenant's block in its scoped form, and what the flat keys of older files stand for.

import { block, braces, camel, ignored, ms, type Row, refused, under, used } from './row.ts';

const NO_STORE = /keeps no traces/;
const KEEPS_NOTHING = 'limits of a trace store, and there is none';
const NOT_ENFORCED = /not enforced yet/;
const LIMITS = 'no limits at the receivers; what is asked for is said';
const STOPS_ALL: Row['refuses'] = [[0, /lets nothing of the tenant in/]];

const plain = (keys: readonly string[], more: Partial<Row> = {}): Row[] =>
  keys.map((key) => used(key, camel(key), more));
const SERVICE_GRAPHS = [
  'histogram_buckets',
  'dimensions',
  'peer_attributes',
  'enable_client_server_prefix',
  'enable_messaging_system_latency_histogram',
  'enable_virtual_node_label',
  'span_multiplier_key',
  'enable_tracestate_span_multiplier',
];
const SPAN_METRICS = [
  'histogram_buckets',
  'dimensions',
  'intrinsic_dimensions.service',
  'intrinsic_dimensions.span_name',
  'intrinsic_dimensions.span_kind',
  'intrinsic_dimensions.status_code',
  'intrinsic_dimensions.status_message',
  'dimension_mappings[].name',
  'dimension_mappings[].source_labels',
  'dimension_mappings[].join',
  'enable_target_info',
  'target_info_excluded_dimensions',
  'enable_instance_label',
  'span_multiplier_key',
  'enable_tracestate_span_multiplier',
];
const POLICIES = braces('filter_policies[].{include, exclude}.{match_type, attributes[].{key, value}}');
const LOCAL_BLOCKS =
  'metrics_generator.processor.local_blocks.{max_live_traces, max_block_duration, max_block_bytes, flush_check_period, trace_idle_period, complete_block_timeout, concurrent_blocks, filter_server_spans, flush_to_storage}';

/** Of one tenant, or of the defaults; `at` is under that block. */
export const TENANT: Row[] = [
  ignored('ingestion.rate_strategy', NOT_ENFORCED, ['local']),
  ignored('ingestion.rate_limit_bytes', NOT_ENFORCED, [30_000_000], { refuses: STOPS_ALL, gap: LIMITS }),
  ignored('ingestion.burst_size_bytes', NOT_ENFORCED, [30_000_000], { refuses: STOPS_ALL, gap: LIMITS }),
  ignored('ingestion.max_traces_per_user', NO_STORE, [10_000], { gap: KEEPS_NOTHING }),
  ignored('ingestion.max_global_traces_per_user', NO_STORE, [0], { gap: KEEPS_NOTHING }),
  ignored('ingestion.tenant_shard_size', /not spread over partitions/, [0]),
  refused('ingestion.max_attribute_bytes', /attributes are not cut when they come in/, {
    quiet: [0, 2048],
    gap: 'labels are cut by registry.max_label_value_length, which is the same by default',
  }),
  ignored('ingestion.artificial_delay', /not delayed/, ['0s']),
  ignored('ingestion.retry_info_enabled', NOT_ENFORCED, [true], { gap: LIMITS }),
  refused('ingestion.max_bytes_per_trace', /moved to global\.max_bytes_per_trace/),
  ignored('read.max_bytes_per_tag_values_query', NO_STORE, [1_000_000], { gap: KEEPS_NOTHING }),
  ignored('read.max_blocks_per_tag_values_query', NO_STORE, [0], { gap: KEEPS_NOTHING }),
  ignored('read.max_condition_groups_per_tag_query', NO_STORE, [100], { gap: KEEPS_NOTHING }),
  ignored('read.max_search_duration', NO_STORE, ['0s'], { gap: KEEPS_NOTHING }),
  ignored('read.max_metrics_duration', NO_STORE, ['0s'], { gap: KEEPS_NOTHING }),
  ignored('read.unsafe_query_hints', NO_STORE, [false]),
  ignored('read.left_pad_trace_ids', NO_STORE, [false], { gap: KEEPS_NOTHING }),
  ignored('read.metrics_spanonly_fetch', NO_STORE, [false]),
  ignored('read.span_pruning_awareness', NO_STORE, [false]),
  ignored('read.span_pruning_enabled', NO_STORE, [false]),
  ignored('read.engine_bytes_tracking', NO_STORE, [false]),
  refused('read.max_bytes_per_trace', /moved to global\.max_bytes_per_trace/),
  ignored('compaction.block_retention', NO_STORE, ['0s'], { gap: KEEPS_NOTHING }),
  ignored('compaction.compaction_window', NO_STORE, ['0s']),
  ignored('compaction.compaction_disabled', /migration tool writes this key/, [false], { gap: KEEPS_NOTHING }),
  ignored('global.max_bytes_per_trace', NO_STORE, [5_000_000], { gap: KEEPS_NOTHING }),
  ignored('storage.parquet_dedicated_columns', NO_STORE, [[]]),
  ignored('storage.parquet_dedicated_columns[].{scope, name, type, options}', NO_STORE, []),
  ignored('cost_attribution.max_cardinality', /not attributed/, [0]),
  ignored('cost_attribution.dimensions', /not attributed/, [{}]),
  ignored('cost_attribution.dimensions.*', /not attributed/, []),
  refused('forwarders', /doesn't forward spans: tee them in a collector/, { quiet: [[]] }),
  ...under('metrics_generator', [
    ignored('ring_size', /no ring/, [0]),
    ...block(/through the log, not through a queue/, ['forwarder.{queue_size, workers}']),
  ]),
  used('metrics_generator.processors', 'metricsGenerator.processors', {
    becomes: (names) => (names as string[]).filter((name) => name !== 'local-blocks'),
    refuses: [['span-metric', /did you mean "span-metrics"/]],
  }),
  ...plain(
    [
      'max_active_series',
      'max_active_entities',
      'max_cardinality_per_label',
      'disable_collection',
      'generate_native_histograms',
      'native_histogram_bucket_factor',
      'native_histogram_max_bucket_number',
      'span_name_sanitization',
      'trace_id_label_name',
      'remote_write_headers.*',
      ...SERVICE_GRAPHS.map((key) => `processor.service_graphs.${key}`),
      ...POLICIES.map((key) => `processor.service_graphs.${key}`),
      ...SPAN_METRICS.map((key) => `processor.span_metrics.${key}`),
      ...POLICIES.map((key) => `processor.span_metrics.${key}`),
      'processor.host_info.host_identifiers',
      'processor.host_info.metric_name',
    ].map((key) => `metrics_generator.${key}`),
  ),
  ...plain(
    ['collection_interval', 'native_histogram_min_reset_duration', 'ingestion_time_range_slack'].map(
      (key) => `metrics_generator.${key}`,
    ),
    { becomes: ms },
  ),
  ...block(/local-blocks processor does not exist/, [LOCAL_BLOCKS]),
].flatMap((row) => braces(row.key).map((key) => ({ ...row, key })));

/** Directly under `overrides`. */
export const OVERRIDES: Row[] = under('overrides', [
  used('per_tenant_override_config', 'overrides.perTenantFile', {
    becomes: (path) => (path === '' ? undefined : path),
  }),
  used('per_tenant_override_period', 'overrides.perTenantPeriodMs', { becomes: ms }),
  ignored('enable_legacy_overrides', /both shapes are always read/, [true, false]),
  ...block(/no API for overrides/, [
    `user_configurable_overrides.{poll_interval, client.{backend, confirm_versioning, local.path, s3.bucket, gcs.bucket_name,
      azure.container_name}, api.check_for_conflicting_runtime_overrides}`,
  ]),
  ...block(/no API for overrides/, ['user_configurable_overrides.enabled'], {
    refuses: [[true, /put the JSON objects into the per-tenant file/]],
  }),
]);

/** Keys that were gone before the flat shape was, by what took their place. */
export const LONG_GONE: Readonly<Record<string, string>> = {
  max_spans_per_trace: 'global.max_bytes_per_trace',
  max_search_bytes_per_trace: 'global.max_bytes_per_trace',
  ingestion_rate_limit: 'ingestion.rate_limit_bytes',
  ingestion_burst_size: 'ingestion.burst_size_bytes',
};

/** The scoped key of a flat one; undefined where the key is the same in both shapes. */
export function scopedKey(flat: string): string | undefined {
  const exact: Record<string, string> = {
    max_traces_per_user: 'ingestion.max_traces_per_user',
    max_global_traces_per_user: 'ingestion.max_global_traces_per_user',
    max_bytes_per_trace: 'global.max_bytes_per_trace',
    parquet_dedicated_columns: 'storage.parquet_dedicated_columns',
  };
  if (exact[flat] !== undefined) return exact[flat];
  if (['block_retention', 'compaction_window', 'compaction_disabled'].includes(flat)) return `compaction.${flat}`;
  if (TENANT.some(({ key }) => key === `read.${flat}`)) return `read.${flat}`;
  const match =
    /^(ingestion)_(.+)$/.exec(flat) ??
    /^(metrics_generator)_(processor)_(service_graphs|span_metrics|host_info|local_blocks)_(.+)$/.exec(flat) ??
    /^(metrics_generator)_(forwarder)_(.+)$/.exec(flat) ??
    /^(metrics_generator)_(.+)$/.exec(flat);
  return match?.slice(1).join('.');
}

/** Every flat key, as the reference lists them. */
export const FLAT_KEYS: readonly string[] = [
  'ingestion_{rate_strategy, rate_limit_bytes, burst_size_bytes, tenant_shard_size, max_attribute_bytes, artificial_delay, retry_info_enabled}',
  '{max_traces_per_user, max_global_traces_per_user, forwarders, cost_attribution}',
  'metrics_generator_{ring_size, processors, max_active_series, max_active_entities, collection_interval, disable_collection}',
  'metrics_generator_{generate_native_histograms, native_histogram_bucket_factor, native_histogram_max_bucket_number}',
  'metrics_generator_{native_histogram_min_reset_duration, span_name_sanitization, max_cardinality_per_label, trace_id_label_name}',
  'metrics_generator_{remote_write_headers, ingestion_time_range_slack, forwarder_queue_size, forwarder_workers}',
  'metrics_generator_processor_service_graphs_{histogram_buckets, dimensions, peer_attributes, filter_policies, enable_client_server_prefix, enable_messaging_system_latency_histogram, enable_virtual_node_label, span_multiplier_key, enable_tracestate_span_multiplier}',
  'metrics_generator_processor_span_metrics_{histogram_buckets, dimensions, intrinsic_dimensions, filter_policies, dimension_mappings, enable_target_info, target_info_excluded_dimensions, enable_instance_label, span_multiplier_key, enable_tracestate_span_multiplier}',
  'metrics_generator_processor_host_info_{host_identifiers, metric_name}',
  'metrics_generator_processor_local_blocks_{max_live_traces, max_block_duration, max_block_bytes, flush_check_period, trace_idle_period, complete_block_timeout, concurrent_blocks, filter_server_spans, flush_to_storage}',
  '{block_retention, compaction_window, compaction_disabled, max_bytes_per_trace, parquet_dedicated_columns}',
  '{max_bytes_per_tag_values_query, max_blocks_per_tag_values_query, max_condition_groups_per_tag_query, max_search_duration, max_metrics_duration, unsafe_query_hints, left_pad_trace_ids, metrics_spanonly_fetch, span_pruning_awareness, engine_bytes_tracking, span_pruning_enabled}',
].flatMap(braces);
