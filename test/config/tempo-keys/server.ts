// `server:` and `internal_server:`.

import { block, braces, ignored, type Row, refused, under, used } from './row.ts';

const NO_STREAM = /no streaming of queries/;
const OWN_TIMES = /own limits of time/;
const TLS = /end TLS in a proxy/;
const NOT_LOGGED = /own requests are not logged/;
const TUNES = /tunes Tempo's processes/;
const FOREVER = '2562047h47m16.854775807s';
const TIMES = { gap: 'they bound a slow client, and so do the own ones' };
const GUARDED = { gap: 'nothing is served without the guard that was asked for' };
const TLS_KEYS = '{cert, key, client_ca, cert_file, key_file, client_auth_type, client_ca_file}';

export const SERVER: Row[] = [
  ...under('server', [
    used('http_listen_address', 'server.httpListenAddress'),
    used('http_listen_port', 'server.httpListenPort'),
    used('log_level', 'server.logLevel', { refuses: [['trace', /must be one of debug/]] }),
    ignored('log_format', /JSON lines/, ['json']),
    ignored('http_listen_network', /listens on TCP/, ['tcp', '']),
    ignored('http_listen_conn_limit', TUNES, [0]),
    ignored('grpc_listen_network', NO_STREAM, ['tcp', '']),
    ignored('grpc_listen_address', NO_STREAM, [''], { gap: 'there is no query to stream' }),
    ignored('grpc_listen_port', NO_STREAM, [9095], { gap: 'there is no query to stream' }),
    ignored('grpc_listen_conn_limit', NO_STREAM, [0]),
    ignored('{grpc_server_max_recv_msg_size, grpc_server_max_send_msg_size}', NO_STREAM, [16_777_216], {
      gap: 'there is no query to stream',
    }),
    ignored('grpc_server_max_concurrent_streams', NO_STREAM, [100]),
    ignored('grpc_server_max_connection_{idle, age, age_grace}', NO_STREAM, [FOREVER]),
    ignored('grpc_server_keepalive_time', NO_STREAM, ['2h0m0s']),
    ignored('grpc_server_keepalive_timeout', NO_STREAM, ['20s']),
    ignored('grpc_server_min_time_between_pings', NO_STREAM, ['10s']),
    ignored('grpc_server_ping_without_stream_allowed', NO_STREAM, [true]),
    ignored('grpc_server_num_workers', NO_STREAM, [0]),
    ...block(TUNES, ['grpc_server_read_buffer_size', 'report_grpc_codes_in_instrumentation_label_enabled']),
    ignored('graceful_shutdown_timeout', /remote_write_flush_deadline/, ['30s'], TIMES),
    ignored('http_server_read_timeout', OWN_TIMES, ['30s'], TIMES),
    ignored('http_server_read_header_timeout', OWN_TIMES, ['0s'], TIMES),
    ignored('http_server_write_timeout', OWN_TIMES, ['30s'], TIMES),
    ignored('http_server_idle_timeout', OWN_TIMES, ['2m0s'], TIMES),
    ignored('register_instrumentation', /always at \/metrics/, [true]),
    ignored('{log_source_ips_enabled, log_request_headers, log_request_at_info_level_enabled}', NOT_LOGGED, [false]),
    ignored('trace_request_headers', NOT_LOGGED, [false]),
    ...block(TUNES, [
      '{log_source_ips_full, log_source_ips_header, log_source_ips_regex, log_request_exclude_headers_list, trace_request_exclude_headers_list}',
      'cluster_validation.{label, additional_labels, grpc.enabled, http.enabled}',
    ]),
    refused(`{http_tls_config, grpc_tls_config}.${TLS_KEYS}`, TLS, { quiet: ['', null], ...GUARDED }),
    refused('tls_cipher_suites', TLS, { quiet: [''], ...GUARDED }),
    refused('tls_min_version', TLS, { quiet: [''], ...GUARDED }),
    refused('http_path_prefix', /not built yet/, {
      quiet: [''],
      gap: 'nothing is served at another path than was asked for',
    }),
    refused('proxy_protocol_enabled', /proxy protocol is not read/, { quiet: [false] }),
  ]),
  ...block(/health is on the one HTTP port/, ['internal_server.http_listen_port']),
  ...block(/health is on the one HTTP port/, ['internal_server.enable'], {
    refuses: [[true, /not built yet: health is on/]],
    gap: 'a probe of that port would fail: better at the start',
  }),
].flatMap((row) => braces(row.key).map((key) => ({ ...row, key })));
