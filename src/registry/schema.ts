// What a table of rows holds: its label names, and the metrics that one row stands for. Plain data: it travels in the ledger
// with the rows, so that whoever reads them can tell what series they are.

import type { NativeLayout } from './native-histogram.ts';

export interface CounterPart {
  kind: 'counter';
  metric: string;
  /** Column of the value. */
  column: number;
}
export interface HistogramPart {
  kind: 'histogram';
  metric: string;
  /** Upper bounds, ascending, without +Inf. */
  bounds: number[];
  /** Column of the sum; `bounds.length + 1` columns of bucket counts follow (not cumulative, the last is +Inf). */
  column: number;
  /** Index of the first bucket among the row's exemplar slots. */
  exemplarBase: number;
  /** There is a native histogram of the same observations too; it has no exemplars. */
  native?: NativeSlot;
  /** Indexes of the bounds that the metric has; absent: all of them. The others are there for the second name. */
  said?: number[];
}
/** A native histogram alone. */
export interface NativePart {
  kind: 'native';
  metric: string;
  native: NativeSlot;
}
export interface NativeSlot extends NativeLayout {
  /** Among the row's native histograms. */
  slot: number;
}
export interface GaugePart {
  kind: 'gauge';
  metric: string;
}
/** One metric of a row: admitted by the limiter and born by itself. */
export type Part = (CounterPart | HistogramPart | NativePart | GaugePart) & {
  /** Number of series under its second name. */
  secondSeries?: number;
};

/** The same metric under a second name. */
export interface SecondPart {
  metric: string;
  /** Of a histogram: which of the part's bounds it has, and how they are spelt in its unit. */
  buckets?: { bound: number; le: string }[];
  /** What a sum is multiplied by: units of the second metric in one of the first. */
  factor: number;
}

/** A second set of series that the rows stand for: made from the same columns when they are said, with labels of its own. */
export interface SecondNames {
  /** By part; null: it has no second name. */
  parts: (SecondPart | null)[];
  /** By label of the table: its second name. */
  labels: string[];
  constantLabels: Record<string, string>;
  instanceLabel: string;
}

export interface TableSchema {
  /** Unique in a registry, e.g. `span-metrics`. */
  name: string;
  /** Label names, each once, in byte order but for the carried ones, which are last. */
  labels: string[];
  parts: Part[];
  /** Number of value columns, and of exemplar slots, of a row. */
  width: number;
  exemplarSlots: number;
  /** Number of native histograms of a row; absent: none. */
  nativeSlots?: number;
  /** Labels on every series of the table; they win over the row's own. */
  constantLabels: Record<string, string>;
  exemplarLabel: string;
  /** The one label value is a whole label set, names and values each ended by NUL (label-sets.ts). */
  freeLabels?: boolean;
  /** So many labels, the first ones, have whole label sets as their values. Their own names (`*` first) say what the sets are made of. */
  labelSets?: number;
  /** So many labels, the last ones, do not tell rows apart: their values are those of the span that made the row. */
  carried?: { labels: number; of: string[] };
  /** The exemplars are the first so many spans of an interval, each with its span id, of every part. Absent: the last of each bucket. */
  firstExemplars?: number;
  /** Name of the label that tells instances of the process apart; absent: the usual one, empty: the series have none. */
  instanceLabel?: string;
  second?: SecondNames;
}

export type PartSpec =
  | { kind: 'counter'; metric: string }
  | { kind: 'gauge'; metric: string }
  | { kind: 'histogram'; metric: string; bounds: number[]; said?: number[]; native?: NativeLayout }
  | { kind: 'native'; metric: string; native: NativeLayout };

/** Lays the columns out. Buckets are sorted; +Inf is implied. Bounds are sorted already where only some of them are said. */
export function makeSchema(
  name: string,
  labels: readonly string[],
  specs: readonly PartSpec[],
  constantLabels: Record<string, string>,
  exemplarLabel: string,
): TableSchema {
  let width = 0;
  let exemplarSlots = 0;
  let nativeSlots = 0;
  const parts = specs.map((spec): Part => {
    if (spec.kind === 'gauge') return { kind: 'gauge', metric: spec.metric };
    if (spec.kind === 'native') {
      return { kind: 'native', metric: spec.metric, native: { ...spec.native, slot: nativeSlots++ } };
    }
    const column = width;
    if (spec.kind === 'counter') {
      width += 1;
      return { kind: 'counter', metric: spec.metric, column };
    }
    const bounds = [...spec.bounds].filter((b) => b !== Number.POSITIVE_INFINITY).sort((a, b) => a - b);
    const exemplarBase = exemplarSlots;
    width += 2 + bounds.length;
    exemplarSlots += bounds.length + 1;
    const native = spec.native && { native: { ...spec.native, slot: nativeSlots++ } };
    const said = spec.said && { said: spec.said };
    return { kind: 'histogram', metric: spec.metric, bounds, column, exemplarBase, ...native, ...said };
  });
  const natives = nativeSlots > 0 ? { nativeSlots } : {};
  return { name, labels: [...labels], parts, width, exemplarSlots, ...natives, constantLabels, exemplarLabel };
}

/** Number of active series that a part stands for, under its second name too: what the series limit counts. */
export function seriesOfPart(part: Part): number {
  const more = part.secondSeries ?? 0;
  if (part.kind !== 'histogram') return 1 + more;
  return (part.said ?? part.bounds).length + 3 + (part.native ? 1 : 0) + more;
}

/** The schema with a second set of names. */
export function withSecondNames(schema: TableSchema, second: SecondNames): TableSchema {
  const parts = schema.parts.map((part, i): Part => {
    const names = second.parts[i];
    if (!names) return part;
    if (part.kind !== 'histogram') return { ...part, secondSeries: 1 };
    return { ...part, secondSeries: (names.buckets ?? part.bounds).length + 3 + (part.native ? 1 : 0) };
  });
  return { ...schema, parts, second };
}

/** All parts of a row, as a bit mask. */
export function fullMask(schema: TableSchema): number {
  return (1 << schema.parts.length) - 1;
}
