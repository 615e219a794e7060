// From what the schema returns to `Config`: units into names, Tempo's spellings into spanmill's, and the rules that hold between blocks.

import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { Config, KafkaLogSettings, RemoteWriteEndpoint, TlsSettings } from './config.ts';
import { checkNaming } from './naming.ts';
import type { Path } from './problem.ts';
import type { configFile } from './schema/file.ts';
import type { YamlSource } from './yaml-source.ts';

type Parsed = z.output<typeof configFile>;

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };
/** Without the keys that are undefined. */
function compact<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, held]) => held !== undefined)) as Defined<T>;
}

export function buildConfig(parsed: Parsed, written: Record<string, unknown>, source: YamlSource): Config {
  const config: Config = {
    server: {
      httpListenAddress: parsed.server.httpListenAddress,
      httpListenPort: parsed.server.httpListenPort,
      logLevel: parsed.server.logLevel,
    },
    multitenancyEnabled: parsed.multitenancyEnabled || parsed.authEnabled === true,
    receivers: receivers(parsed, source),
    log: {
      kind: parsed.log.kind,
      embedded: {
        path: parsed.log.embedded.path,
        partitions: parsed.log.embedded.partitions,
        segmentBytes: parsed.log.embedded.segmentBytes,
        retention: {
          maxAgeMs: parsed.log.embedded.retention.maxAge,
          maxBytes: parsed.log.embedded.retention.maxBytes,
        },
      },
      kafka: kafkaLog(parsed),
    },
    shards: { count: parsed.shards.count, own: ownedShards(parsed, source) },
    ledger: parsed.ledger,
    generator: parsed.metricsGenerator,
    semconv: parsed.semconv,
    remoteWrite: {
      endpoints: parsed.metricsGenerator.storage.remoteWrite.map(endpoint),
      flushDeadlineMs: parsed.metricsGenerator.storage.remoteWriteFlushDeadline,
      addOrgIdHeader: parsed.metricsGenerator.storage.remoteWriteAddOrgIdHeader,
    },
    overrides: compact({
      merge: parsed.overrides.merge,
      defaults: parsed.overrides.defaults,
      tenants: {},
      perTenantFile: parsed.overrides.perTenantOverrideConfig,
      perTenantPeriodMs: parsed.overrides.perTenantOverridePeriod,
    }),
    written,
  };
  ingestKafka(parsed, config, source);
  checkLog(config, source);
  checkPorts(config, source);
  checkNaming(config, source);
  return config;
}

function kafkaLog(parsed: Parsed): KafkaLogSettings {
  const { kafka } = parsed.log;
  const encoding = kafka.encoding ?? parsed.metricsGenerator.codec;
  return compact({
    brokers: kafka.brokers,
    topic: kafka.topic,
    encoding: encoding === 'otlp_proto' ? 'otlp' : encoding,
    start: kafka.start,
    consumerGroup: kafka.consumerGroup,
    clientId: kafka.clientId,
    onLogGap: kafka.onLogGap,
    deadLetterTopic: kafka.deadLetterTopic === '' ? undefined : kafka.deadLetterTopic,
    compression: kafka.compression,
    tls: kafka.tls && compact(kafka.tls),
    sasl: kafka.sasl && compact(kafka.sasl),
  });
}

function receivers(parsed: Parsed, source: YamlSource): Config['receivers'] {
  const own = parsed.receivers.otlp;
  const otlp: Config['receivers']['otlp'] = {};
  const zipkin = parsed.receivers.zipkin ? { zipkin: { endpoint: parsed.receivers.zipkin.endpoint } } : {};
  const pasted = parsed.distributor?.receivers?.otlp;
  if (pasted === undefined) {
    if (source.has(['distributor', 'receivers', 'jaeger'])) {
      const path = ['distributor', 'receivers', 'jaeger'];
      source.problem(path, 'there is no Jaeger receiver here: send OTLP, or put a collector before it', 'key');
    }
    if (own.http?.enabled)
      otlp.http = { endpoint: own.http.endpoint, maxRequestBodyBytes: own.http.maxRequestBodySize };
    if (own.grpc?.enabled) otlp.grpc = { endpoint: own.grpc.endpoint };
    return { otlp, ...zipkin };
  }
  const path = ['distributor', 'receivers', 'otlp'];
  if (source.has(['receivers']))
    source.problem(path, 'receivers are written twice: keep `receivers` or `distributor.receivers`', 'key');
  const { http, grpc } = pasted.protocols ?? {};
  // Named and empty means on with the defaults; not named means off.
  if (http !== undefined) {
    otlp.http = {
      endpoint: http?.endpoint ?? 'localhost:4318',
      maxRequestBodyBytes: http?.maxRequestBodySize ?? 20 * 1024 * 1024,
    };
  }
  if (grpc !== undefined) otlp.grpc = { endpoint: grpc?.endpoint ?? 'localhost:4317' };
  if (http === undefined && grpc === undefined)
    source.problem([...path, 'protocols'], 'name grpc, http or both', 'key');
  return { otlp };
}

function ownedShards(parsed: Parsed, source: YamlSource): number[] {
  const { count, own } = parsed.shards;
  if (own === 'all') return Array.from({ length: count }, (_, shard) => shard);
  own.forEach((shard, index) => {
    if (shard >= count)
      source.problem(
        ['shards', 'own', index],
        `there is no shard ${shard}: with count ${count} they are 0 to ${count - 1}`,
      );
  });
  if (own.length === 0) source.problem(['shards', 'own'], 'an empty list leaves nothing to do');
  return [...new Set(own)].sort((a, b) => a - b);
}

