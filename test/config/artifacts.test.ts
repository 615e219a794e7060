import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { configArtifacts } from '../../scripts/config-docs.ts';
import { describeEffective, loadConfig } from '../../src/config/index.ts';

const root = join(import.meta.dirname, '../..');

describe('files that are made from the schema', () => {
  it.each(configArtifacts().map(({ path, text }) => [path, text] as const))('%s is fresh', (path, text) => {
    expect(readFileSync(join(root, path), 'utf8') === text, 'npm run generate').toBe(true);
  });

  it('the full file loads and is the default', () => {
    const { written: _, ...full } = loadConfig({ path: join(root, 'configs/full.yaml') }).config;
    const { written: __, ...empty } = loadConfig().config;
    expect(full).toEqual(empty);
  });
});

describe('example files', () => {
  it('embedded.yaml loads without a note', () => {
    const { config, notes } = loadConfig({ path: join(root, 'configs/embedded.yaml') });
    expect(notes).toEqual([]);
    expect(config.remoteWrite.endpoints.map(({ url }) => url)).toEqual(['http://127.0.0.1:9090/api/v1/write']);
  });

  it('sidecar.yaml loads with its environment', () => {
    const { config, notes } = loadConfig({
      path: join(root, 'configs/sidecar.yaml'),
      expandEnv: true,
      env: { CLUSTER: 'c1' },
    });
    expect(notes).toEqual([]);
    expect(config.generator.registry.externalLabels).toEqual({ cluster: 'c1' });
  });
});

describe.each([
  ['sidecar-tempo.yaml', 'tempo-ingest', 'push-bytes'],
  ['sidecar-collector.yaml', 'otlp_spans', 'auto'],
])('%s', (file, topic, encoding) => {
  it('loads with its environment, and reads the topic', () => {
    const env = { KAFKA_BROKERS: 'kafka:9092', REMOTE_WRITE_URL: 'http://prometheus:9090/api/v1/write' };
    const { config, notes } = loadConfig({ path: join(root, 'configs', file), expandEnv: true, env });
    expect(notes).toEqual([]);
    expect(config.log.kafka).toMatchObject({ brokers: ['kafka:9092'], topic, encoding });
    expect(config.receivers).toEqual({ otlp: {} });
    expect(config.remoteWrite.endpoints.map(({ url }) => url)).toEqual([env.REMOTE_WRITE_URL]);
  });
});

describe('the effective configuration', () => {
  const text = `metrics_generator:
  processor: {service_graphs: {wait: 3s}}
  storage:
    remote_write:
      - url: http://a
        headers: {X-Token: hush}
        basic_auth: {username: u, password: hush}
memberlist: {cluster_label: x}
`;

  it('holds every value, written or not, and no secret', () => {
    const effective = describeEffective(loadConfig({ text }).config);
    expect(effective).toMatchObject({
      server: { http_listen_port: 3200 },
      metrics_generator: {
        processor: { service_graphs: { wait: '3s', max_items: 10_000 } },
        storage: {
          remote_write: [
            {
              url: 'http://a',
              remote_timeout: '30s',
              basic_auth: { username: 'u', password: '<secret>' },
              headers: { 'X-Token': '<secret>' },
            },
          ],
        },
      },
    });
    expect(JSON.stringify(effective)).not.toContain('hush');
    expect(effective).not.toHaveProperty('memberlist');
  });

  it('can be loaded again where it holds no secrets', () => {
    const { config } = loadConfig({ text: 'receivers: {otlp: {grpc: null}}\nshards: {own: [0]}' });
    const { written: _, ...again } = loadConfig({
      text: stringify(describeEffective(config), { version: '1.1' }),
    }).config;
    const { written: __, ...first } = config;
    expect(again).toEqual(first);
  });
});
