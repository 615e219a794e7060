// Which part of the configuration a tenant's values come from.

import { describe, expect, it } from 'vitest';
import { explainTenant, loadConfig, resolveTenant } from '../../src/config/index.ts';

const MAIN = `metrics_generator:
  metrics_ingestion_time_range_slack: 20s
  registry: {external_labels: {zone: a}}
  processor:
    span_metrics: {enable_target_info: true, intrinsic_dimensions: {status_message: true}}
    service_graphs: {enable_client_server_prefix: true, wait: 90s}
overrides:
  merge: MERGE
  per_tenant_override_config: tenants.yaml
  defaults:
    metrics_generator:
      processors: [span-metrics]
      collection_interval: 90m
      native_histogram_bucket_factor: 1.5
      max_active_series: 7
      remote_write_headers: {X-A: hush, X-B: hush}
`;
const TENANTS = `overrides:
  own:
    metrics_generator:
      collection_interval: 0
      max_active_series: 0
      remote_write_headers: {X-B: hush}
      processor:
        span_metrics: {dimensions: [region], intrinsic_dimensions: {service: false}}
        service_graphs: {enable_client_server_prefix: false}
  "*":
    metrics_generator: {processors: [host-info]}
`;

function explained(tenant: string, merge = 'deep', tenants = TENANTS) {
  const { config } = loadConfig({ text: MAIN.replace('MERGE', merge), fileName: 'm', readFile: () => tenants });
  return { config, ...explainTenant(config, tenant) };
}

describe('a tenant with a block of its own', () => {
  const { settings, block } = explained('own');

  it.each([
    ['processors', ['span-metrics'], 'overrides.defaults'],
    ['collection_interval', '15s', 'default'],
    ['max_active_series', 0, 'tenant'],
    ['native_histogram_bucket_factor', 1.5, 'overrides.defaults'],
    ['native_histogram_max_bucket_number', 100, 'default'],
    ['generate_native_histograms', 'classic', 'default'],
    ['ingestion_time_range_slack', '20s', 'metrics_generator'],
    ['registry.stale_duration', '15m', 'default'],
    ['registry.external_labels', { zone: 'a' }, 'metrics_generator'],
    ['processor.span_metrics.dimensions', ['region'], 'tenant'],
    ['processor.span_metrics.intrinsic_dimensions.service', false, 'tenant'],
    ['processor.span_metrics.intrinsic_dimensions.status_message', true, 'metrics_generator'],
    ['processor.span_metrics.intrinsic_dimensions.span_name', true, 'default'],
    ['processor.span_metrics.enable_target_info', true, 'metrics_generator'],
    ['processor.service_graphs.enable_client_server_prefix', false, 'tenant'],
    ['processor.service_graphs.wait', '1m30s', 'metrics_generator'],
    ['remote_write_headers.X-A', '<secret>', 'overrides.defaults'],
    ['remote_write_headers.X-B', '<secret>', 'tenant'],
  ])('has %s = %j from %s', (key, value, source) => {
    expect(block).toBe('own');
    expect(settings[key]).toEqual({ value, source });
  });
});

it('a block that replaces the defaults has little from them', () => {
  const { settings } = explained('own', 'replace');
  expect(settings['processors']).toEqual({ value: [], source: 'default' });
  expect(settings['collection_interval']).toEqual({ value: '15s', source: 'default' });
  expect(settings['native_histogram_bucket_factor']).toEqual({ value: 1.5, source: 'overrides.defaults' });
  expect(settings['processor.service_graphs.enable_client_server_prefix']).toEqual({
    value: true,
    source: 'metrics_generator',
  });
  expect(settings).not.toHaveProperty('remote_write_headers.X-A');
});

it('a tenant without a block has that for everybody else, or the defaults', () => {
  const other = explained('other');
  expect([other.block, other.settings['processors']]).toEqual(['*', { value: ['host-info'], source: '*' }]);
  expect(other.settings['collection_interval']).toEqual({ value: '1h30m', source: 'overrides.defaults' });
  const none = explained('other', 'deep', 'overrides: {}');
  expect([none.block, none.settings['processors']]).toEqual([
    null,
    { value: ['span-metrics'], source: 'overrides.defaults' },
  ]);
});

it.each(['deep', 'replace'])('no value is left out, and no secret shown (%s)', (merge) => {
  const { config, settings } = explained('own', merge);
  expect(JSON.stringify(settings)).not.toContain('hush');
  const { naming, otel: _, ...effective } = resolveTenant(config, 'own');
  expect(settings['naming']!.value).toBe(naming);
  const leaves = (value: unknown): number =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !('zone' in value)
      ? Object.values(value).reduce((sum: number, held) => sum + leaves(held), 0)
      : 1;
  expect(Object.keys(settings)).toHaveLength(leaves(effective) + 1);
});
