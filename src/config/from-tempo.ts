// What a pasted Tempo file says of where spans come from and where state is kept, in spanmill's own settings. Nothing is decided
// between two places that say different things: that is a problem for the user.

import { join } from 'node:path';
import type { z } from 'zod';
import type { Config, KafkaLogSettings } from './config.ts';
import type { Path } from './problem.ts';
import type { configFile } from './schema/file.ts';
import { topicsOf } from './schema/kafka-receiver.ts';
import type { YamlSource } from './yaml-source.ts';

type Parsed = z.output<typeof configFile>;
type KafkaReceiver = NonNullable<NonNullable<NonNullable<Parsed['distributor']>['receivers']>['kafka']>;

const RECEIVERS: Path = ['distributor', 'receivers'];
const MIB = 1024 * 1024;

/** Blocks that only a file of Tempo's has. */
const TEMPO_BLOCKS = [
  'distributor',
  'ingest',
  'ingester',
  'storage',
  'querier',
  'query_frontend',
  'compactor',
  'backend_worker',
  'backend_scheduler',
  'block_builder',
  'live_store',
  'memberlist',
];

export function isTempoFile(source: YamlSource): boolean {
  return TEMPO_BLOCKS.some((key) => source.has([key]));
}

/** The receivers of `distributor`; undefined where it names none. */
export function pastedReceivers(parsed: Parsed, source: YamlSource): Config['receivers'] | undefined {
  const named = parsed.distributor?.receivers;
  const jaeger = [...RECEIVERS, 'jaeger'];
  if (named === undefined || Object.values(named).every((one) => one === undefined)) {
    if (source.has(jaeger)) {
      source.problem(jaeger, 'there is no Jaeger receiver here: send OTLP, or put a collector before it', 'key');
    } else if (source.has(['distributor'])) {
      const message = 'names no receivers: those of `receivers` listen (in Tempo: Jaeger and OTLP over gRPC)';
      source.note(['distributor'], message);
    }
    return undefined;
  }
  if (source.has(['receivers'])) {
    source.problem(RECEIVERS, 'receivers are written twice: keep `receivers` or `distributor.receivers`', 'key');
  }
  // Named and empty means on with the defaults; not named means off.
  const receivers: Config['receivers'] = { otlp: {} };
  if (named.otlp !== undefined) {
    const { http, grpc } = named.otlp.protocols ?? {};
    if (http !== undefined) {
      const maxRequestBodyBytes = http?.maxRequestBodySize || 20 * MIB;
      receivers.otlp.http = { endpoint: http?.endpoint ?? 'localhost:4318', maxRequestBodyBytes };
    }
    if (grpc !== undefined) receivers.otlp.grpc = { endpoint: grpc?.endpoint ?? 'localhost:4317' };
    if (http === undefined && grpc === undefined)
      source.problem([...RECEIVERS, 'otlp', 'protocols'], 'name grpc, http or both', 'key');
  }
  if (named.zipkin !== undefined) receivers.zipkin = { endpoint: named.zipkin?.endpoint ?? 'localhost:9411' };
  return receivers;
}

/** Sets the log where the file names a topic, as Tempo does or as a collector's receiver. */
export function takeKafka(parsed: Parsed, config: Config, source: YamlSource): void {
  const ingest = parsed.ingest?.enabled === false ? undefined : parsed.ingest?.kafka;
  const receiver = parsed.distributor?.receivers?.kafka;
  const hasTopic = ingest?.topic !== undefined && ingest.topic !== '';
  if (receiver !== undefined) {
    const path = [...RECEIVERS, 'kafka'];
    if (hasTopic || source.has(['log'])) {
      const other = hasTopic ? 'ingest.kafka' : 'log';
      source.problem(path, `two places say what is read: keep this receiver or \`${other}\``, 'key');
    } else fromReceiver(receiver ?? undefined, config, source, path);
  } else if (hasTopic) fromIngest(ingest, config, source);
}

type Ingest = NonNullable<NonNullable<Parsed['ingest']>['kafka']>;

function fromIngest(ingest: Ingest, config: Config, source: YamlSource): void {
  const path = ['ingest', 'kafka'];
  if (source.has(['log'])) {
    source.problem(path, 'the log is written twice: keep `log` or `ingest.kafka`', 'key');
    return;
  }
  const brokers = (ingest.address || 'localhost:9092').split(',').map((broker) => broker.trim());
  const settings: KafkaLogSettings = { ...config.log.kafka, brokers, topic: ingest.topic! };
  if (ingest.consumerGroup) settings.consumerGroup = ingest.consumerGroup;
  if (ingest.clientId) settings.clientId = ingest.clientId;
  if (ingest.producerCompression) settings.compression = ingest.producerCompression;
  const { saslMechanism, saslUsername = '', saslPassword = '' } = ingest;
  if ((saslUsername === '') !== (saslPassword === ''))
    source.problem(path, 'sasl_username and sasl_password go together');
  if (saslUsername !== '') settings.sasl = { mechanism: saslMechanism, username: saslUsername, password: saslPassword };
  if (ingest.tlsEnabled) {
    settings.tls = {
      ...given('caFile', ingest.tlsCaPath),
      ...given('certFile', ingest.tlsCertPath),
      ...given('keyFile', ingest.tlsKeyPath),
      ...given('serverName', ingest.tlsServerName),
      insecureSkipVerify: ingest.tlsInsecureSkipVerify,
    };
    if ((settings.tls.certFile === undefined) !== (settings.tls.keyFile === undefined))
      source.problem(path, 'tls_cert_path and tls_key_path go together');
  }
  config.log = { ...config.log, kind: 'kafka', kafka: settings };
  source.note(path, `read as log.kind kafka: topic ${settings.topic}, in the consumer group ${settings.consumerGroup}`);
  if (ingest.autoCreateTopicEnabled)
    source.note(
      [...path, 'auto_create_topic_enabled'],
      'no topic is created here: it has to be there before the start',
    );
}

