// Which family a sample belongs to, and when its counting began. Both may be said anywhere on the page, so they are found
// when all of it has been read.

import type { LabelPair, MetricType } from 'remote-write-ts';
import { secondsToMs } from './numbers.ts';
import type { Family, PageLines, PageSample, Sample } from './page.ts';

/** The suffixes of samples, and the types whose families have them. */
const SUFFIXES: readonly [suffix: string, types: readonly MetricType[]][] = [
  ['_total', ['counter']],
  ['_bucket', ['histogram', 'gaugehistogram']],
  ['_count', ['histogram', 'summary']],
  ['_sum', ['histogram', 'summary']],
  ['_gcount', ['gaugehistogram']],
  ['_gsum', ['gaugehistogram']],
  ['_info', ['info']],
];
const CREATED = '_created';
const COUNTING: readonly MetricType[] = ['counter', 'histogram', 'summary'];
/** What tells the samples of one histogram or summary apart. */
const PART_LABELS: Partial<Record<MetricType, string>> = { histogram: 'le', summary: 'quantile' };

/**
 * @param takesCreated whether `_created` samples (OpenMetrics only) become `createdMs` of the others; otherwise they are
 * samples like any other.
 */
export function resolve({ samples, families }: PageLines, takesCreated: boolean): Sample[] {
  const createdMs = new Map<string, number>();
  const resolved: Sample[] = [];
  for (const sample of samples) {
    const counting = takesCreated ? countingFamily(families, sample.name) : undefined;
    if (counting !== undefined) {
      const ms = secondsToMs(sample.value);
      // 0 would mean "not known".
      if (ms !== undefined && ms >= 0) createdMs.set(groupKey(counting, sample), Math.max(ms, 1));
    } else resolved.push({ ...sample, family: memberFamily(families, sample.name), createdMs: undefined });
  }
  if (createdMs.size === 0) return resolved;
  for (const sample of resolved) {
    if (COUNTING.includes(sample.family.type)) sample.createdMs = createdMs.get(groupKey(sample.family, sample));
  }
  return resolved;
}

function countingFamily(families: Map<string, Family>, name: string): Family | undefined {
  if (!name.endsWith(CREATED) || families.has(name)) return undefined;
  const base = name.slice(0, -CREATED.length);
  const family = families.get(base) ?? families.get(`${base}_total`);
  return family !== undefined && COUNTING.includes(family.type) ? family : undefined;
}

function memberFamily(families: Map<string, Family>, name: string): Family {
  const own = families.get(name);
  if (own !== undefined) return own;
  for (const [suffix, types] of SUFFIXES) {
    if (!name.endsWith(suffix)) continue;
    const family = families.get(name.slice(0, -suffix.length));
    if (family !== undefined && types.includes(family.type)) return family;
  }
  return { name, type: 'unknown', help: '', unit: '' };
}

function groupKey({ name, type }: Family, { labels }: PageSample): string {
  const part = PART_LABELS[type];
  return `${name}\n${labelsKey(part === undefined ? labels : labels.filter(([label]) => label !== part))}`;
}

/** The same for the same labels in any order, and for no others. */
export function labelsKey(labels: readonly LabelPair[]): string {
  const sorted = labels.length < 2 ? labels : [...labels].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  let key = '';
  // Lengths, because any character may stand in a name or a value.
  for (const [name, value] of sorted) key += `${name.length},${value.length},${name}${value}`;
  return key;
}
