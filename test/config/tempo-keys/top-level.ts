// Everything else that stands at the top of a Tempo file: the target, the trace store and its processes.

import { block, ignored, type Row, refused, used } from './row.ts';

const NO_STORE = /keeps no traces/;
const TUNES = /tunes Tempo's processes/;
const FOR_GO = /for Go only/;
const GAP = { gap: 'there is no trace store, and no API that asks for traces: told in one line' };
const REFUSED_LATER = { gap: 'where nothing is stored, the kind of bucket makes no difference' };

const STORAGE = `storage.trace.{
  local.path, s3.{bucket, prefix, endpoint, region, access_key, secret_key, session_token, insecure, tls_cert_path, tls_key_path,
    tls_ca_path, tls_server_name, tls_insecure_skip_verify, tls_cipher_suites, tls_min_version, forcepathstyle, bucket_lookup_type,
    part_size, retry_max_attempts, retry_backoff_initial, retry_backoff_max, tags.*, metadata.*, storage_class,
    sse.{kms_key_id, kms_encryption_context}},
  block.bloom_filter_false_positive, blocklist_poll}`;
const STORAGE_REFUSED = 'storage.trace.{backend, s3.{signature_v2, sse.{type, encryption_key}}}';
const STORAGE_IGNORED = `storage.trace.{
  s3.{hedge_requests_at, hedge_requests_up_to, enable_dual_stack, list_blocks_concurrency, native_aws_auth_enabled},
  gcs.{bucket_name, prefix, chunk_buffer_size, endpoint, hedge_requests_at, hedge_requests_up_to, insecure, object_cache_control,
    object_metadata.*, list_blocks_concurrency, max_retries},
  azure.{storage_account_name, storage_account_key, use_managed_identity, use_federated_token, user_assigned_id, container_name, prefix,
    endpoint_suffix, max_buffers, buffer_size, hedge_requests_at, hedge_requests_up_to},
  wal.{path, ingestion_time_range_slack, completedfilepath, blocksfilepath, v2_encoding, search_encoding, version},
  block.{version, bloom_filter_shard_size_bytes, parquet_row_group_size_bytes, parquet_dedicated_columns,
    parquet_dedicated_columns[].{scope, name, type, options}, v2_encoding, v2_index_downsample_bytes, v2_index_page_size_bytes,
    row_group_size_bytes},
  pool.{max_workers, queue_depth},
  search.{chunk_size_bytes, prefetch_trace_count, read_buffer_count, read_buffer_size_bytes,
    cache_control.{footer, column_index, offset_index}},
  blocklist_poll_concurrency, blocklist_poll_tenant_concurrency, blocklist_poll_fallback, blocklist_poll_tenant_index_builders,
  blocklist_poll_stale_tenant_index, blocklist_poll_jitter_ms, blocklist_poll_tolerate_consecutive_errors,
  blocklist_poll_tolerate_tenant_failures, empty_tenant_deletion_enabled, empty_tenant_deletion_age,
  cache, background_cache.{writeback_goroutines, writeback_buffer}, memcached.host, redis.endpoint, cache_min_compaction_level,
  cache_max_block_age}`;
const COMPACTION_USED = '{block_retention, max_block_bytes, compacted_block_retention}';
const COMPACTION =
  '{compaction_window, max_compaction_objects, retention_concurrency, max_time_per_tenant, compaction_cycle}';
const QUERIES_USED = `{query_frontend.{
  search.{default_result_limit, max_result_limit, max_duration, default_spans_per_span_set, max_spans_per_span_set},
  metrics.{max_duration, max_exemplars, max_response_series, max_intervals},
  max_query_expression_size_bytes, api_timeout, url_deny_list, multi_tenant_queries_enabled, query_end_cutoff},
  querier.{search.query_timeout, trace_by_id.query_timeout, max_concurrent_queries}}`;
const QUERIES = `{query_frontend.{
  search.{concurrent_jobs, target_bytes_per_job, query_backend_after, ingester_shards, most_recent_shards, duration_slo,
    throughput_bytes_slo, query_ingesters_until},
  metrics.{concurrent_jobs, target_bytes_per_job, query_backend_after, interval, streaming_shards},
  trace_by_id.{query_shards, blocks_per_shard, concurrent_shards, external_enabled},
  max_outstanding_per_tenant, max_batch_size, max_retries, response_consumers, weights.request_with_weights,
  max_grpc_streaming_packet_size, log_query_request_headers, skip_ast_transformations, rf1_after},
  querier.{frontend_worker.{frontend_address, grpc_client_config.max_send_msg_size}, metrics.concurrent_blocks,
    partition_ring.minimize_requests, shuffle_sharding_ingesters_enabled, query_relevant_ingesters, query_live_store}}`;

