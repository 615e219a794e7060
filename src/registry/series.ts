// From a row to its series: the fixed list that a schema stands for, and each one's value. Order: parts as configured, a
// histogram as _bucket by ascending le, _sum, _count, then the native one.

import { doubleText } from '../bytes/index.ts';
import type { TableSchema } from './schema.ts';

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
  /** Exemplar slot of a bucket. */
  exemplarSlot: number;
  /** Of a native histogram: which of the row's. */
  nativeSlot?: number;
  /** Does a new series of this kind get a zero sample? */
  zero: boolean;
}

export function seriesOf(schema: TableSchema): SeriesSpec[] {
  const specs: SeriesSpec[] = [];
  schema.parts.forEach((part, index) => {
    const base = { family: part.metric, part: index, exemplarSlot: -1 };
    if (part.kind === 'counter') {
      specs.push({ ...base, name: part.metric, type: 'counter', kind: 'value', column: part.column, zero: true });
    } else if (part.kind === 'gauge') {
      specs.push({ ...base, name: part.metric, type: 'gauge', kind: 'constant', column: -1, zero: false });
    } else if (part.kind === 'native') {
      specs.push(nativeSeries(part.metric, index, part.native.slot));
    } else {
      const buckets = part.bounds.length + 1;
      for (let b = 0; b < buckets; b++) {
        specs.push({
          ...base,
          name: `${part.metric}_bucket`,
          type: 'histogram',
          kind: 'bucket',
          le: b < part.bounds.length ? doubleText(part.bounds[b]!) : '+Inf',
          column: part.column + 1 + b,
          exemplarSlot: part.exemplarBase + b,
          zero: true,
        });
      }
      specs.push({
        ...base,
        name: `${part.metric}_sum`,
        type: 'histogram',
        kind: 'sum',
        column: part.column,
        zero: false,
      });
      specs.push({
        ...base,
        name: `${part.metric}_count`,
        type: 'histogram',
        kind: 'count',
        column: part.column + 1 + part.bounds.length,
        zero: true,
      });
      if (part.native) specs.push(nativeSeries(part.metric, index, part.native.slot));
    }
  });
  return specs;
}

function nativeSeries(metric: string, part: number, nativeSlot: number): SeriesSpec {
  return {
    name: metric,
    family: metric,
    type: 'histogram',
    part,
    kind: 'native',
    column: -1,
    exemplarSlot: -1,
    nativeSlot,
    zero: true,
  };
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
        cumulative += values[at + spec.column]!;
        out[i] = cumulative;
        break;
      case 'count':
        out[i] = cumulative;
        cumulative = 0;
        break;
      default:
        out[i] = values[at + spec.column]!;
    }
  }
}

/** Labels of one series as sorted pairs. `common` labels win over the row's; names are set last, so nothing shadows them. */
export function seriesLabels(
  schema: TableSchema,
  row: readonly string[],
  overflow: boolean,
  spec: SeriesSpec,
  common: Readonly<Record<string, string>>,
): Map<string, string> {
  const labels = new Map<string, string>();
  if (overflow) labels.set('metric_overflow', 'true');
  else if (schema.freeLabels) {
    const parts = row[0]!.split('\u0000');
    for (let i = 0; i + 1 < parts.length; i += 2) labels.set(parts[i]!, unescapeValue(parts[i + 1]!));
  } else {
    schema.labels.forEach((name, i) => {
      if (row[i]) labels.set(name, row[i]!);
    });
  }
  for (const [name, value] of Object.entries(schema.constantLabels)) labels.set(name, value);
  for (const [name, value] of Object.entries(common)) labels.set(name, value);
  if (spec.le !== undefined) labels.set('le', spec.le);
  labels.set('__name__', spec.name);
  return labels;
}

/** Undoes the escaping of NUL and U+0001 in a free label set (processors/label-set.ts). */
function unescapeValue(text: string): string {
  return text.replaceAll('\u00010', '\u0000').replaceAll('\u00011', '\u0001');
}
