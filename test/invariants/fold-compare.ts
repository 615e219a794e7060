// What a fold says at a boundary against what a model says, series by series.

import type { TenantImage } from '../../src/registry/index.ts';
import { seriesLabels } from '../../src/registry/index.ts';
import { type SeriesView, viewSeries } from '../../src/simulate/series-view.ts';
import { INSTANCE, type Said, seriesKey } from '../fold/model.ts';

const COMMON = { __metrics_gen_instance: INSTANCE };

export interface SaidByFold {
  /** By key; label sets that differ in a label that is overridden share one. */
  series: Map<string, SeriesView[]>;
  /** Keys of series that end here. */
  ended: string[];
}

export function saidByFold(image: TenantImage): SaidByFold {
  const series = new Map<string, SeriesView[]>();
  for (const view of viewSeries(image, COMMON)) {
    const { __name__: name, ...labels } = view.labels;
    const key = seriesKey(name!, labels);
    series.set(key, [...(series.get(key) ?? []), view]);
  }
  const ended = new Set<string>();
  for (const { schema, ended: rows, series: specs } of [...image.tables.values(), ...image.replaced]) {
    for (const row of rows) {
      for (const spec of specs) {
        if ((row.admitted & (1 << spec.part)) === 0) continue;
        const { __name__: name, ...labels } = Object.fromEntries(
          seriesLabels(schema, row.labels, row.overflow, spec, COMMON),
        );
        ended.add(seriesKey(name!, labels));
      }
    }
  }
  return { series, ended: [...ended].filter((key) => !series.has(key)) };
}

/** A line for each difference. */
export function differences(
  fold: SaidByFold,
  model: { said: Said[]; ended: string[] },
  withExemplars = true,
): string[] {
  const expected = new Map<string, Said[]>();
  for (const said of model.said) expected.set(said.key, [...(expected.get(said.key) ?? []), said]);
  const lines: string[] = [];
  for (const key of new Set([...fold.series.keys(), ...expected.keys()])) {
    const there = fold.series.get(key) ?? [];
    const wanted = expected.get(key) ?? [];
    if (there.length !== wanted.length) lines.push(`${key}: ${there.length} times, not ${wanted.length}`);
    else if (there.length === 1)
      lines.push(...differencesOf(there[0]!, wanted[0]!, withExemplars).map((line) => `${key}: ${line}`));
    else lines.push(...differencesOfTwins(there, wanted).map((line) => `${key}: ${line}`));
  }
  const sorted = (keys: string[]) => keys.sort().join(' ');
  if (sorted(fold.ended) !== sorted(model.ended))
    lines.push(`ended: ${sorted(fold.ended)}, not ${sorted(model.ended)}`);
  return lines;
}

function differencesOf(there: SeriesView, { sample, zero, exemplarLabel }: Said, withExemplars: boolean): string[] {
  const lines: string[] = [];
  if (!isClose(there.value, sample.value)) lines.push(`${there.value}, not ${sample.value}`);
  if (there.zeroMs === undefined ? zero : !zero || there.zeroMs < zero.fromMs || there.zeroMs > zero.toMs)
    lines.push(`zero at ${there.zeroMs}, not ${JSON.stringify(zero)}`);
  const exemplars = textOf(there.exemplars);
  const wanted = textOf(
    sample.exemplars.map(({ trace, value }) => ({ labels: { [exemplarLabel]: trace.replace(/^0+/, '') }, value })),
  );
  if (withExemplars && exemplars !== wanted) lines.push(`exemplars ${exemplars}, not ${wanted}`);
  const { histogram } = there;
  const { native } = sample;
  if ((histogram === undefined) !== (native === undefined)) lines.push('is of another type');
  if (histogram === undefined || native === undefined) return lines;
  const buckets = Array.from(histogram.indexes, (index, i) => [index, histogram.counts[i]!]);
  const mine = JSON.stringify([histogram.schema, histogram.zeroCount, buckets]);
  const other = JSON.stringify([native.schema, native.zero, [...native.buckets].sort(([a], [b]) => a - b)]);
  if (mine !== other) lines.push(`schema, zeros and buckets ${mine}, not ${other}`);
  if (!isClose(histogram.sum, native.sum)) lines.push(`sum ${histogram.sum}, not ${native.sum}`);
  return lines;
}

/** Of series that can't be told apart: their values, and how many of them are new. */
function differencesOfTwins(there: readonly SeriesView[], wanted: readonly Said[]): string[] {
  const ascending = (values: number[]) => values.sort((a, b) => a - b);
  const values = ascending(there.map(({ value }) => value));
  const others = ascending(wanted.map(({ sample }) => sample.value));
  const isSame = values.every((value, i) => isClose(value, others[i]!));
  const born = there.filter(({ zeroMs }) => zeroMs !== undefined).length;
  return isSame && born === wanted.filter(({ zero }) => zero !== undefined).length ? [] : [`${values}, not ${others}`];
}

function textOf(exemplars: readonly { labels: Record<string, string>; value: number }[]): string {
  return exemplars
    .map(({ labels, value }) => `${JSON.stringify(labels)} ${value}`)
    .sort()
    .join(', ');
}

/** As far as the order of additions goes. */
function isClose(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
}
