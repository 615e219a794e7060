// The effective configuration as it would be written: every key with its value, defaults filled in, secrets masked. Apart from the
// masks it can be loaded again.

import type { z } from 'zod';
import type { Config } from './config.ts';
import { configFile } from './schema/file.ts';
import { elementOf, look, optionsOf, shapeOf, valueTypeOf } from './schema/inspect.ts';

export function describeEffective(config: Config): Record<string, unknown> {
  return filled(configFile, config.written) as Record<string, unknown>;
}

/** The value with the schema's defaults in every gap. */
export function filled(schema: z.core.$ZodType, value: unknown): unknown {
  const view = look(schema);
  if (value === null) return null;
  if (view.info.secret) return '<secret>';
  if (view.type === 'object' && isMap(value)) {
    const out: Record<string, unknown> = {};
    for (const [key, child] of Object.entries(shapeOf(view.core))) {
      const { info, hasDefault, defaultValue } = look(child);
      if (info.verdict !== undefined) continue;
      if (Object.hasOwn(value, key)) out[key] = filled(child, value[key]);
      else if (hasDefault) out[key] = filled(child, defaultValue);
    }
    return out;
  }
  if (view.type === 'record' && isMap(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, filled(valueTypeOf(view.core), held)]));
  }
  if (view.type === 'array' && Array.isArray(value)) return value.map((held) => filled(elementOf(view.core), held));
  if (view.type === 'union') {
    const wanted = Array.isArray(value) ? 'array' : 'object';
    const option =
      typeof value === 'object' ? optionsOf(view.core).find((one) => look(one).type === wanted) : undefined;
    return option === undefined ? value : filled(option, value);
  }
  return value;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
