// What tenants get of the fixtures' overrides, by the command that explains it.

import { describe, expect, it } from 'vitest';
import { explainTenant } from '../../src/config/index.ts';
import { load } from './tempo-keys/fixture.ts';

describe("a tenant's settings", () => {
  it.each([
    ['overrides.yaml', 'bookshop', 'tenant', 'bookshop'],
    ['overrides.yaml', 'anybody', '*', '*'],
    ['legacy.yaml', 'bookshop', 'tenant', 'bookshop'],
  ])('are explained: in %s %s has its processors from %s', (file, tenant, source, block) => {
    const explained = explainTenant(load(file).config, tenant);
    expect(explained.block).toBe(block);
    expect(explained.settings['processors']!.source).toBe(source);
    expect(JSON.stringify(explained)).not.toContain('not-a-real');
  });

  it.each(['overrides.yaml', 'legacy.yaml'])(
    'in %s, a block that says everything leaves only what no block can say',
    (file) => {
      const { settings } = explainTenant(load(file).config, 'bookshop');
      const others = Object.entries(settings).filter(([, { source }]) => source !== 'tenant');
      const isStatic = (key: string) =>
        /^registry\.|^(limiter_type|naming|semconv_aliases)$|\.(wait|max_items|database_name_attributes)$/.test(key);
      const isMerged = (key: string) => key.includes('.intrinsic_dimensions.') && file === 'legacy.yaml';
      expect(others.map(([key]) => key).filter((key) => !isStatic(key) && !isMerged(key))).toEqual([]);
    },
  );

  it('come from the defaults where the block does not say them', () => {
    const { settings } = explainTenant(load('legacy.yaml').config, 'annex');
    expect(settings['processors']).toEqual({ value: ['span-metrics-size'], source: 'tenant' });
    expect(settings['collection_interval']).toEqual({ value: '45s', source: 'overrides.defaults' });
  });
});
