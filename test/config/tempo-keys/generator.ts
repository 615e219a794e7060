// `metrics_generator:`, without `storage.remote_write`.

import { block, camel, ignored, ms, type Row, refused, under, used } from './row.ts';

const plain = (keys: readonly string[], more: Partial<Row> = {}): Row[] =>
  keys.map((key) => used(key, `generator.${camel(key)}`, more));
const policies = (key: string): Row[] =>
  ['include', 'include_any', 'exclude'].flatMap((match) =>
    plain(
      ['match_type', 'attributes[].key', 'attributes[].value'].map(
        (leaf) => `${key}.filter_policies[].${match}.${leaf}`,
      ),
    ),
  );
const durations = (keys: readonly string[]): Row[] => plain(keys, { becomes: ms });
const GRAPHS = 'processor.service_graphs';
const SPANS = 'processor.span_metrics';
const GONE = /gone in current versions/;

export const GENERATOR: Row[] = under('metrics_generator', [
  ...block(/no ring/, [
    `ring.{kvstore.{store, prefix, consul.{host, acl_token, http_client_timeout, consistent_reads, watch_rate_limit, watch_burst_size,
      cas_retry_delay}, etcd.{endpoints, dial_timeout, max_retries, tls_enabled, tls_cert_path, username, password},
      multi.{primary, secondary, mirror_enabled, mirror_timeout}}, heartbeat_period, heartbeat_timeout, instance_id,
      instance_interface_names, instance_addr, instance_port, enable_inet6, instance_zone}`,
  ]),
  ...durations([`${GRAPHS}.wait`]),
  ...plain(
    [
      'max_items',
      'histogram_buckets',
      'dimensions',
      'enable_client_server_prefix',
      'enable_messaging_system_latency_histogram',
      'peer_attributes',
      'span_multiplier_key',
      'enable_tracestate_span_multiplier',
      'enable_virtual_node_label',
      'database_name_attributes',
    ].map((key) => `${GRAPHS}.${key}`),
  ),
  ...policies(GRAPHS),
  ignored(`${GRAPHS}.workers`, /without worker threads/, [10]),
  ...plain(
    [
      'histogram_buckets',
      'intrinsic_dimensions.service',
      'intrinsic_dimensions.span_name',
      'intrinsic_dimensions.span_kind',
      'intrinsic_dimensions.status_code',
      'intrinsic_dimensions.status_message',
      'dimensions',
      'dimension_mappings[].name',
      'dimension_mappings[].source_labels',
      'dimension_mappings[].join',
      'enable_target_info',
      'target_info_excluded_dimensions',
      'enable_instance_label',
      'span_multiplier_key',
      'enable_tracestate_span_multiplier',
    ].map((key) => `${SPANS}.${key}`),
  ),
  ...policies(SPANS),
  ...plain(['processor.host_info.host_identifiers', 'processor.host_info.metric_name']),
  ...block(/local-blocks processor does not exist/, [
    `processor.local_blocks.{block.version, search.chunk_size_bytes, flush_check_period, trace_idle_period, max_block_duration,
      max_block_bytes, complete_block_timeout, max_live_traces, max_live_traces_bytes, concurrent_blocks, filter_server_spans,
      flush_to_storage, time_overlap_cutoff, assert_max_live_traces, adjust_time_range_for_slack,
      metrics.{concurrent_blocks, time_overlap_cutoff}}`,
  ]),
  ...durations(['registry.collection_interval', 'registry.stale_duration', 'metrics_ingestion_time_range_slack']),
  ...plain([
    'registry.inject_tenant_id_as',
    'registry.max_label_name_length',
    'registry.max_label_value_length',
    'codec',
    'limiter_type',
  ]),
  // Where they are not empty, each of their keys has a row.
  ...plain([`${GRAPHS}.filter_policies`, `${SPANS}.filter_policies`, `${SPANS}.dimension_mappings`], { quiet: [[]] }),
  ...plain(['registry.external_labels'], { quiet: [{}] }),
  used('registry.external_labels.*', 'generator.registry.externalLabels.*', { becomes: String }),
  // The name of the directory under it is spanmill's.
  used('storage.path', 'ledger.path', {
    becomes: (path) => (path === '' ? './data/ledger' : `${path}/spanmill/ledger`),
    quiet: [''],
    says: /storage\.path: the ledger is in/,
  }),
  ...block(/entries replace the WAL/, [
    'storage.wal.{wal_segment_size, wal_compression, stripe_size, truncate_frequency, min_wal_time, max_wal_time, no_lockfile}',
  ]),
  used('storage.remote_write_flush_deadline', 'remoteWrite.flushDeadlineMs', { becomes: ms }),
  used('storage.remote_write_add_org_id_header', 'remoteWrite.addOrgIdHeader'),
  ignored('override_ring_key', /no ring/, ['metrics-generator']),
  refused('ring_mode', /owns partitions by shard: remove it/, { quiet: ['partition'] }),
  ignored('ingest_concurrency', /not spread over goroutines/, [16]),
  ignored('instance_id', /a series' instance is its shard/, []),
  ignored('leave_consumer_group_on_shutdown', /left at a stop/, [false]),
  refused('skip_stale_backlog_on_startup', /would lose counts/, { quiet: [false] }),
  ignored('query_timeout', GONE, ['30s']),
  ...block(GONE, [
    '{traces_storage.path, traces_query_storage.path, disable_local_blocks, disable_grpc, assigned_partitions.*}',
  ]),
  ...block(/tunes Tempo's processes/, ['local_block_flush']),
]);
