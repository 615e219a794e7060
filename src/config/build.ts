// From what the schema returns to `Config`: units into names, Tempo's spellings into spanmill's, and the rules that hold between blocks.

import type { z } from 'zod';
import { endpoint } from './build-endpoint.ts';
import { compact } from './compact.ts';
import type { Config, KafkaLogSettings } from './config.ts';
import { pastedReceivers, sayWhereItListens, takeDirectory, takeKafka, takeTarget } from './from-tempo.ts';
import { checkNaming } from './naming.ts';
import type { Path } from './problem.ts';
import type { configFile } from './schema/file.ts';
import type { YamlSource } from './yaml-source.ts';

type Parsed = z.output<typeof configFile>;

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
      perTenantFile: parsed.overrides.perTenantOverrideConfig || undefined,
      perTenantPeriodMs: parsed.overrides.perTenantOverridePeriod,
    }),
    written,
  };
  takeKafka(parsed, config, source);
  takeTarget(parsed, config, source);
  takeDirectory(parsed, config, source);
  sayWhereItListens(config, source);
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
  const pasted = pastedReceivers(parsed, source);
  if (pasted !== undefined) return pasted;
  const { http, grpc } = parsed.receivers.otlp;
  const otlp: Config['receivers']['otlp'] = {};
  if (http?.enabled) otlp.http = { endpoint: http.endpoint, maxRequestBodyBytes: http.maxRequestBodySize };
  if (grpc?.enabled) otlp.grpc = { endpoint: grpc.endpoint };
  const zipkin = parsed.receivers.zipkin ? { zipkin: { endpoint: parsed.receivers.zipkin.endpoint } } : {};
  return { otlp, ...zipkin };
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
  const isPasted = source.has(['distributor', 'receivers']);
  const otlp = isPasted ? ['distributor', 'receivers', 'otlp', 'protocols'] : ['receivers', 'otlp'];
  const places: [path: Path, endpoint: string | undefined][] = [
    [['server', 'http_listen_port'], `${config.server.httpListenAddress}:${config.server.httpListenPort}`],
    [[...otlp, 'http', 'endpoint'], http?.endpoint],
    [[...otlp, 'grpc', 'endpoint'], grpc?.endpoint],
    [[...(isPasted ? ['distributor'] : []), 'receivers', 'zipkin', 'endpoint'], config.receivers.zipkin?.endpoint],
  ];
  for (const [path, place] of places) {
    if (place === undefined || place.endsWith(':0')) continue;
    const owner = taken.get(place);
    if (owner === undefined) taken.set(place, path.join('.'));
    else source.problem(path, `${place} is also ${owner}`);
  }
}
