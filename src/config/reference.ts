// Settings for cases that were recorded from the reference generator: its own rules of merging, no defaults of ours.

import { mappingCollisions } from './label-name.ts';
import { parseText } from './parse.ts';
import { Findings } from './problem.ts';
import { settings, withNativeDefaults } from './resolve.ts';
import { generatorBlock } from './schema/generator.ts';
import { generatorOverrides } from './schema/overrides.ts';
import type { TenantSettings } from './tenant.ts';

const GENERATOR = generatorBlock(true);
const OVERRIDES = generatorOverrides('tenant', 'reference');
const DEFAULTS = generatorOverrides('defaults', 'reference');

/**
 * `generatorBlock`: keys of `metrics_generator:`, merged over the defaults. `overridesBlock`: the tenant's `metrics_generator` block
 * of overrides, which replaces the defaults. Both as plain data; unset processors are none, unknown ones are dropped.
 * @throws ConfigError
 */
export function resolveReference(generatorData: unknown, overridesData: unknown, tenant: string): TenantSettings {
  const findings = new Findings();
  const fixed = parseText(asText(generatorData), `generator of ${tenant}`, GENERATOR, findings);
  const own = parseText(asText(overridesData), `overrides of ${tenant}`, OVERRIDES, findings);
  findings.throwIfAny();
  const block = withNativeDefaults(own.value!, DEFAULTS.parse({}));
  const resolved = settings(fixed.value!, block, {
    processors: block.processors ?? [],
    falseUndoesPrefix: false,
    semconvAliases: false,
  });
  const { dimensions, dimensionMappings } = resolved.spanMetrics;
  for (const { index, message } of mappingCollisions(dimensions, dimensionMappings)) {
    own.source.problem(['processor', 'span_metrics', 'dimension_mappings', index], message);
  }
  findings.throwIfAny();
  return resolved;
}

/** JSON is YAML; a parse gives errors a place in it. */
function asText(data: unknown): string {
  return JSON.stringify(data ?? {}, null, 1);
}