export const TOP_LEVEL: Row[] = [
  used('target', '', {
    quiet: ['all', 'scalable-single-binary'],
    says: /no receiver listens: spans come from Kafka alone/,
    refuses: [['live-store', /there is no live-store as a process of its own here/]],
  }),
  used('multitenancy_enabled', 'multitenancyEnabled'),
  used('auth_enabled', 'multitenancyEnabled'),
  refused('http_api_prefix', /not built yet/, {
    quiet: [''],
    gap: 'nothing is served at another path than was asked for',
  }),
  ignored('stream_over_http_enabled', /no streaming of queries/, [false]),
  ignored('shutdown_delay', /stops at once/, ['0s'], { gap: 'a sender tries again' }),
  ignored('enable_go_runtime_metrics', FOR_GO, [false]),
  ignored('span_profiling', FOR_GO, [false]),
  ...block(FOR_GO, ['memory.{automemlimit_enabled, automemlimit_ratio}']),
  ignored('search_enabled', NO_STORE, [true]),
  ignored('autocomplete_filtering_enabled', NO_STORE, [true, false]),
  ignored('use_otel_tracer', /own traces/, [true, false]),
  refused('metrics_generator_enabled', /generator is what runs here/, { quiet: [true] }),
  ...block(NO_STORE, [STORAGE], GAP),
  ...block(NO_STORE, [STORAGE_REFUSED], REFUSED_LATER),
  ...block(NO_STORE, [STORAGE_IGNORED, QUERIES]),
  ...block(NO_STORE, [QUERIES_USED], GAP),
  ...block(NO_STORE, ['query_frontend.mcp_server.enabled'], { refuses: [[true, /no MCP server/]] }),
  ...block(NO_STORE, ['query_frontend.allowed_headers'], { refuses: [[['X-Team'], /no queries are answered/]] }),
  ...block(NO_STORE, ['querier.trace_by_id.external.endpoint'], {
    refuses: [['http://tempo-old:3200', /no traces are asked for elsewhere/]],
  }),
  ...block(NO_STORE, [`{backend_worker, compactor}.compaction.${COMPACTION_USED}`], GAP),
  ...block(NO_STORE, [
    `backend_worker.compaction.${COMPACTION}`,
    'compactor.{ring.kvstore.store, compaction.{compaction_window, v2_in_buffer_bytes, v2_out_buffer_bytes, v2_prefetch_traces_count}}',
    'backend_worker.{backend_scheduler_addr, backoff.min_period, ring.kvstore.store, override_ring_key, finish_on_shutdown_timeout}',
    'backend_scheduler.provider.{retention.interval, compaction.compaction.block_retention}',
    'backend_scheduler_client.grpc_client_config.grpc_compression',
    `live_store.{max_trace_idle, max_trace_live, max_block_duration, max_block_bytes, complete_block_timeout, max_live_traces_bytes,
      wal.path, shutdown_marker_dir, ring.kvstore.store, partition_ring.kvstore.store, readiness_target_lag, fail_on_high_lag}`,
    'live_store_client.remote_timeout',
    `block_builder.{partitions_per_instance, assigned_partitions.*, consume_cycle_duration, max_consuming_bytes, block.max_block_bytes,
      wal.path, instance_id}`,
    `ingester.{trace_idle_period, flush_check_period, max_block_duration, max_block_bytes, complete_block_timeout,
      lifecycler.ring.{replication_factor, kvstore.store}}`,
    'ingester_client.{remote_timeout, grpc_client_config.grpc_compression}',
    `cache.{background.writeback_goroutines, caches[].{roles, memcached.{host, service, addresses, timeout, max_idle_conns, ttl},
      redis.{endpoint, timeout, ttl, db, username, password}}}`,
  ]),
  ...block(TUNES, [
    'metrics_generator_client.pool_config.checkinterval',
    'vulture.tempo_org_id',
    'tempo-query.backend',
    `memberlist.{join_members, bind_addr, bind_port, advertise_addr, abort_if_cluster_join_fails, node_name, gossip_interval,
      gossip_nodes, retransmit_factor, cluster_label, tls_enabled}`,
  ]),
  ...block(/reports nothing to anybody/, [
    'usage_report.{reporting_enabled, backoff.{min_period, max_period, max_retries}}',
  ]),
];
