// The names of labels, and what becomes of two that become one. Source: OpenTelemetry, "Prometheus and OpenMetrics
// Compatibility", "Metric Attributes"; the prefixes are those of Prometheus.

import { compareUtf8, LabelError, type LabelPair } from '../labels/index.ts';
import { escapes, type NameTranslation } from './strategy.ts';

/**
 * Where names are escaped, each other character becomes an underscore, `key_` goes before a digit and `key` before a single
 * underscore. Two underscores at the start are left to who reserves such names.
 * @throws LabelError `untranslatable_name` if only underscores are left.
 */
export function translateLabelName(name: string, translation: NameTranslation): string {
  let translated = name;
  if (escapes(translation)) {
    translated = name.replace(/[^a-zA-Z0-9_]/gu, '_');
    if (/^[0-9]/.test(translated)) translated = `key_${translated}`;
    else if (/^_(?!_)/.test(translated)) translated = `key${translated}`;
  }
  if (/^_*$/.test(translated)) {
    throw new LabelError('untranslatable_name', `nothing is left of label ${JSON.stringify(name.slice(0, 64))}`);
  }
  return translated;
}

/**
 * Labels under their new names. Values of names that become one are joined with `;`, in the order of the names before.
 * @throws LabelError also for a name given twice or an empty value: neither may vanish in another value.
 */
export function translateLabels(labels: readonly LabelPair[], translation: NameTranslation): LabelPair[] {
  const joined = new Map<string, string>();
  let before: string | undefined;
  for (const [name, value] of [...labels].sort(([a], [b]) => compareUtf8(a, b))) {
    const shown = JSON.stringify(name.slice(0, 64));
    if (name === before) throw new LabelError('duplicate_name', `label ${shown} is given twice`);
    if (value === '') throw new LabelError('empty_value', `label ${shown} has an empty value`);
    before = name;
    const translated = translateLabelName(name, translation);
    const known = joined.get(translated);
    joined.set(translated, known === undefined ? value : `${known};${value}`);
  }
  return [...joined];
}
