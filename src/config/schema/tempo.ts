// The other top-level blocks of a Tempo file. Most tune its process layout and are accepted with any content; what it would be
// dangerous to pass over (TLS, secrets, where spans come from, data that would silently not be forwarded) is refused with a hint.

import { z } from 'zod';
import { block, flag, ignored, opaque, refused, secret, text } from './keys.ts';

const NO_STORE = 'there is no trace store yet, only metrics';
const LAYOUT = "it tunes the layout of Tempo's processes";
const NOT_BUILT = 'not built yet';

/** Keys of `server:` that mean nothing here. */
export const SERVER_IGNORED = {
  http_listen_network: ignored('the server listens on TCP', ['tcp', '']),
  grpc_listen_network: ignored('there is no streaming of queries', ['tcp', '']),
  grpc_listen_address: ignored('there is no streaming of queries', ['']),
  grpc_listen_port: ignored('there is no streaming of queries', [9095]),
  log_format: ignored('logs are JSON lines', ['json']),
  graceful_shutdown_timeout: ignored('storage.remote_write_flush_deadline bounds the shutdown', ['30s']),
  http_tls_config: refused(`${NOT_BUILT}: end TLS in a proxy`, [{}]),
  grpc_tls_config: refused(`${NOT_BUILT}: end TLS in a proxy`, [{}]),
  tls_cipher_suites: refused(`${NOT_BUILT}: end TLS in a proxy`, ['']),
  tls_min_version: refused(`${NOT_BUILT}: end TLS in a proxy`, ['']),
  http_path_prefix: refused(NOT_BUILT, ['']),
  proxy_protocol_enabled: refused('the proxy protocol is not read', [false]),
  cluster_validation: opaque(LAYOUT),
};
export const SERVER_IGNORED_PATTERNS = [
  /^log_(request|source_ips)_/,
  /^trace_request_/,
  /^grpc_server_/,
  /^grpc_listen_conn_limit$/,
  /^grpc_collect_/,
  /^http_server_/,
  /^http_listen_conn_limit$/,
  /^http_log_/,
  /^register_instrumentation$/,
  /^report_grpc_codes/,
];

const otlpProtocol = (about: string) =>
  block(
    about,
    {
      endpoint: text('`host:port`.').optional(),
      transport: refused('only TCP', ['tcp']),
      tls: refused(`${NOT_BUILT}: end TLS in a proxy`),
      auth: refused('not built: authenticate in a proxy'),
      middlewares: refused('not built'),
      cors: refused(NOT_BUILT),
      response_headers: refused(NOT_BUILT),
      max_request_body_size: z.int().min(1).optional().describe('Bytes.'),
    },
    {
      nullMeans: 'on, with its defaults',
      ignoredPatterns: [
        /_timeout$/,
        /_url_path$/,
        /_buffer_size$/,
        /^keep/,
        /^include_metadata$/,
        /^compression_/,
        /^max_(recv|concurrent)_/,
      ],
    },
  );

const distributor = block('Receivers as Tempo spells them.', {
  receivers: block('Instead of `receivers`.', {
    otlp: block('OTLP.', {
      protocols: block('Those that are named are on.', {
        grpc: otlpProtocol('OTLP over gRPC.').nullable().optional(),
        http: otlpProtocol('OTLP over HTTP.').nullable().optional(),
      }).optional(),
    }).optional(),
    jaeger: ignored('Jaeger receivers are not built yet: send OTLP, or put a collector before it'),
    zipkin: refused('use receivers.zipkin.endpoint'),
    kafka: refused(`${NOT_BUILT}: see log.kafka`),
    opencensus: refused('OpenCensus has ended: send OTLP'),
  }).optional(),
  forwarders: refused("spanmill doesn't forward spans: tee them in a collector", [[]]),
  max_attribute_bytes: refused(`${NOT_BUILT}: see metrics_generator.registry.max_label_value_length`, [0, 2048]),
  kafka_config: opaque('Tempo overwrites it with ingest.kafka'),
  ring: opaque(LAYOUT),
  override_ring_key: ignored(LAYOUT, ['distributor']),
  retry_after_on_resource_exhausted: ignored('limits are not enforced yet', ['5s']),
  artificial_delay: ignored('answers are not delayed', ['0s', 0]),
  log_received_spans: opaque('spans are not logged'),
  log_discarded_spans: opaque('spans are not logged'),
  log_received_traces: ignored('spans are not logged', [false]),
  metric_received_spans: opaque('there are own metrics for that'),
  usage: opaque('usage is not attributed'),
  search_tags_deny_list: ignored(NO_STORE),
  extend_writes: ignored(LAYOUT),
});

