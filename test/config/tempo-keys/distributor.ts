// `distributor:`, where spans come in.

import { expect } from 'vitest';
import type { Config } from '../../../src/config/index.ts';
import { block, braces, ignored, type Row, refused, under, used } from './row.ts';

const NOT_BUILT = /not built yet/;
const TUNES = /tunes Tempo's processes/;
const OWN_LIMITS = /limits of their own/;
const CLIENT = /tunes the collector's client/;
const COMMITS = /committed with each ledger entry/;
const OWN_GROUP = /protocol of its own/;
const MIB = 1024 * 1024;
const isGenerator = ({ receivers }: Config) => receivers.otlp.grpc === undefined && receivers.otlp.http === undefined;
const listens = { onlyIf: (config: Config) => !isGenerator(config) };
const LARGER = 'a larger request is refused to whoever sends it';
const GUARDED = 'nothing is taken without the guard that was asked for';

const guards: Row[] = [
  refused('transport', /only TCP/, { quiet: ['tcp'] }),
  refused('tls.{cert_file, key_file, client_ca_file}', /end TLS in a proxy/, { gap: GUARDED }),
  refused('auth.authenticator', /authenticate in a proxy/),
  refused('middlewares', NOT_BUILT, { quiet: [[]] }),
  ...block(/taken from the headers/, ['include_metadata']),
];
const httpGuards: Row[] = [
  ...guards,
  refused('cors.allowed_origins', NOT_BUILT, { gap: GUARDED }),
  refused('cors', NOT_BUILT, { quiet: [{}] }),
  refused('response_headers', NOT_BUILT, { quiet: [{}] }),
  refused('response_headers.*', NOT_BUILT, { gap: GUARDED }),
  ...block(OWN_LIMITS, ['{read_timeout, read_header_timeout, write_timeout, idle_timeout, keep_alives_enabled}'], {
    gap: 'they bound a slow client, and so do the own ones',
  }),
  ...block(/gzip, deflate and zstd are taken/, ['compression_algorithms']),
];

const OTLP: Row[] = under('distributor.receivers.otlp.protocols', [
  // Named and empty is on.
  used('grpc', 'receivers.otlp.grpc', { becomes: () => ({ endpoint: 'localhost:4317' }) }),
  used('grpc.endpoint', 'receivers.otlp.grpc.endpoint', listens),
  ...under('grpc', guards),
  ignored('grpc.max_recv_msg_size_mib', /up to 20 MiB/, [4, 16, 20], { gap: LARGER }),
  ...block(OWN_LIMITS, [
    'grpc.{max_concurrent_streams, read_buffer_size, write_buffer_size, keepalive.{server_parameters.max_connection_age, enforcement_policy.min_time}}',
  ]),
  used('http', 'receivers.otlp.http', {
    becomes: () => ({ endpoint: 'localhost:4318', maxRequestBodyBytes: 20 * MIB }),
  }),
  used('http.endpoint', 'receivers.otlp.http.endpoint'),
  used('http.max_request_body_size', 'receivers.otlp.http.maxRequestBodyBytes', {
    becomes: (bytes) => bytes || 20 * MIB,
  }),
  refused('http.traces_url_path', /taken at \/v1\/traces/, { quiet: ['/v1/traces'] }),
  ...block(/only traces are taken/, ['http.{metrics_url_path, logs_url_path}']),
  ...under('http', httpGuards),
]);

const ZIPKIN: Row[] = under('distributor.receivers.zipkin', [
  used('endpoint', 'receivers.zipkin.endpoint'),
  refused('parse_string_tags', /stay the texts/, { quiet: [false] }),
  ignored('max_request_body_size', /up to 20 MiB/, [20 * MIB], { gap: LARGER }),
  ...httpGuards,
]);

