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
export type Part = CounterPart | HistogramPart | NativePart | GaugePart;

export interface TableSchema {
  /** Unique in a registry, e.g. `span-metrics`. */
  name: string;
  /** Label names in byte order, each once. */
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
  /** The one label value is a whole label set, names and values each ended by NUL (processors/label-set.ts). */
  freeLabels?: boolean;
}

export type PartSpec =
  | { kind: 'counter'; metric: string }
  | { kind: 'gauge'; metric: string }
  | { kind: 'histogram'; metric: string; bounds: number[]; native?: NativeLayout }
  | { kind: 'native'; metric: string; native: NativeLayout };

/** Lays the columns out. Buckets are sorted; +Inf is implied. */
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
    return { kind: 'histogram', metric: spec.metric, bounds, column, exemplarBase, ...native };
  });
  const natives = nativeSlots > 0 ? { nativeSlots } : {};
  return { name, labels: [...labels], parts, width, exemplarSlots, ...natives, constantLabels, exemplarLabel };
}

/** Number of active series that a part stands for: what the series limit counts. */
export function seriesOfPart(part: Part): number {
  return part.kind === 'histogram' ? part.bounds.length + 3 + (part.native ? 1 : 0) : 1;
}

/** All parts of a row, as a bit mask. */
export function fullMask(schema: TableSchema): number {
  return (1 << schema.parts.length) - 1;
}
