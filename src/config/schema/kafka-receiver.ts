// `distributor.receivers.kafka`: the collector's Kafka receiver, read as spanmill's own source. What would read other records than it did,
// or reach the brokers as somebody else, is refused.

import { z } from 'zod';
import { block, brokers, flag, ignored, opaque, refused, secret, text, texts } from './keys.ts';
import { onlyOneSource } from './remote-write.ts';

const NOT_BUILT = 'not built yet';
const RUNTIMES = "the runtime's own are used";
const LAYOUT = "it tunes the collector's client";
const COMMITS = 'offsets are committed with each ledger entry';
const OWN_GROUP = 'the group has a protocol of its own';

export const RECEIVER_ENCODINGS = [
  'otlp_proto',
  'otlp_json',
  'jaeger_proto',
  'jaeger_json',
  'zipkin_proto',
  'zipkin_json',
] as const;

const encoding = z.enum(RECEIVER_ENCODINGS).optional().describe('How records are encoded; otlp_proto without one.');

const tls = block('TLS towards the brokers.', {
  insecure: flag('No TLS.').prefault(false),
  insecure_skip_verify: flag('Accepts any certificate.').prefault(false),
  ca_file: text('File with CA certificates.').optional(),
  ca_pem: text('CA certificates (PEM).').optional(),
  cert_file: text('File with the client certificate.').optional(),
  cert_pem: text('Client certificate (PEM).').optional(),
  key_file: text('File with the client key.').optional(),
  key_pem: secret('Client key (PEM).').optional(),
  server_name_override: text('Name expected in the certificate.').optional(),
  min_version: refused(`${NOT_BUILT}: TLS 1.2 is the lowest that is spoken`, ['', '1.2']),
  max_version: refused(`${NOT_BUILT}: ${RUNTIMES}`, ['', '1.3']),
  cipher_suites: refused(`${NOT_BUILT}: ${RUNTIMES}`, [[]]),
  curve_preferences: refused(`${NOT_BUILT}: ${RUNTIMES}`, [[]]),
  include_system_ca_certs_pool: refused(`${NOT_BUILT}: without ca_file, the runtime's authorities are trusted`, [
    false,
  ]),
  tpm: refused(`${NOT_BUILT}: use cert_file and key_file`, [{}]),
  reload_interval: ignored('certificates are read at the start', ['0s']),
})
  .superRefine((value, context) =>
    onlyOneSource(
      {
        ca: value.caPem,
        caFile: value.caFile,
        cert: value.certPem,
        certFile: value.certFile,
        key: value.keyPem,
        keyFile: value.keyFile,
      },
      context,
    ),
  )
  .optional();

const sasl = block('Who we are to the brokers.', {
  username: text('User.'),
  password: secret('Password.'),
  mechanism: z
    .enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
    .transform((name) => name.toLowerCase() as 'plain' | 'scram-sha-256' | 'scram-sha-512')
    .prefault('PLAIN')
    .describe('Mechanism.'),
  version: ignored('the client chooses', [0, 1]),
  aws_msk: refused(`${NOT_BUILT}: use SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN`, [{}]),
});

const auth = block('Authentication.', {
  sasl: sasl.optional(),
  plain_text: block('Older spelling of sasl with mechanism PLAIN.', {
    username: text('User.'),
    password: secret('Password.'),
  }).optional(),
  kerberos: refused(`${NOT_BUILT}: use SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN`),
  tls: refused('write it as `tls` beside `auth`', [{}]),
}).refine((value) => value.sasl === undefined || value.plainText === undefined, {
  error: 'use one of sasl and plain_text',
});

export const kafkaReceiver = block(
  "The collector's Kafka receiver; read as log.kafka.",
  {
    brokers: brokers('`host:port` of some brokers.').prefault(['localhost:9092']),
    client_id: text('Name of this client in the brokers’ logs and quotas.').optional(),
    group_id: text('Consumer group; `spanmill` without one.').optional(),
    initial_offset: z
      .enum(['earliest', 'latest'])
      .optional()
      .describe('Where the first start begins; log.kafka.start without one.'),
    traces: block('The topic.', {
      topics: texts('One topic.').optional(),
      topic: text('Older spelling of topics.').optional(),
      encoding,
      exclude_topics: refused('topics are not found by a pattern here: name one', [[]]),
    }).optional(),
    topic: text('Older spelling of traces.topics.').optional(),
    encoding,
    tls,
    auth: auth.optional(),
    logs: opaque('only traces are read'),
    metrics: opaque('only traces are read'),
    profiles: opaque('only traces are read'),
    protocol_version: ignored('versions are agreed with the brokers'),
    session_timeout: ignored(OWN_GROUP, ['10s']),
    heartbeat_interval: ignored(OWN_GROUP, ['3s']),
    group_rebalance_strategy: ignored(OWN_GROUP, ['', 'range']),
    group_instance_id: ignored(OWN_GROUP, ['']),
    autocommit: opaque(COMMITS),
    message_marking: opaque(COMMITS),
    min_fetch_size: ignored(LAYOUT, [1]),
    max_fetch_size: ignored(LAYOUT, [1_048_576]),
    default_fetch_size: ignored(LAYOUT, [1_048_576]),
    max_fetch_wait: ignored(LAYOUT, ['250ms']),
    max_partition_fetch_size: ignored(LAYOUT, [1_048_576]),
    rack_id: ignored('fetches go to the leader of a partition', ['']),
    use_leader_epoch: ignored(LAYOUT, [true]),
    conn_idle_timeout: ignored(LAYOUT, ['9m']),
    resolve_canonical_bootstrap_servers_only: ignored(LAYOUT, [false]),
    metadata: opaque(LAYOUT),
    header_extraction: opaque("a record's headers become no attributes", [
      {
        path: ['extract_headers'],
        harmless: [false],
        hint: "a record's headers become no attributes here: add them in the collector that writes the topic",
      },
    ]),
    error_backoff: opaque('records that are not understood are passed over, counted'),
    telemetry: opaque('the own metrics count what is read'),
  },
  { nullMeans: 'on, with its defaults' },
).refine((value) => topicsOf(value).length === 1 && !topicsOf(value)[0]!.startsWith('^'), {
  error: 'name one topic (traces.topics), not several and no pattern: one log is one topic',
});

/** The spellings of the topic; the collector's default where there is none. */
export function topicsOf(receiver: {
  traces?: { topics?: string[] | undefined; topic?: string | undefined } | undefined;
  topic?: string | undefined;
}): string[] {
  const { topics = [], topic } = receiver.traces ?? {};
  const named = [...topics, topic ?? '', receiver.topic ?? ''].filter((name) => name !== '');
  return named.length === 0 ? ['otlp_spans'] : [...new Set(named)];
}
