// How an attribute's name becomes a label's name, and when two label names of span metrics clash. Pure: processors use the same
// functions as the checks at load, so what loads also runs.

import type { DimensionMapping } from './tenant.ts';

/** Label names that intrinsic dimensions own, whether or not they are switched on. */
export const INTRINSIC_LABELS = ['service', 'span_name', 'span_kind', 'status_code', 'status_message'] as const;
const OWNED: ReadonlySet<string> = new Set(INTRINSIC_LABELS);

/** Each code point outside `[a-zA-Z0-9_]` becomes one `_`; nothing is trimmed, merged or prefixed. */
export function sanitizeLabelName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/gu, '_');
}

/**
 * A name as the collector's Prometheus exporters spell it: each run of characters outside `[a-zA-Z0-9_]`, and of underscores, becomes
 * one `_`; `key` or `key_` goes before a leading underscore or digit.
 */
export function otelLabelName(name: string): string {
  const label = name.replace(/[^a-zA-Z0-9]+/gu, '_');
  if (label.startsWith('_')) return `key${label}`;
  return /^[0-9]/.test(label) ? `key_${label}` : label;
}

/** The label of a configured dimension or mapping of span metrics: sanitized, and `__` before a name that an intrinsic owns. */
export function dimensionLabelName(name: string): string {
  const label = sanitizeLabelName(name);
  return OWNED.has(label) ? `__${label}` : label;
}

/** Mappings whose label is taken by a dimension or by an earlier mapping, with the reason. Two equal dimensions are allowed: the last wins. */
export function mappingCollisions(
  dimensions: readonly string[],
  mappings: readonly DimensionMapping[],
): { index: number; message: string }[] {
  const taken = new Map<string, string>();
  for (const dimension of dimensions) taken.set(dimensionLabelName(dimension), `dimension "${dimension}"`);
  const collisions: { index: number; message: string }[] = [];
  mappings.forEach((mapping, index) => {
    const label = dimensionLabelName(mapping.name);
    const owner = taken.get(label);
    if (owner !== undefined)
      collisions.push({ index, message: `the label "${label}" of mapping "${mapping.name}" is taken by ${owner}` });
    else taken.set(label, `mapping "${mapping.name}"`);
  });
  return collisions;
}
