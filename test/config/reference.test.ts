import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, resolveReference } from '../../src/config/index.ts';

interface Case {
  generator?: unknown;
  overrides: unknown;
  refused?: boolean;
}
const cases: Record<string, Case> = JSON.parse(
  readFileSync(new URL('fixtures/reference-cases.json', import.meta.url), 'utf8'),
);

describe('settings of cases that were recorded from the reference generator', () => {
  it.each(Object.entries(cases))('%s', (name, { generator, overrides, refused }) => {
    if (refused) expect(() => resolveReference(generator, overrides, name)).toThrow(ConfigError);
    else expect(resolveReference(generator, overrides, name).processors).toBeInstanceOf(Array);
  });

  it('take every value from where it is written', () => {
    const generator = {
      registry: { external_labels: { a: 'b' }, inject_tenant_id_as: 't' },
      limiter_type: 'entity',
      processor: { service_graphs: { wait: '3s' } },
    };
    const overrides = {
      processors: ['nope', 'span-metrics', 'local-blocks'],
      collection_interval: '30s',
      disable_collection: true,
      max_active_entities: 3,
      generate_native_histograms: 'both',
      native_histogram_max_bucket_number: 10,
      processor: {
        span_metrics: {
          histogram_buckets: [1, 0.5],
          dimension_mappings: [{ name: 'x', source_labels: ['a'] }],
          filter_policies: [{ include_any: { match_type: 'strict', attributes: [{ key: 'span.n', value: 500 }] } }],
        },
      },
    };
    expect(resolveReference(generator, overrides, 'a')).toMatchObject({
      processors: ['span-metrics'],
      collectionIntervalMs: 30_000,
      disableCollection: true,
      externalLabels: { a: 'b' },
      injectTenantIdAs: 't',
      limiterType: 'entity',
      maxActiveEntities: 3,
      histogramMode: 'both',
      nativeBucketFactor: 1.1,
      nativeMaxBuckets: 10,
      nativeMinResetMs: 900_000,
      serviceGraphs: { waitMs: 3000 },
      spanMetrics: {
        histogramBuckets: [1, 0.5],
        dimensionMappings: [{ name: 'x', sourceLabels: ['a'], join: '' }],
        filterPolicies: [{ includeAny: { matchType: 'strict', attributes: [{ key: 'span.n', value: 500 }] } }],
      },
    });
  });

  it('run nothing where no processors are named', () => {
    expect(resolveReference(undefined, undefined, 'a').processors).toEqual([]);
  });

  it('are plain data without holes', () => {
    const settings = resolveReference(
      undefined,
      { processor: { span_metrics: { filter_policies: [{ exclude: { match_type: 'strict' } }] } } },
      'a',
    );
    expect(JSON.parse(JSON.stringify(settings))).toStrictEqual(settings);
  });
});