function endpoint(parsed: Parsed['metricsGenerator']['storage']['remoteWrite'][number]): RemoteWriteEndpoint {
  return compact({
    url: parsed.url,
    name: parsed.name ?? `remote-write-${createHash('sha256').update(parsed.url).digest('hex').slice(0, 8)}`,
    remoteTimeoutMs: parsed.remoteTimeout,
    headers: parsed.headers,
    basicAuth:
      parsed.basicAuth &&
      compact({
        username: parsed.basicAuth.username,
        usernameFile: parsed.basicAuth.usernameFile,
        password: parsed.basicAuth.password,
        passwordFile: parsed.basicAuth.passwordFile,
      }),
    authorizationScheme: parsed.authorization?.type ?? 'Bearer',
    bearerToken: parsed.bearerToken ?? parsed.authorization?.credentials,
    bearerTokenFile: parsed.bearerTokenFile ?? parsed.authorization?.credentialsFile,
    tls: parsed.tlsConfig && tlsSettings(parsed.tlsConfig),
    followRedirects: parsed.followRedirects,
    sendExemplars: parsed.sendExemplars,
    maxSamplesPerSend: parsed.queueConfig.maxSamplesPerSend,
    maxParallelRequests: parsed.queueConfig.maxShards,
    minBackoffMs: parsed.queueConfig.minBackoff,
    maxBackoffMs: parsed.queueConfig.maxBackoff,
    sampleAgeLimitMs: parsed.queueConfig.sampleAgeLimit,
    writeRelabelConfigs: parsed.writeRelabelConfigs,
  });
}

type TlsConfig = NonNullable<Parsed['metricsGenerator']['storage']['remoteWrite'][number]['tlsConfig']>;

function tlsSettings(tls: TlsConfig): TlsSettings {
  const { ca, caFile, cert, certFile, key, keyFile, serverName, insecureSkipVerify, minVersion, maxVersion } = tls;
  return compact({ ca, caFile, cert, certFile, key, keyFile, serverName, insecureSkipVerify, minVersion, maxVersion });
}

/** With an address and a topic, the pasted block means: read from Kafka. */
function ingestKafka(parsed: Parsed, config: Config, source: YamlSource): void {
  const kafka = parsed.ingest?.kafka;
  if (kafka?.topic === undefined || kafka.topic === '' || parsed.ingest?.enabled === false) return;
  const path = ['ingest', 'kafka'];
  if (source.has(['log'])) {
    source.problem(path, 'the log is written twice: keep `log` or `ingest.kafka`', 'key');
    return;
  }
  const brokers = (kafka.address ?? 'localhost:9092').split(',').map((broker) => broker.trim());
  const settings: KafkaLogSettings = { ...config.log.kafka, brokers, topic: kafka.topic };
  if (kafka.consumerGroup !== undefined && kafka.consumerGroup !== '') settings.consumerGroup = kafka.consumerGroup;
  const { saslMechanism, saslUsername = '', saslPassword = '' } = kafka;
  if ((saslUsername === '') !== (saslPassword === ''))
    source.problem(path, 'sasl_username and sasl_password go together');
  if (saslUsername !== '') settings.sasl = { mechanism: saslMechanism, username: saslUsername, password: saslPassword };
  if (kafka.tlsEnabled) {
    settings.tls = compact({
      caFile: kafka.tlsCaPath || undefined,
      certFile: kafka.tlsCertPath || undefined,
      keyFile: kafka.tlsKeyPath || undefined,
      serverName: kafka.tlsServerName || undefined,
      insecureSkipVerify: kafka.tlsInsecureSkipVerify,
    });
  }
  config.log = { ...config.log, kind: 'kafka', kafka: settings };
  source.note(path, `read as log.kind: kafka, topic ${kafka.topic}`);
}

function checkLog(config: Config, source: YamlSource): void {
  if (config.log.kind === 'kafka') {
    if (config.log.kafka.brokers.length === 0)
      source.problem(['log', 'kafka', 'brokers'], 'log.kind kafka needs at least one broker');
    if (config.log.kafka.topic === '') source.problem(['log', 'kafka', 'topic'], 'log.kind kafka needs a topic');
  } else if (config.shards.count > config.log.embedded.partitions) {
    source.problem(
      ['shards', 'count'],
      `${config.shards.count} shards can't share ${config.log.embedded.partitions} partitions: raise log.embedded.partitions`,
    );
  }
}

function checkPorts(config: Config, source: YamlSource): void {
  const { http, grpc } = config.receivers.otlp;
  const taken = new Map<string, string>();
  const places: [path: Path, endpoint: string | undefined][] = [
    [['server', 'http_listen_port'], `${config.server.httpListenAddress}:${config.server.httpListenPort}`],
    [['receivers', 'otlp', 'http', 'endpoint'], http?.endpoint],
    [['receivers', 'otlp', 'grpc', 'endpoint'], grpc?.endpoint],
    [['receivers', 'zipkin', 'endpoint'], config.receivers.zipkin?.endpoint],
  ];
  for (const [path, place] of places) {
    if (place === undefined || place.endsWith(':0')) continue;
    const owner = taken.get(place);
    if (owner === undefined) taken.set(place, path.join('.'));
    else source.problem(path, `${place} is also ${owner}`);
  }
}
