// Holds what a run of a case produced against what the case expects, by the rules of generator/FORMAT.md: sets of series,
// values within a tolerance, exemplars as multisets, and those self metrics that are promised. Must never fix up either side.

export interface HistogramValue {
  count: number;
  sum: number | string;
  schema: number;
  zero_threshold: number;
  zero_count: number;
  positive_buckets?: { index: number; count: number }[];
}

export interface ExpectedExemplar {
  labels: Record<string, string>;
  value: number | string;
}

export interface ExpectedSeries {
  labels: Record<string, string>;
  type: string;
  value?: number | string;
  histogram?: HistogramValue;
  init_zero_t_ms?: number;
  init_zero_histogram?: HistogramValue;
  exemplars?: ExpectedExemplar[];
}

export interface ExpectedCollection {
  at_ms: number;
  series: ExpectedSeries[];
}

export interface Expected {
  error?: string;
  common_labels?: Record<string, string>;
  collections?: ExpectedCollection[];
  self_metrics?: Record<string, number>;
}

/** Self metrics that are held to the case: FORMAT.md, "Comparison rules". The others are informative. */
const PROMISED = [
  'spans_received_total',
  'bytes_received_total',
  'spans_discarded_total',
  'processor_service_graphs_',
  'registry_active_series',
  'registry_series_added_total',
  'registry_series_removed_total',
  'registry_series_limited_total',
  'registry_active_entities',
  'registry_entities_added_total',
  'registry_entities_removed_total',
  'registry_entities_limited_total',
  'registry_label_values_limited_total',
  'registry_spans_sanitized_total',
  'metrics_generation_skipped_processor_pushes_total',
];

const MOST_DIFFERENCES = 20;

/** One line for each difference (the first 20); none where `actual` is what `expected` asks for. */
export function differences(expected: Expected, actual: Expected): string[] {
  const out: string[] = [];
  if (expected.error !== undefined || actual.error !== undefined) {
    if (expected.error === undefined) out.push(`was refused: ${actual.error}`);
    if (actual.error === undefined) out.push('should have been refused');
    return out;
  }
  compareNames('common label', Object.keys(expected.common_labels ?? {}), Object.keys(actual.common_labels ?? {}), out);
  compareCollections(expected.collections ?? [], actual.collections ?? [], out);
  compareSelfMetrics(expected.self_metrics ?? {}, actual.self_metrics ?? {}, out);
  return out.slice(0, MOST_DIFFERENCES);
}

/** `|a - b| <= 1e-9 · max(1, |a|, |b|)`; NaN and the infinities, spelt as text, equal only themselves. */
export function sameValue(a: number | string | undefined, b: number | string | undefined): boolean {
  if (typeof a !== 'number' || typeof b !== 'number') return a === b;
  return Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
}

function compareNames(what: string, expected: string[], actual: string[], out: string[]): void {
  for (const name of expected) if (!actual.includes(name)) out.push(`${what} ${name} is missing`);
  for (const name of actual) if (!expected.includes(name)) out.push(`${what} ${name} is too many`);
}

function compareCollections(expected: ExpectedCollection[], actual: ExpectedCollection[], out: string[]): void {
  const times = (collections: ExpectedCollection[]) => collections.map(({ at_ms }) => at_ms).join(' ');
  if (times(expected) !== times(actual)) {
    out.push(`collections at [${times(actual)}] instead of [${times(expected)}]`);
    return;
  }
  expected.forEach((collection, i) => {
    compareSeries(collection.series, actual[i]!.series, `at ${collection.at_ms}: `, out);
  });
}

function compareSeries(expected: ExpectedSeries[], actual: ExpectedSeries[], at: string, out: string[]): void {
  const wanted = bySeries(expected);
  const got = bySeries(actual);
  for (const [key, series] of wanted) {
    const others = got.get(key) ?? [];
    if (others.length !== series.length) out.push(`${at}${others.length} instead of ${series.length} of ${key}`);
    else {
      series.forEach((one, i) => {
        compareOne(one, others[i]!, `${at}${key}`, out);
      });
    }
  }
  for (const [key, { length }] of got) if (!wanted.has(key)) out.push(`${at}${length} instead of 0 of ${key}`);
}