function fromReceiver(receiver: KafkaReceiver | undefined, config: Config, source: YamlSource, path: Path): void {
  const { otlp, zipkin } = config.receivers;
  if (otlp.grpc ?? otlp.http ?? zipkin) {
    const message = 'what the other receivers take in would be written to its topic: keep this one, or the others';
    source.problem(path, message, 'key');
    return;
  }
  const settings: KafkaLogSettings = {
    ...config.log.kafka,
    brokers: receiver?.brokers ?? ['localhost:9092'],
    topic: topicsOf(receiver ?? {})[0]!,
  };
  const encoding = receiver?.traces?.encoding ?? receiver?.encoding ?? 'otlp_proto';
  settings.encoding = encoding === 'otlp_proto' ? 'otlp' : encoding;
  if (receiver?.groupId) settings.consumerGroup = receiver.groupId;
  if (receiver?.groupId === 'otel-collector')
    source.note(
      [...path, 'group_id'],
      "it is a collector's default: one in the same group would take half of the partitions",
    );
  if (receiver?.clientId) settings.clientId = receiver.clientId;
  if (receiver?.initialOffset) settings.start = receiver.initialOffset;
  const { sasl, plainText } = receiver?.auth ?? {};
  if (sasl) settings.sasl = { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password };
  if (plainText) settings.sasl = { mechanism: 'plain', ...plainText };
  const tls = receiver?.tls;
  if (tls && !tls.insecure) {
    settings.tls = {
      ...given('ca', tls.caPem),
      ...given('caFile', tls.caFile),
      ...given('cert', tls.certPem),
      ...given('certFile', tls.certFile),
      ...given('key', tls.keyPem),
      ...given('keyFile', tls.keyFile),
      ...given('serverName', tls.serverNameOverride),
      insecureSkipVerify: tls.insecureSkipVerify,
    };
  }
  config.log = { ...config.log, kind: 'kafka', kafka: settings };
  source.note(path, `read as log.kind kafka: topic ${settings.topic}, in the consumer group ${settings.consumerGroup}`);
}

/** A generator alone has no receivers. */
export function takeTarget(parsed: Parsed, config: Config, source: YamlSource): void {
  if (parsed.target === undefined || !parsed.target.startsWith('metrics-generator')) return;
  if (source.has(['receivers'])) return;
  if (config.log.kind === 'kafka') {
    config.receivers = { otlp: {} };
    source.note(['target'], 'no receiver listens: spans come from Kafka alone');
    return;
  }
  const message =
    'a generator alone gets its spans from Kafka: name ingest.kafka.topic, or use target all and send OTLP here';
  source.problem(['target'], message);
}

/** The directory that the file has for the generator, where spanmill's own are not set. */
export function takeDirectory(parsed: Parsed, config: Config, source: YamlSource): void {
  const { path } = parsed.metricsGenerator.storage;
  if (path === '') return;
  const kept: string[] = [];
  if (!source.has(['ledger', 'path'])) {
    config.ledger = { ...config.ledger, path: join(path, 'spanmill', 'ledger') };
    kept.push(`the ledger is in ${config.ledger.path}`);
  }
  if (config.log.kind === 'embedded' && !source.has(['log', 'embedded', 'path'])) {
    const embedded = { ...config.log.embedded, path: join(path, 'spanmill', 'log') };
    config.log = { ...config.log, embedded };
    kept.push(`the log in ${embedded.path}`);
  }
  const where =
    kept.length === 0 ? 'not used: ledger.path and log.embedded.path say where state is kept' : kept.join(', ');
  source.note(['metrics_generator', 'storage', 'path'], where);
}

/** Where Tempo listens everywhere by default, spanmill doesn't. */
export function sayWhereItListens(config: Config, source: YamlSource): void {
  if (!isTempoFile(source) || source.has(['server', 'http_listen_address'])) return;
  const { httpListenAddress, httpListenPort } = config.server;
  source.note(
    ['server', 'http_listen_port'],
    `the API listens on ${httpListenAddress}:${httpListenPort} only (Tempo: on all addresses): set server.http_listen_address to 0.0.0.0 for probes and scrapes from elsewhere`,
  );
}

function given<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return (value === undefined || value === '' ? {} : { [key]: value }) as Partial<Record<K, string>>;
}