const KAFKA: Row[] = under('distributor.receivers.kafka', [
  used('brokers', 'log.kafka.brokers'),
  used('client_id', 'log.kafka.clientId'),
  used('group_id', 'log.kafka.consumerGroup'),
  used('initial_offset', 'log.kafka.start'),
  used('traces.topics', 'log.kafka.topic', {
    becomes: (topics) => (topics as string[])[0],
    refuses: [[['a', 'b'], /one log is one topic/]],
  }),
  used('topic', 'log.kafka.topic'),
  used('{encoding, traces.encoding}', 'log.kafka.encoding'),
  refused('traces.exclude_topics', /not found by a pattern/),
  used('auth.sasl.username', 'log.kafka.sasl.username'),
  used('auth.sasl.password', 'log.kafka.sasl.password'),
  used('auth.sasl.mechanism', 'log.kafka.sasl.mechanism', { becomes: (name) => String(name).toLowerCase() }),
  ignored('auth.sasl.version', /the client chooses/, [1]),
  refused('auth.sasl.aws_msk.region', NOT_BUILT),
  used('auth.plain_text.username', 'log.kafka.sasl.username'),
  used('auth.plain_text.password', 'log.kafka.sasl.password'),
  refused('auth.kerberos.service_name', /use SCRAM-SHA-512/),
  refused('auth.tls.ca_file', /beside `auth`/),
  used('tls.insecure', 'log.kafka.tls', { becomes: (off) => (off === true ? undefined : expect.anything()) }),
  used('tls.insecure_skip_verify', 'log.kafka.tls.insecureSkipVerify'),
  used('tls.ca_file', 'log.kafka.tls.caFile'),
  used('tls.ca_pem', 'log.kafka.tls.ca'),
  used('tls.cert_file', 'log.kafka.tls.certFile'),
  used('tls.cert_pem', 'log.kafka.tls.cert'),
  used('tls.key_file', 'log.kafka.tls.keyFile'),
  used('tls.key_pem', 'log.kafka.tls.key'),
  used('tls.server_name_override', 'log.kafka.tls.serverName'),
  ignored('tls.reload_interval', /read at the start/, ['0s']),
  refused('tls.min_version', /TLS 1.2 is the lowest/),
  refused('tls.{max_version, cipher_suites, curve_preferences, include_system_ca_certs_pool}', NOT_BUILT),
  refused('tls.tpm.enabled', NOT_BUILT),
  ...block(/versions are agreed/, ['protocol_version']),
  ignored('session_timeout', OWN_GROUP, ['10s']),
  ignored('heartbeat_interval', OWN_GROUP, ['3s']),
  ignored('group_rebalance_strategy', OWN_GROUP, ['range']),
  ignored('group_instance_id', OWN_GROUP, ['']),
  ...block(COMMITS, ['{autocommit.{enable, interval}, message_marking.{after, on_error, on_permanent_error}}']),
  ignored('min_fetch_size', CLIENT, [1]),
  ignored('max_fetch_size', CLIENT, [MIB]),
  ignored('default_fetch_size', CLIENT, [MIB]),
  ignored('max_fetch_wait', CLIENT, ['250ms']),
  ignored('max_partition_fetch_size', CLIENT, [MIB]),
  ignored('rack_id', /leader of a partition/, ['']),
  ignored('use_leader_epoch', CLIENT, [true]),
  ignored('conn_idle_timeout', CLIENT, ['9m']),
  ignored('resolve_canonical_bootstrap_servers_only', CLIENT, [false]),
  ...block(CLIENT, ['metadata.{full, refresh_interval, retry.max}']),
  ...block(/become no attributes/, ['header_extraction.headers']),
  ...block(/become no attributes/, ['header_extraction.extract_headers'], {
    refuses: [[true, /add them in the collector/]],
  }),
  ...block(/passed over, counted/, ['error_backoff.{enabled, initial_interval}']),
  ...block(/own metrics/, ['telemetry.metrics.kafka_receiver_records_delay.enabled']),
  ...block(/only traces are read/, ['{logs, metrics, profiles}.topics']),
]);

const JAEGER = /no Jaeger receiver here: send OTLP/;

export const DISTRIBUTOR: Row[] = [
  ...OTLP,
  ...ZIPKIN,
  ...KAFKA,
  used('distributor.receivers', 'receivers.otlp.http.endpoint', {
    becomes: () => '127.0.0.1:4318',
    says: /names no receivers/,
  }),
  ignored(
    'distributor.receivers.jaeger.protocols.{grpc.endpoint, thrift_http.endpoint, thrift_compact.endpoint, thrift_binary.{endpoint, queue_size, max_packet_size, workers, socket_buffer_size}}',
    JAEGER,
    [],
    { gap: 'it is told in a line of its own, and refused where nothing else is listened to' },
  ),
  refused('distributor.receivers.jaeger.remote_sampling.host_endpoint', /no remote sampling here, nor in Tempo/),
  refused('distributor.receivers.opencensus.endpoint', /send OTLP/),
  ...under('distributor', [
    ...block(TUNES, ['ring.{kvstore.store, heartbeat_timeout}']),
    ignored('override_ring_key', TUNES, ['distributor']),
    ...block(/spans are not logged/, [
      '{log_received_spans, log_discarded_spans}.{enabled, include_all_attributes, filter_by_status_error}',
    ]),
    ...block(/own metrics count them/, ['metric_received_spans.{enabled, root_only}']),
    refused('forwarders', /tee them in a collector/, { quiet: [[]] }),
    refused('forwarders[].{name, backend, otlpgrpc.endpoints}', /tee them in a collector/),
    ...block(/not attributed/, ['usage.cost_attribution.{enabled, max_cardinality, stale_duration}']),
    ignored('retry_after_on_resource_exhausted', /limits are not enforced yet/, ['5s'], {
      gap: 'nothing is refused for a limit',
    }),
    refused('max_attribute_bytes', /max_label_value_length/, {
      quiet: [0, 2048],
      gap: 'labels are cut by registry.max_label_value_length, which is the same by default',
    }),
    ignored('artificial_delay', /not delayed/, ['0s']),
    ...block(/Tempo overwrites it/, ['kafka_config.{address, topic}']),
    ignored('log_received_traces', /spans are not logged/, [false]),
    ...block(/keeps no traces/, ['search_tags_deny_list']),
    ...block(TUNES, ['extend_writes']),
  ]),
].flatMap((row) => braces(row.key).map((key) => ({ ...row, key })));