/** Two series may carry the same labels (external labels made them equal): those are compared in the order of their values. */
function bySeries(series: ExpectedSeries[]): Map<string, ExpectedSeries[]> {
  const groups = new Map<string, ExpectedSeries[]>();
  for (const one of series) {
    const key = `${one.type} ${labelText(one.labels)}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  for (const group of groups.values()) group.sort((a, b) => order(a.value, b.value));
  return groups;
}

function labelText(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function order(a: number | string | undefined, b: number | string | undefined): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}

function compareOne(expected: ExpectedSeries, actual: ExpectedSeries, name: string, out: string[]): void {
  if (!sameValue(expected.value, actual.value)) out.push(`${name}: ${actual.value} instead of ${expected.value}`);
  if (expected.init_zero_t_ms !== actual.init_zero_t_ms) {
    out.push(`${name}: zero sample at ${actual.init_zero_t_ms} instead of ${expected.init_zero_t_ms}`);
  }
  compareHistograms(expected.histogram, actual.histogram, name, out);
  compareHistograms(expected.init_zero_histogram, actual.init_zero_histogram, `${name}: zero`, out);
  compareExemplars(expected.exemplars ?? [], actual.exemplars ?? [], name, out);
}

function compareHistograms(
  expected: HistogramValue | undefined,
  actual: HistogramValue | undefined,
  name: string,
  out: string[],
): void {
  if (expected === undefined || actual === undefined) {
    if (expected !== actual) out.push(`${name}: ${actual ? 'a' : 'no'} histogram`);
    return;
  }
  for (const field of ['schema', 'count', 'zero_count', 'zero_threshold'] as const) {
    if (expected[field] !== actual[field]) out.push(`${name}: ${field} ${actual[field]} instead of ${expected[field]}`);
  }
  if (!sameValue(expected.sum, actual.sum)) out.push(`${name}: sum ${actual.sum} instead of ${expected.sum}`);
  const buckets = ({ positive_buckets = [] }: HistogramValue) =>
    positive_buckets
      .filter(({ count }) => count !== 0)
      .sort((a, b) => a.index - b.index)
      .map(({ index, count }) => `${index}:${count}`)
      .join(' ');
  if (buckets(expected) !== buckets(actual)) {
    out.push(`${name}: buckets ${buckets(actual)} instead of ${buckets(expected)}`);
  }
}

function compareExemplars(expected: ExpectedExemplar[], actual: ExpectedExemplar[], name: string, out: string[]): void {
  const sorted = (exemplars: ExpectedExemplar[]) =>
    exemplars
      .map(({ labels, value }) => ({ labels: labelText(labels), value }))
      .sort((a, b) => (a.labels === b.labels ? order(a.value, b.value) : a.labels < b.labels ? -1 : 1));
  const a = sorted(expected);
  const b = sorted(actual);
  const same = a.length === b.length && a.every((e, i) => e.labels === b[i]!.labels && sameValue(e.value, b[i]!.value));
  if (!same) out.push(`${name}: exemplars ${JSON.stringify(b)} instead of ${JSON.stringify(a)}`);
}

function compareSelfMetrics(expected: Record<string, number>, actual: Record<string, number>, out: string[]): void {
  const names = new Set([...Object.keys(expected), ...Object.keys(actual)].filter(isPromised));
  for (const name of names) {
    // A zero is left out by whoever writes these down.
    const wanted = expected[name] ?? 0;
    const got = actual[name] ?? 0;
    if (!sameValue(wanted, got)) out.push(`${name}: ${got} instead of ${wanted}`);
  }
}

function isPromised(name: string): boolean {
  return PROMISED.some((promised) => {
    const rest = name.startsWith('metrics_generator_') ? name.slice('metrics_generator_'.length) : '';
    return (
      rest === promised || rest.startsWith(`${promised}{`) || (promised.endsWith('_') && rest.startsWith(promised))
    );
  });
}
