// `ingest.kafka:`

import { expect } from 'vitest';
import type { Config } from '../../../src/config/index.ts';
import { ignored, type Row, refused, under, used } from './row.ts';

const MECHANISM = /not built yet: use SCRAM-SHA-512/;
const UNBUILT = { quiet: [''] };
const OWN_TIMES = /limits of time of their own/;
const WAITS_FOR_NOTHING = /fold the backlog before they are current/;
const onlyIf = ({ log }: Config) => log.kind === 'kafka';
const orUndefined = (written: unknown) => (written === '' ? undefined : written);

const KAFKA: Row[] = [
  used('address', 'log.kafka.brokers', {
    becomes: (text) =>
      String(text)
        .split(',')
        .map((one) => one.trim()),
  }),
  used('topic', 'log.kafka.topic'),
  used('client_id', 'log.kafka.clientId', { becomes: (id) => id || 'spanmill' }),
  used('consumer_group', 'log.kafka.consumerGroup', {
    becomes: (group) => group || 'spanmill',
    refuses: [['metrics-generator', /half of the partitions/]],
  }),
  used('sasl_mechanism', 'log.kafka.sasl.mechanism', {
    becomes: (name) => String(name).toLowerCase(),
    refuses: [['OAUTHBEARER', /OAUTHBEARER is not built yet/]],
  }),
  used('sasl_username', 'log.kafka.sasl.username', { becomes: orUndefined }),
  used('sasl_password', 'log.kafka.sasl.password', { becomes: orUndefined }),
  // On, there is a block.
  used('tls_enabled', 'log.kafka.tls', {
    becomes: (on) => (on === true ? expect.objectContaining({ insecureSkipVerify: true }) : undefined),
  }),
  used('tls_cert_path', 'log.kafka.tls.certFile', { becomes: orUndefined }),
  used('tls_key_path', 'log.kafka.tls.keyFile', { becomes: orUndefined }),
  used('tls_ca_path', 'log.kafka.tls.caFile', { becomes: orUndefined }),
  used('tls_server_name', 'log.kafka.tls.serverName', { becomes: orUndefined }),
  used('tls_insecure_skip_verify', 'log.kafka.tls.insecureSkipVerify'),
  used('producer_compression', 'log.kafka.compression', { becomes: (codec) => codec || 'zstd' }),
  refused('tls_cipher_suites', /not built yet/, { quiet: [''] }),
  refused('tls_min_version', /TLS 1.2 is the lowest/, { quiet: ['', 'VersionTLS12'] }),
  ...['token', 'zid', 'extensions', 'file_path', 'http_socket_path'].map((key) =>
    refused(`sasl_oauthbearer_${key}`, MECHANISM, key === 'extensions' ? { quiet: [{}] } : UNBUILT),
  ),
  refused('sasl_oauthbearer_extensions.*', MECHANISM),
  ...['access_key', 'secret_key', 'session_token', 'user_agent', 'file_path', 'http_socket_path'].map((key) =>
    refused(`sasl_msk_iam_${key}`, MECHANISM, UNBUILT),
  ),
  ignored('sasl_oauthbearer_http_socket_timeout', MECHANISM, ['10s']),
  ignored('sasl_msk_iam_http_socket_timeout', MECHANISM, ['10s']),
  ignored('client_rack', /leader of a partition/, ['']),
  ignored('dial_timeout', OWN_TIMES, ['2s'], { gap: 'a slow broker is waited for a little longer or shorter' }),
  ignored('write_timeout', OWN_TIMES, ['10s'], { gap: 'a slow broker is waited for a little longer or shorter' }),
  ignored('consumer_group_offset_commit_interval', /committed with each ledger entry/, ['1s']),
  ignored('last_produced_offset_retry_timeout', WAITS_FOR_NOTHING, ['10s']),
  used('auto_create_topic_enabled', '', {
    quiet: [false],
    says: /no topic is created here/,
    gap: 'the topic has to be there; a start without it is refused with its name',
  }),
  ignored('auto_create_topic_default_partitions', /left alone/, [1000]),
  ignored('producer_max_record_size_bytes', /up to 64 MiB/, [15_983_616], {
    gap: 'the topic itself refuses what is too large for it',
  }),
  ignored('producer_max_buffered_bytes', /receivers bound what waits/, [1_073_741_824]),
  ignored('target_consumer_lag_at_startup', WAITS_FOR_NOTHING, ['2s']),
  ignored('max_consumer_lag_at_startup', WAITS_FOR_NOTHING, ['15s']),
  ignored('disable_kafka_telemetry', /own metrics/, [false]),
  ignored('consumer_group_lag_metric_update_interval', /own metrics/, ['1m0s']),
];

export const INGEST: Row[] = [
  // Off, it leaves the log in a directory.
  used('ingest.enabled', 'log.kind', { becomes: (on) => (on === true ? 'kafka' : 'embedded') }),
  ...under('ingest.kafka', KAFKA).map((row) => (row.verdict === 'used' ? { ...row, onlyIf } : row)),
];
