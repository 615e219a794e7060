// Tempo's flags: each stands for a key, and the key's rules hold, or is ignored with a reason.

import { describe, expect, it } from 'vitest';
import { loadConfig, nearestTempoFlag, tempoFlag } from '../../src/config/index.ts';

/** As the command does: a value for each flag that stands for a key. */
function loadWith(flags: Record<string, string>, text = '') {
  const set = Object.fromEntries(Object.entries(flags).map(([name, value]) => [tempoFlag(name)!.key!, value]));
  return loadConfig({ text, fileName: 'tempo.yaml', set });
}

describe("a flag of Tempo's command line", () => {
  it('wins over the file', () => {
    const { config } = loadWith(
      {
        target: 'all',
        'multitenancy.enabled': 'true',
        'log.level': 'warn',
        'server.http-listen-port': '3333',
        'config.per-user-override-period': '1m',
        'metrics-generator.native-histogram-bucket-factor': '1.4',
        'metrics-generator.native-histogram-max-bucket-number': '70',
        'metrics-generator.native-histogram-min-reset-duration': '20m',
      },
      'multitenancy_enabled: false\nserver: {http_listen_port: 80, log_level: info}\n',
    );
    expect(config.multitenancyEnabled).toBe(true);
    expect(config.server).toMatchObject({ httpListenPort: 3333, logLevel: 'warn' });
    expect(config.overrides.perTenantPeriodMs).toBe(60_000);
    expect(config.overrides.defaults.metricsGenerator).toMatchObject({
      nativeHistogramBucketFactor: 1.4,
      nativeHistogramMaxBucketNumber: 70,
      nativeHistogramMinResetDuration: 1_200_000,
    });
  });

  it('may name the topic', () => {
    const { config } = loadWith({
      'ingest.address': 'kafka:9093',
      'ingest.topic': 'spans',
      'ingest.sasl-username': 'u',
      'ingest.sasl-password': 'p',
      'ingest.tls-enabled': 'true',
    });
    expect(config.log).toMatchObject({ kind: 'kafka', kafka: { brokers: ['kafka:9093'], topic: 'spans' } });
    expect(config.log.kafka.sasl).toEqual({ mechanism: 'plain', username: 'u', password: 'p' });
    expect(config.log.kafka.tls).toEqual({ insecureSkipVerify: false });
  });

  it.each([
    ['server.http-listen-port', '99999', 'command line: server.http_listen_port: must be at most 65535'],
    ['target', 'querier', 'command line: target: there is no querier'],
    [
      'server.http-tls-cert-path',
      '/tls.crt',
      'command line: server.http_tls_config: not built yet: end TLS in a proxy',
    ],
    ['query-frontend.mcp-server.enabled', 'true', 'command line: query_frontend.mcp_server.enabled: not built yet'],
    ['ingest.sasl-mechanism', 'OAUTHBEARER', 'command line: ingest.kafka.sasl_mechanism: OAUTHBEARER is not built yet'],
    ['ingest.adress', 'a:1', 'did you mean "address"?'],
    ['distributor.ingestion-rate-limit-bytes', '0', 'lets nothing of the tenant in'],
  ])('-%s=%s is refused as the key is, and not at a place of the file', (name, value, message) => {
    expect(() => loadWith({ [name]: value }, 'server: {}\ningest: {}\n')).toThrow(message);
  });

  it('is told where its key is ignored', () => {
    const { notes } = loadWith({ 'ingester.max-bytes-per-trace': '1000', 'shutdown-delay': '5s' }, 'server: {}\n');
    expect(notes).toContainEqual(
      expect.stringMatching(/^command line: overrides\.defaults\.global\.max_bytes_per_trace: ignored: /),
    );
    expect(notes).toContainEqual(expect.stringMatching(/^command line: shutdown_delay: ignored: /));
  });

  it.each([
    ['storage.trace.backend', 'keeps no traces'],
    ['storage.trace.s3.secret_key', 'keeps no traces'],
    ['storage.trace.maintenance-cycle', 'keeps no traces'],
    ['compactor.compaction.block-retention', 'keeps no traces'],
    ['querier.frontend-address', 'keeps no traces'],
    ['live-store.ring.store', 'keeps no traces'],
    ['live-store-client.x', 'keeps no traces'],
    ['block-builder.instance-id', 'keeps no traces'],
    ['backend-scheduler.x', 'keeps no traces'],
    ['search.enabled', 'keeps no traces'],
    ['distributor.log-received-spans.enabled', 'not logged'],
    ['distributor.log-discarded-spans.enabled', 'not logged'],
    ['generator.instance-id', 'as ingest.kafka says'],
    ['generator.topic', 'as ingest.kafka says'],
    ['generatorstore', 'as ingest.kafka says'],
    ['generatorconsul.hostname', 'as ingest.kafka says'],
    ['reporting.enabled', 'reports nothing'],
    ['memberlist.join', 'tunes Tempo'],
    ['mem-ballast-size-mbs', 'for Go only'],
    ['enable-go-runtime-metrics', 'for Go only'],
    ['mutex-profile-fraction', 'for Go only'],
    ['config.enable-legacy-overrides', 'always read'],
  ])('-%s is ignored, with the reason that it %s', (name, why) => {
    expect(tempoFlag(name)).toMatchObject({ ignored: expect.stringContaining(why) });
  });

  it.each([
    ['multitenancy.enabled', true],
    ['ingest.tls-enabled', true],
    ['ingest.tls-insecure-skip-verify', true],
    ['ingest.auto-create-topic-enabled', true],
    ['config.enable-legacy-overrides', true],
    ['distributor.log-received-spans.enabled', true],
    ['target', false],
    ['ingest.topic', false],
    ['memberlist.join', false],
  ])('-%s is boolean, and so takes no next argument: %s', (name, isBoolean) => {
    expect(tempoFlag(name)!.isBoolean).toBe(isBoolean);
  });

  it('that does not exist is unknown, with what may be meant', () => {
    expect(tempoFlag('server-http-listen-port')).toBeUndefined();
    expect(tempoFlag('__proto__')).toBeUndefined();
    expect(nearestTempoFlag('mutlitenancy.enabled')).toBe('multitenancy.enabled');
  });
});
