// From a row to its series: the fixed list that a schema stands for, and each one's value. Order: parts as configured, a
// histogram as _bucket by ascending le, _sum, _count, then the native one; then all of it under the second names.

import { doubleText } from '../bytes/index.ts';
import { labelSetPairs } from './label-sets.ts';
import type { HistogramPart, SecondPart, TableSchema } from './schema.ts';

export interface SeriesSpec {
  /** Metric name with its suffix. */
  name: string;
  /** Family name and type, as exposition formats want them. */
  family: string;
  type: 'counter' | 'histogram' | 'gauge';
  part: number;
  kind: 'value' | 'constant' | 'sum' | 'count' | 'bucket' | 'native';
  le?: string;
  /** Column in the row. */
  column: number;
  /** Of a bucket or count: so many columns from there on are added. */
  columns: number;
  /** Of a sum: what the column is multiplied by. */
  factor: number;
  /** Exemplar slot of a bucket. */
  exemplarSlot: number;
  /** Of a native histogram: which of the row's. */
  nativeSlot?: number;
  /** Does a new series of this kind get a zero sample? */
  zero: boolean;
  /** Is it said under the second names? */
  second: boolean;
}

export function seriesOf(schema: TableSchema): SeriesSpec[] {
  const own = schema.parts.flatMap((_, part) => seriesOfMetric(schema, part, undefined));
  const second = schema.parts.flatMap((_, part) => {
    const names = schema.second?.parts[part];
    return names ? seriesOfMetric(schema, part, names) : [];
  });
  return [...own, ...second];
}

function seriesOfMetric(schema: TableSchema, index: number, second: SecondPart | undefined): SeriesSpec[] {
  const part = schema.parts[index]!;
  const metric = second?.metric ?? part.metric;
  const base = {
    name: metric,
    family: metric,
    part: index,
    column: -1,
    columns: 1,
    factor: second?.factor ?? 1,
    exemplarSlot: -1,
    second: second !== undefined,
  };
  const native = (nativeSlot: number): SeriesSpec => {
    return { ...base, type: 'histogram', kind: 'native', nativeSlot, zero: true };
  };
  if (part.kind === 'counter') return [{ ...base, type: 'counter', kind: 'value', column: part.column, zero: true }];
  if (part.kind === 'gauge') return [{ ...base, type: 'gauge', kind: 'constant', zero: false }];
  if (part.kind === 'native') return [native(part.native.slot)];
  const { bounds, column } = part;
  const buckets = bucketsOf(part, second);
  const specs = buckets.map(({ bound, le }, i): SeriesSpec => {
    const first = i === 0 ? 0 : buckets[i - 1]!.bound + 1;
    return {
      ...base,
      name: `${metric}_bucket`,
      type: 'histogram',
      kind: 'bucket',
      le,
      column: column + 1 + first,
      columns: bound + 1 - first,
      // Exemplars are those of the first name: see `exemplarSlots`.
      exemplarSlot: second ? -1 : part.exemplarBase + bound,
      zero: true,
    };
  });
  specs.push({ ...base, name: `${metric}_sum`, type: 'histogram', kind: 'sum', column, zero: false });
  specs.push({
    ...base,
    name: `${metric}_count`,
    type: 'histogram',
    kind: 'count',
    column: column + 1 + bounds.length,
    zero: true,
  });
  if (part.native) specs.push(native(part.native.slot));
  return specs;
}

/** The buckets that are said, +Inf included: index of the bound and its text. */
function bucketsOf({ bounds, said }: HistogramPart, second: SecondPart | undefined): { bound: number; le: string }[] {
  const indexes = said ?? bounds.keys();
  const finite = second?.buckets ?? Array.from(indexes, (bound) => ({ bound, le: doubleText(bounds[bound]!) }));
  return [...finite, { bound: bounds.length, le: '+Inf' }];
}

/** Where only some bounds are said: by exemplar slot the slot of the bucket that says it; else undefined. */
export function exemplarSlots(schema: TableSchema): Int32Array | undefined {
  if (!schema.parts.some((part) => part.kind === 'histogram' && part.said)) return undefined;
  const slots = Int32Array.from({ length: schema.exemplarSlots }, (_, slot) => slot);
  for (const part of schema.parts) {
    if (part.kind !== 'histogram' || !part.said) continue;
    const bounds = [...part.said, part.bounds.length];
    for (let slot = 0, i = 0; slot <= part.bounds.length; slot++) {
      while (bounds[i]! < slot) i++;
      slots[part.exemplarBase + slot] = part.exemplarBase + bounds[i]!;
    }
  }
  return slots;
}

/**
 * Writes the value of each series of the row at `at` in `values` to `out`. Buckets are cumulative; the count is the last of them.
 * A native histogram is no number: NaN.
 */
export function seriesValues(specs: readonly SeriesSpec[], values: Float64Array, at: number, out: Float64Array): void {
  let cumulative = 0;
  for (let i = 0; i < specs.length; i++) {
    const spec = specs[i]!;
    switch (spec.kind) {
      case 'constant':
        out[i] = 1;
        break;
      case 'native':
        out[i] = Number.NaN;
        break;
      case 'bucket':
        for (let c = 0; c < spec.columns; c++) cumulative += values[at + spec.column + c]!;
        out[i] = cumulative;
        break;
      case 'count':
        out[i] = cumulative;
        cumulative = 0;
        break;
      case 'sum':
        out[i] = values[at + spec.column]! * spec.factor;
        break;
      default:
        out[i] = values[at + spec.column]!;
    }
  }
}

/** The label that tells instances of the process apart, as callers name it in `common`. */
export const INSTANCE_LABEL = '__metrics_gen_instance';

/** Labels of one series as sorted pairs. `common` labels win over the row's; names are set last, so nothing shadows them. */
export function seriesLabels(
  schema: TableSchema,
  row: readonly string[],
  overflow: boolean,
  spec: SeriesSpec,
  common: Readonly<Record<string, string>>,
): Map<string, string> {
  const labels = new Map<string, string>();
  const second = spec.second ? schema.second : undefined;
  if (overflow) labels.set('metric_overflow', 'true');
  else {
    const sets = schema.freeLabels ? 1 : (schema.labelSets ?? 0);
    (second ?? schema).labels.forEach((name, i) => {
      if (i < sets) for (const [one, value] of labelSetPairs(row[i]!)) labels.set(one, value);
      else if (row[i]) labels.set(name, row[i]!);
    });
  }
  for (const [name, value] of Object.entries((second ?? schema).constantLabels)) labels.set(name, value);
  const { instanceLabel } = second ?? schema;
  for (const [name, value] of Object.entries(common)) {
    if (name !== INSTANCE_LABEL || instanceLabel === undefined) labels.set(name, value);
    else if (instanceLabel !== '') labels.set(instanceLabel, value);
  }
  if (spec.le !== undefined) labels.set('le', spec.le);
  labels.set('__name__', spec.name);
  return labels;
}
