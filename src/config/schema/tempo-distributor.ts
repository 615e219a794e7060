// `distributor:`, where a Tempo file says how spans come in. A receiver that is not built, and whatever guards the door (TLS,
// authentication), is refused: spans must not be missed, nor taken from anybody, in silence.

import { z } from 'zod';
import { kafkaReceiver } from './kafka-receiver.ts';
import { block, hostPort, ignored, opaque, refused } from './keys.ts';

const NOT_BUILT = 'not built yet';
const LAYOUT = "it tunes Tempo's processes";
const LIMITS = 'limits are not enforced yet';
const NOT_LOGGED = 'spans are not logged';
const JAEGER = 'there is no Jaeger receiver here: send OTLP, or put a collector before it';
/** What the receivers take at most. */
const MAX_REQUEST_MIB = 20;

const OWN_LIMITS = 'the receivers have limits of their own';

/** Of the collector's servers, what would change who gets in or what comes out. */
const GUARDS = {
  transport: refused('only TCP is spoken', ['tcp']),
  tls: refused(`${NOT_BUILT}: end TLS in a proxy`),
  auth: refused(`${NOT_BUILT}: authenticate in a proxy`),
  middlewares: refused(`${NOT_BUILT}: put a proxy before it`, [[]]),
  include_metadata: ignored('the tenant is taken from the headers, nothing else is'),
};
const HTTP_SERVER = {
  ...GUARDS,
  cors: refused(`${NOT_BUILT}: answer CORS in a proxy`, [{}]),
  response_headers: refused(`${NOT_BUILT}: add them in a proxy`, [{}]),
  read_timeout: ignored(OWN_LIMITS),
  read_header_timeout: ignored(OWN_LIMITS),
  write_timeout: ignored(OWN_LIMITS),
  idle_timeout: ignored(OWN_LIMITS),
  keep_alives_enabled: ignored(OWN_LIMITS),
  compression_algorithms: ignored('gzip, deflate and zstd are taken'),
};
const NULL_MEANS = 'on, with its defaults';
const ONLY_TRACES = 'only traces are taken';

const grpc = block(
  'OTLP over gRPC.',
  {
    endpoint: hostPort('`host:port`.').optional(),
    ...GUARDS,
    max_recv_msg_size_mib: ignored(
      `messages of up to ${MAX_REQUEST_MIB} MiB are taken`,
      Array.from({ length: MAX_REQUEST_MIB + 1 }, (_, mib) => mib),
    ),
    max_concurrent_streams: ignored(OWN_LIMITS),
    read_buffer_size: ignored(OWN_LIMITS),
    write_buffer_size: ignored(OWN_LIMITS),
    keepalive: opaque(OWN_LIMITS),
  },
  { nullMeans: NULL_MEANS },
);

const http = block(
  'OTLP over HTTP.',
  {
    endpoint: hostPort('`host:port`.').optional(),
    ...HTTP_SERVER,
    max_request_body_size: z.int().min(0).optional().describe('Bytes; 0 = 20 MiB.'),
    traces_url_path: refused('traces are taken at /v1/traces', ['', '/v1/traces']),
    metrics_url_path: ignored(ONLY_TRACES),
    logs_url_path: ignored(ONLY_TRACES),
    profiles_url_path: ignored(ONLY_TRACES),
  },
  { nullMeans: NULL_MEANS },
);

const zipkin = block(
  'Zipkin over HTTP.',
  {
    endpoint: hostPort('`host:port`.').optional(),
    ...HTTP_SERVER,
    parse_string_tags: refused('tags stay the texts that they are', [false]),
    max_request_body_size: ignored(`requests of up to ${MAX_REQUEST_MIB} MiB are taken`, [
      0,
      MAX_REQUEST_MIB * 1024 * 1024,
    ]),
  },
  { nullMeans: NULL_MEANS },
);

const receivers = block(
  'Receivers, by the names and with the defaults of the OpenTelemetry Collector; those that are named are on.',
  {
    otlp: block('OpenTelemetry protocol.', {
      protocols: block('Those that are named are on.', {
        grpc: grpc.nullable().optional(),
        http: http.nullable().optional(),
      }).optional(),
    }).optional(),
    zipkin: zipkin.nullable().optional(),
    kafka: kafkaReceiver.nullable().optional(),
    jaeger: opaque(
      JAEGER,
      [{ path: ['remote_sampling'], harmless: [], hint: 'there is no remote sampling here, nor in Tempo: remove it' }],
      [],
    ),
    opencensus: refused('OpenCensus has ended: send OTLP'),
  },
  { namedKeys: true },
);

const NO_FORWARDING = "spanmill doesn't forward spans: tee them in a collector";

export const distributor = block('Receivers as Tempo spells them.', {
  receivers: receivers.optional(),
  forwarders: refused(NO_FORWARDING, [[]]),
  max_attribute_bytes: refused(
    `${NOT_BUILT}: attributes are not cut when they come in, metrics_generator.registry.max_label_value_length cuts labels`,
    [0, 2048],
  ),
  kafka_config: opaque('Tempo overwrites it with ingest.kafka'),
  ring: opaque(LAYOUT),
  override_ring_key: ignored(LAYOUT, ['distributor']),
  retry_after_on_resource_exhausted: ignored(LIMITS, ['5s']),
  artificial_delay: ignored('answers are not delayed', ['0s']),
  log_received_spans: opaque(NOT_LOGGED),
  log_discarded_spans: opaque(NOT_LOGGED),
  log_received_traces: ignored(NOT_LOGGED, [false]),
  metric_received_spans: opaque('the own metrics count them'),
  usage: opaque('usage is not attributed'),
  search_tags_deny_list: ignored('spanmill keeps no traces'),
  extend_writes: ignored(LAYOUT),
});
