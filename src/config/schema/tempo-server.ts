// `server:` of a Tempo file beside the keys that spanmill has itself. Whatever concerns TLS, or where and by whom the API is reached, is
// refused rather than ignored.

import { ignored, opaque, refused } from './keys.ts';

const NOT_BUILT = 'not built yet';
const END_TLS = `${NOT_BUILT}: end TLS in a proxy`;
const NO_QUERY_STREAM = 'there is no streaming of queries, so nothing listens there';
const LAYOUT = "it tunes Tempo's processes";
const OWN_LIMITS = "the server's own limits of time hold";
const OWN_LOG = 'own requests are not logged';
const FOREVER = '2562047h47m16.854775807s';

/** Keys of `server:` that mean nothing here. Defaults are dskit's, as in Tempo's reference. */
export const SERVER_IGNORED = {
  http_listen_network: ignored('the server listens on TCP', ['tcp', '']),
  http_listen_conn_limit: ignored(LAYOUT, [0]),
  grpc_listen_network: ignored(NO_QUERY_STREAM, ['tcp', '']),
  grpc_listen_address: ignored(NO_QUERY_STREAM, ['']),
  grpc_listen_port: ignored(NO_QUERY_STREAM, [9095]),
  grpc_listen_conn_limit: ignored(NO_QUERY_STREAM, [0]),
  grpc_server_max_recv_msg_size: ignored(NO_QUERY_STREAM, [16_777_216]),
  grpc_server_max_send_msg_size: ignored(NO_QUERY_STREAM, [16_777_216]),
  grpc_server_max_concurrent_streams: ignored(NO_QUERY_STREAM, [100]),
  grpc_server_max_connection_idle: ignored(NO_QUERY_STREAM, [FOREVER]),
  grpc_server_max_connection_age: ignored(NO_QUERY_STREAM, [FOREVER]),
  grpc_server_max_connection_age_grace: ignored(NO_QUERY_STREAM, [FOREVER]),
  grpc_server_keepalive_time: ignored(NO_QUERY_STREAM, ['2h']),
  grpc_server_keepalive_timeout: ignored(NO_QUERY_STREAM, ['20s']),
  grpc_server_min_time_between_pings: ignored(NO_QUERY_STREAM, ['10s']),
  grpc_server_ping_without_stream_allowed: ignored(NO_QUERY_STREAM, [true]),
  grpc_server_num_workers: ignored(NO_QUERY_STREAM, [0]),
  log_format: ignored('logs are JSON lines', ['json']),
  log_source_ips_enabled: ignored(OWN_LOG, [false]),
  log_request_headers: ignored(OWN_LOG, [false]),
  log_request_at_info_level_enabled: ignored(OWN_LOG, [false]),
  trace_request_headers: ignored(OWN_LOG, [false]),
  graceful_shutdown_timeout: ignored(
    'a stop takes 25 s at most; metrics_generator.storage.remote_write_flush_deadline bounds how much of it is for sending',
    ['30s'],
  ),
  http_server_read_timeout: ignored(OWN_LIMITS, ['30s']),
  http_server_read_header_timeout: ignored(OWN_LIMITS, ['0s']),
  http_server_write_timeout: ignored(OWN_LIMITS, ['30s']),
  http_server_idle_timeout: ignored(OWN_LIMITS, ['2m']),
  register_instrumentation: ignored('own metrics are always at /metrics', [true]),
  http_tls_config: refused(END_TLS, [{}]),
  grpc_tls_config: refused(END_TLS, [{}]),
  tls_cipher_suites: refused(END_TLS, ['']),
  tls_min_version: refused(END_TLS, ['']),
  http_path_prefix: refused(`${NOT_BUILT}: the API is at /, let a proxy add the prefix`, ['']),
  proxy_protocol_enabled: refused('the proxy protocol is not read: switch it off here and in the proxy', [false]),
  cluster_validation: opaque(LAYOUT),
};

/** Those that come and go with dskit's versions. */
export const SERVER_IGNORED_PATTERNS = [
  /^log_(request|source_ips)_/,
  /^trace_request_/,
  /^grpc_server_/,
  /^grpc_collect_/,
  /^http_server_/,
  /^http_log_/,
  /^report_grpc_codes/,
];