const ingest = block('Kafka as Tempo spells it; instead of `log.kafka`.', {
  enabled: flag('Older files: false means no Kafka.').optional(),
  kafka: block(
    'The topic. With address and topic, spans are read from Kafka.',
    {
      address: text('`host:port`, or a list with commas.').optional(),
      topic: text('Topic.').optional(),
      consumer_group: z
        .string()
        .refine((group) => group !== 'metrics-generator', {
          error: 'a Tempo generator in the same group would take half of the partitions: choose another name',
        })
        .optional()
        .describe('Consumer group.'),
      sasl_mechanism: z
        .enum(['', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
        .transform((name) =>
          name === '' ? 'plain' : (name.toLowerCase() as 'plain' | 'scram-sha-256' | 'scram-sha-512'),
        )
        .prefault('PLAIN')
        .describe('SASL mechanism; PLAIN without a user is off.'),
      sasl_username: text('SASL user.').optional(),
      sasl_password: secret('SASL password.').optional(),
      tls_enabled: flag('TLS towards the brokers.').prefault(false),
      tls_cert_path: text('File with the client certificate.').optional(),
      tls_key_path: text('File with the client key.').optional(),
      tls_ca_path: text('File with CA certificates.').optional(),
      tls_server_name: text('Name expected in the certificate.').optional(),
      tls_insecure_skip_verify: flag('Accepts any certificate.').prefault(false),
    },
    {
      ignoredPatterns: [
        /^(sasl_oauthbearer_|sasl_msk_iam_|tls_cipher_suites|tls_min_version)/,
        /^(client_|dial_|write_|producer_|auto_create_|last_produced_|target_consumer_|max_consumer_|consumer_group_|disable_kafka_)/,
      ],
    },
  ).optional(),
});

/** Top-level keys beside spanmill's own. */
export const TEMPO_KEYS = {
  distributor: distributor.optional(),
  ingest: ingest.optional(),
  target: refused('one process does everything: remove it', ['all', 'scalable-single-binary']),
  auth_enabled: flag('Older spelling of multitenancy_enabled.').optional(),
  http_api_prefix: refused(NOT_BUILT, ['']),
  shutdown_delay: ignored('not built yet', ['0s', 0]),
  storage: opaque(NO_STORE),
  querier: opaque(NO_STORE),
  query_frontend: opaque(NO_STORE),
  compactor: opaque(NO_STORE),
  backend_worker: opaque(NO_STORE),
  backend_scheduler: opaque(NO_STORE),
  backend_scheduler_client: opaque(NO_STORE),
  block_builder: opaque(NO_STORE),
  live_store: opaque(NO_STORE),
  live_store_client: opaque(NO_STORE),
  ingester: opaque(NO_STORE),
  ingester_client: opaque(NO_STORE),
  metrics_generator_client: opaque(LAYOUT),
  memberlist: opaque(LAYOUT),
  cache: opaque(NO_STORE),
  memory: opaque('for Go only'),
  usage_report: opaque('spanmill reports nothing to anybody'),
  internal_server: opaque('health is on the one HTTP port', [
    { path: ['enable'], harmless: [false], hint: 'not built yet: health is on server.http_listen_port' },
  ]),
  vulture: opaque(LAYOUT),
  stream_over_http_enabled: ignored('there is no streaming of queries', [false]),
  enable_go_runtime_metrics: ignored('for Go only', [false]),
  span_profiling: ignored('for Go only', [false]),
  use_otel_tracer: ignored('own traces use OpenTelemetry', [true, false]),
  search_enabled: ignored(NO_STORE, [true]),
  autocomplete_filtering_enabled: ignored(NO_STORE, [true, false]),
  metrics_generator_enabled: refused('the generator is what runs here: remove it', [true]),
};
