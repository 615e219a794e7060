// `ingest.kafka:`, how a Tempo file names the topic. Every key is listed: one that is misspelled would leave the wrong topic read.

import { z } from 'zod';
import { block, brokerList, flag, ignored, refused, secret, text } from './keys.ts';

const NOT_BUILT = 'not built yet';
const MECHANISM = `the mechanism it belongs to is ${NOT_BUILT}: use SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN`;
const UNBUILT_MECHANISMS = ['OAUTHBEARER', 'AWS_MSK_IAM'];
const OWN_TIMES = 'connections and requests have limits of time of their own (5 s, 30 s)';
const NO_SELF_METRICS = 'the lag is in the own metrics';
const READS_AT_ONCE = 'shards fold the backlog before they are current; nothing waits for them';

const saslMechanism = z
  .enum(['', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER', 'AWS_MSK_IAM'])
  .superRefine((name, context) => {
    if (!UNBUILT_MECHANISMS.includes(name)) return;
    context.addIssue({ code: 'custom', message: `${name} is ${NOT_BUILT}: use SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN` });
  })
  .transform((name) => (name === '' ? 'plain' : (name.toLowerCase() as 'plain' | 'scram-sha-256' | 'scram-sha-512')))
  .prefault('PLAIN')
  .describe('SASL mechanism; PLAIN without a user is off.');

const consumerGroup = z
  .string()
  .superRefine((group, context) => {
    const fail = (message: string) => context.addIssue({ code: 'custom', message });
    if (group === 'metrics-generator')
      fail('a Tempo generator in the same group would take half of the partitions: choose another name');
    else if (group.includes('<partition>')) fail('one group reads all partitions here: leave <partition> out');
  })
  .optional()
  .describe('Consumer group; `spanmill` without one.');

const kafka = block('The topic. With a topic, spans are read from Kafka.', {
  address: brokerList('`host:port`, or a list with commas.').optional(),
  topic: text('Topic.').optional(),
  client_id: text('Name of this client in the brokers’ logs and quotas.').optional(),
  consumer_group: consumerGroup,
  sasl_mechanism: saslMechanism,
  sasl_username: text('SASL user.').optional(),
  sasl_password: secret('SASL password.').optional(),
  tls_enabled: flag('TLS towards the brokers.').prefault(false),
  tls_cert_path: text('File with the client certificate.').optional(),
  tls_key_path: text('File with the client key.').optional(),
  tls_ca_path: text('File with CA certificates.').optional(),
  tls_server_name: text('Name expected in the certificate.').optional(),
  tls_insecure_skip_verify: flag('Accepts any certificate.').prefault(false),
  producer_compression: z
    .enum(['', 'none', 'gzip', 'snappy', 'lz4', 'zstd'])
    .optional()
    .describe('Of what the receivers write to the topic; empty = zstd.'),
  auto_create_topic_enabled: flag('No topic is created here; that is said where it is on.').optional(),
  tls_cipher_suites: refused(`${NOT_BUILT}: the runtime's own are used`, ['']),
  tls_min_version: refused(`${NOT_BUILT}: TLS 1.2 is the lowest that is spoken`, ['', 'VersionTLS12']),
  sasl_oauthbearer_token: refused(MECHANISM, ['']),
  sasl_oauthbearer_zid: refused(MECHANISM, ['']),
  sasl_oauthbearer_extensions: refused(MECHANISM, ['', {}]),
  sasl_oauthbearer_file_path: refused(MECHANISM, ['']),
  sasl_oauthbearer_http_socket_path: refused(MECHANISM, ['']),
  sasl_oauthbearer_http_socket_timeout: ignored(MECHANISM, ['10s']),
  sasl_msk_iam_access_key: refused(MECHANISM, ['']),
  sasl_msk_iam_secret_key: refused(MECHANISM, ['']),
  sasl_msk_iam_session_token: refused(MECHANISM, ['']),
  sasl_msk_iam_user_agent: refused(MECHANISM, ['']),
  sasl_msk_iam_file_path: refused(MECHANISM, ['']),
  sasl_msk_iam_http_socket_path: refused(MECHANISM, ['']),
  sasl_msk_iam_http_socket_timeout: ignored(MECHANISM, ['10s']),
  client_rack: ignored('fetches go to the leader of a partition', ['']),
  dial_timeout: ignored(OWN_TIMES, ['2s']),
  write_timeout: ignored(OWN_TIMES, ['10s']),
  consumer_group_offset_commit_interval: ignored('offsets are committed with each ledger entry', ['1s']),
  consumer_group_lag_metric_update_interval: ignored(NO_SELF_METRICS, ['1m']),
  disable_kafka_telemetry: ignored(NO_SELF_METRICS, [false]),
  last_produced_offset_retry_timeout: ignored(READS_AT_ONCE, ['10s']),
  target_consumer_lag_at_startup: ignored(READS_AT_ONCE, ['2s']),
  max_consumer_lag_at_startup: ignored(READS_AT_ONCE, ['15s']),
  auto_create_topic_default_partitions: ignored('the setting of the brokers is left alone', [1000]),
  producer_max_record_size_bytes: ignored('records of up to 64 MiB are written', [15_983_616]),
  producer_max_buffered_bytes: ignored('the receivers bound what waits', [1_073_741_824]),
});

export const ingest = block('Kafka as Tempo spells it; instead of `log.kafka`.', {
  enabled: flag('Older files: false means no Kafka.').optional(),
  kafka: kafka.optional(),
});
