// Holds the series of a case against what the collector sent: label sets, buckets and the last value of each series. How often and
// when it was sent means nothing here. Must never fix up either side.

import { sameValue } from './compare.ts';
import type { OtelExemplar, OtelSeries } from './otel-case.ts';

export interface ExpectedHistogram {
  schema: number;
  count: number;
  sum: number;
  zero_count: number;
  positive_spans: { offset: number; length: number }[];
  positive_deltas: number[];
}

export interface ExpectedOtelSeries {
  labels: Record<string, string>;
  /** One list per request; more than one sample in it are duplicates of one time. */
  values?: number[][];
  histograms?: ExpectedHistogram[];
  exemplars?: OtelExemplar[];
}

/** One line per difference; none where `actual` is what the case asks for. */
export function otelDifferences(expected: readonly ExpectedOtelSeries[], actual: readonly OtelSeries[]): string[] {
  const out: string[] = [];
  const got = new Map<string, OtelSeries>();
  for (const series of actual) {
    const name = textOf(series.labels);
    if (got.has(name)) out.push(`twice: ${name}`);
    got.set(name, series);
  }
  const wanted = new Set(expected.map(({ labels }) => textOf(labels)));
  for (const name of got.keys()) if (!wanted.has(name)) out.push(`too many: ${name}`);
  for (const series of expected) {
    const name = textOf(series.labels);
    const other = got.get(name);
    if (other === undefined) out.push(`missing: ${name}`);
    else {
      const differences = [...valueDifferences(series, other), ...exemplarDifferences(series, other)];
      out.push(...differences.map((what) => `${name}: ${what}`));
    }
  }
  return out.slice(0, 20);
}

function valueDifferences(expected: ExpectedOtelSeries, actual: OtelSeries): string[] {
  const histogram = expected.histograms?.at(-1);
  if (histogram !== undefined) return histogramDifferences(histogram, actual.histogram);
  const last = expected.values?.at(-1) ?? [];
  if (last.length !== 1) return [`${last.length} samples of one time`];
  return sameValue(last[0], actual.value) ? [] : [`${actual.value} instead of ${last[0]}`];
}

/** Both in the order of their values. */
function exemplarDifferences({ exemplars: expected }: ExpectedOtelSeries, { exemplars: actual }: OtelSeries): string[] {
  const texts = (exemplars: OtelExemplar[] = []) =>
    exemplars.map(({ labels, value }) => `${value} ${textOf(labels)}`).join(' ');
  return texts(expected) === texts(actual) ? [] : [`exemplars ${texts(actual)} instead of ${texts(expected)}`];
}

function histogramDifferences(expected: ExpectedHistogram, actual: OtelSeries['histogram']): string[] {
  if (actual === undefined) return ['no histogram'];
  const out: string[] = [];
  for (const field of ['schema', 'count', 'zero_count'] as const) {
    if (expected[field] !== actual[field]) out.push(`${field} ${actual[field]} instead of ${expected[field]}`);
  }
  if (!sameValue(expected.sum, actual.sum)) out.push(`sum ${actual.sum} instead of ${expected.sum}`);
  const buckets = [...bucketsOf(expected)].join(' ');
  const others = (actual.positive_buckets ?? []).map(({ index, count }) => [index, count]).join(' ');
  if (buckets !== others) out.push(`buckets ${others} instead of ${buckets}`);
  return out;
}

/** Index and count of the buckets that are not empty. */
export function bucketsOf({ positive_spans: spans, positive_deltas: deltas }: ExpectedHistogram): [number, number][] {
  const buckets: [number, number][] = [];
  let index = 0;
  let count = 0;
  let next = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++, index++) {
      count += deltas[next++]!;
      if (count > 0) buckets.push([index, count]);
    }
  }
  return buckets;
}

export function textOf(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
