// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what this is about
// The same files by the commands that a user has: -config.verify, -print-config, -config.expand-env. What is printed holds no secret
// and can be loaded again.

import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Config, ConfigError, describeEffective, explainTenant, loadConfig } from '../../src/config/index.ts';
import { loadFromFlags } from '../../src/serve.ts';
import { FIXTURES, load } from './tempo-keys/fixture.ts';

const ENV = {
  POD_IP: '10.1.2.3',
  TEMPO_PORT: '3210',
  TOPIC: 'spans',
  KAFKA_USER: 'u',
  KAFKA_PASSWORD: 'not-a-real-password',
  REGION: 'eu',
  REMOTE_WRITE: 'http://mimir:8080',
  PROM_PASSWORD: 'not-a-real-password',
  INTERVAL: '1m',
  TRACE_LABEL: 'trace_id',
  TENANT_TOKEN: 'not-a-real-token',
};

/** A command as it is called in the directory of the files. */
function call(args: readonly string[], env: Record<string, string> = {}) {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      write: (chunk, _, done) => {
        written[name] += String(chunk);
        done();
      },
    });
  const result = loadFromFlags(args, { stdout: sink('stdout'), stderr: sink('stderr'), env });
  return { ...written, result };
}

const here = process.cwd();
// The file of the tenants is named from where the process runs.
beforeAll(() => process.chdir(FIXTURES));
afterAll(() => process.chdir(here));

describe('-config.verify', () => {
  it.each(['monolithic.yaml', 'distributed-kafka.yaml', 'helm.yaml', 'legacy.yaml', 'defaults.yaml'])(
    'says of %s what is used and what is ignored, and that it is valid',
    (file) => {
      const { stdout, stderr, result } = call([`-config.file=${file}`, '-config.verify']);
      expect([result, stdout]).toEqual([0, 'the configuration is valid\n']);
      const [first, ...rest] = stderr.trimEnd().split('\n');
      expect(first).toMatch(
        new RegExp(`^note: ${file}: read as a file of Tempo's: spans |^note: ${file}:5:3: overrides`),
      );
      expect(rest.filter((line) => !line.startsWith('note: '))).toEqual([]);
      expect(stderr).not.toContain('not-a-real');
    },
  );

  it.each(['refused.yaml', 'misspelled.yaml'])('ends with 1 for %s, each problem in a line with its place', (file) => {
    const { stdout, stderr, result } = call([`-config.file=${file}`, '-config.verify']);
    expect([result, stdout]).toEqual([1, '']);
    const lines = stderr.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(30);
    expect(lines.filter((line) => !/^(refused|misspelled)(\.tenants)?\.yaml:\d+:\d+: \S+: \S/.test(line))).toEqual([]);
    expect(stderr).not.toContain('not-a-real');
  });
});

describe('-print-config', () => {
  const FILES = [
    'monolithic.yaml',
    'distributed-kafka.yaml',
    'helm.yaml',
    'defaults.yaml',
    'generator.yaml',
    'remote-write.yaml',
    'overrides.yaml',
    'legacy.yaml',
    'tempo-2.yaml',
    'collector-kafka.yaml',
    'collector-kafka-older.yaml',
    'zipkin.yaml',
  ];

  it.each(FILES)('shows no secret of %s', (file) => {
    const { stdout, result } = call([`-config.file=${file}`, '-print-config']);
    expect(result).toBe(0);
    expect(stdout).not.toContain('not-a-real');
    expect(JSON.parse(stdout)).toMatchObject({
      server: {},
      receivers: {},
      log: {},
      metrics_generator: {},
      overrides: {},
    });
  });

  // What is masked would have to be filled in again.
  it.each(FILES.filter((file) => file !== 'remote-write.yaml'))(
    'of %s can be loaded again, and is the same',
    (file) => {
      const { config } = load(file);
      const printed = stringify(describeEffective(config), { version: '1.1' });
      const again = load('printed.yaml', { text: printed.replaceAll('<secret>', 'not-a-real-secret') });
      expect(masked(again.config)).toEqual(masked(config));
    },
  );

  it('shows where spans come from in the words of spanmill', () => {
    expect(describeEffective(load('distributed-kafka.yaml').config)).toMatchObject({
      multitenancy_enabled: true,
      receivers: { otlp: { grpc: null, http: null } },
      ledger: { path: '/var/tempo/generator/spanmill/ledger' },
      log: {
        kind: 'kafka',
        kafka: {
          brokers: ['broker-1.kafka.svc:9093', 'broker-2.kafka.svc:9093'],
          topic: 'tempo-spans',
          encoding: 'push-bytes',
          consumer_group: 'spans-to-metrics',
          compression: 'lz4',
          sasl: { mechanism: 'scram-sha-512', username: 'tempo', password: '<secret>' },
          tls: { ca_file: '/etc/kafka/ca.crt', server_name: 'kafka.internal', insecure_skip_verify: true },
        },
      },
    });
    const printed = describeEffective(load('distributed-kafka.yaml').config);
    for (const key of ['ingest', 'distributor', 'target', 'auth_enabled']) expect(printed).not.toHaveProperty(key);
  });
});

/** Without what the file said, and with one word for every secret. */
function masked({ written: _, ...config }: Config): unknown {
  const text = JSON.stringify(config, (key, value: unknown) => {
    const isHeaders = key === 'headers' || key === 'remoteWriteHeaders';
    return isHeaders ? Object.keys(value as object) : value;
  });
  return JSON.parse(text.replaceAll(/"[^"]*not-a-real[^"]*"/g, '"secret"'));
}

describe('-config.expand-env', () => {
  const args = ['-config.file=environment.yaml', '-config.expand-env=true'];

  it('puts the environment into the file and into the one of the tenants', () => {
    const { config } = load('environment.yaml', { expandEnv: true, env: ENV });
    expect(config.multitenancyEnabled).toBe(true);
    expect(config.server).toEqual({ httpListenAddress: '10.1.2.3', httpListenPort: 3210, logLevel: 'error' });
    expect(config.receivers.otlp.grpc).toEqual({ endpoint: '10.1.2.3:4317' });
    expect(config.log.kafka).toMatchObject({ brokers: ['kafka:9092'], topic: 'spans', sasl: { username: 'u' } });
    expect(config.generator.registry.externalLabels).toEqual({ cluster: 'eu-1', price: '5$' });
    expect(config.remoteWrite.endpoints[0]).toMatchObject({ url: 'http://mimir:8080/api/v1/push' });
    expect(config.overrides.defaults.metricsGenerator.collectionInterval).toBe(60_000);
    expect(config.overrides.tenants['shop']!.metricsGenerator.traceIdLabelName).toBe('trace_id');
  });

  it('names each variable that is not set, and where', () => {
    const { KAFKA_USER: _, KAFKA_PASSWORD: __, TENANT_TOKEN: ___, ...env } = ENV;
    const { stderr, result } = call([...args, '-config.verify'], env);
    expect(result).toBe(0);
    const lines = stderr.split('\n').filter((line) => line.includes('is not set in the environment'));
    expect(lines.map((line) => line.slice(0, line.indexOf(' is not')))).toEqual([
      'note: environment.yaml:14:20: ${KAFKA_USER}',
      'note: environment.yaml:15:20: ${KAFKA_PASSWORD}',
      'note: environment.tenants.yaml:5:40: ${TENANT_TOKEN}',
    ]);
  });

  it('tells problems at their place in the file, whatever the variables hold', () => {
    const { stderr, result } = call([...args, '-config.verify'], { ...ENV, TEMPO_PORT: '99999', INTERVAL: '30' });
    expect(result).toBe(1);
    expect(stderr.trimEnd().split('\n')).toEqual([
      'environment.yaml:5:21: server.http_listen_port: must be at most 65535, not 99999',
      expect.stringMatching(
        /^environment\.yaml:28:28: overrides\.defaults\.metrics_generator\.collection_interval: .*30s\?/,
      ),
    ]);
  });

  it('shows no secret that came from the environment', () => {
    const { stdout, stderr } = call([...args, '-print-config'], ENV);
    expect(stdout).toContain('"password": "<secret>"');
    expect(stdout + stderr).not.toContain('not-a-real');
    const explained = explainTenant(load('environment.yaml', { expandEnv: true, env: ENV }).config, 'shop');
    expect(explained.settings['remote_write_headers.X-Token']).toEqual({ value: '<secret>', source: 'tenant' });
    expect(JSON.stringify(explained)).not.toContain('not-a-real');
  });

  it('is suggested where it is off and the file has a variable', () => {
    expect(() => load('environment.yaml')).toThrow(ConfigError);
    const { notes } = loadConfig({ text: 'memberlist: {cluster_label: "${CLUSTER}"}' });
    expect(notes).toContainEqual(
      expect.stringMatching(/\$\{CLUSTER\} is taken as it stands: did you mean -config\.expand-env/),
    );
  });
});
