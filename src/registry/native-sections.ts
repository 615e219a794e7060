// The native histograms of rows as columns beside theirs (row-sections.ts), and back. The columns are stored.

import type { NativeExemplar } from './native-exemplars.ts';
import { type NativeHistogram, NEVER } from './native-histogram.ts';
import type { NativeRows } from './native-rows.ts';
import type { Column } from './section.ts';

/** In place of a schema: nothing was observed yet. */
const NONE = 127;

export interface NativeColumns {
  /** One of each for each row and slot: schema, number of buckets and of exemplars, observations around zero, sum, times of resets. */
  nativeSchemas: Int32Array;
  nativeLengths: Uint32Array;
  nativeExemplars: Uint32Array;
  nativeZeros: Float64Array;
  nativeSums: Float64Array;
  nativeResetMs: Float64Array;
  /** When it is to be reset; 0 = not at all. */
  nativeDueMs: Float64Array;
  /** Buckets, one histogram's after the other's. */
  nativeIndexes: Int32Array;
  nativeCounts: Float64Array;
  /** Exemplars likewise. */
  nativeExemplarValues: Float64Array;
  nativeExemplarMs: Float64Array;
  nativeExemplarLengths: Uint32Array;
  nativeExemplarBytes: Uint8Array;
}

/** Of these rows, in their order. In loops over indices, as in row-sections.ts. */
export function nativeColumns(natives: NativeRows, rows: Int32Array): Record<string, Column> {
  const { perRow } = natives;
  const all: (NativeHistogram | undefined)[] = [];
  let buckets = 0;
  for (let i = 0; i < rows.length; i++) {
    for (let slot = 0; slot < perRow; slot++) {
      const histogram = natives.get(rows[i]!, slot);
      all.push(histogram);
      if (histogram) buckets += histogram.length;
    }
  }
  const columns = {
    nativeSchemas: new Int32Array(all.length).fill(NONE),
    nativeLengths: new Uint32Array(all.length),
    nativeExemplars: new Uint32Array(all.length),
    nativeZeros: new Float64Array(all.length),
    nativeSums: new Float64Array(all.length),
    nativeResetMs: new Float64Array(all.length),
    nativeDueMs: new Float64Array(all.length),
    nativeIndexes: new Int32Array(buckets),
    nativeCounts: new Float64Array(buckets),
  };
  let top = 0;
  for (let i = 0; i < all.length; i++) {
    const histogram = all[i];
    if (!histogram) continue;
    columns.nativeSchemas[i] = histogram.schema;
    columns.nativeLengths[i] = histogram.length;
    columns.nativeExemplars[i] = histogram.exemplars?.count ?? 0;
    columns.nativeZeros[i] = histogram.zeroCount;
    columns.nativeSums[i] = histogram.sum;
    columns.nativeResetMs[i] = histogram.resetMs;
    columns.nativeDueMs[i] = histogram.dueMs === NEVER ? 0 : histogram.dueMs;
    const { indexes, counts } = histogram;
    for (let b = 0; b < histogram.length; b++, top++) {
      columns.nativeIndexes[top] = indexes[b]!;
      columns.nativeCounts[top] = counts[b]!;
    }
  }
  const said: NativeColumns = { ...columns, ...exemplarColumns(all) };
  return { ...said };
}

function exemplarColumns(histograms: readonly (NativeHistogram | undefined)[]) {
  const exemplars = histograms.flatMap((histogram) => histogram?.exemplars?.list() ?? []);
  return {
    nativeExemplarValues: Float64Array.from(exemplars, ({ value }) => value),
    nativeExemplarMs: Float64Array.from(exemplars, ({ atMs }) => atMs),
    nativeExemplarLengths: Uint32Array.from(exemplars, ({ traceId }) => traceId.length),
    nativeExemplarBytes: new Uint8Array(Buffer.concat(exemplars.map(({ traceId }) => traceId))),
  };
}

/** A native histogram as a boundary tells it. Owns its arrays. */
export interface NativeState {
  schema: number;
  zeroCount: number;
  sum: number;
  /** Ascending. */
  indexes: Int32Array;
  counts: Float64Array;
  exemplars: NativeExemplar[];
  resetMs: number;
  dueMs: number;
}

/** Visits the histograms of columns by the position of their row among those of the section. */
export function readNatives(
  columns: NativeColumns,
  perRow: number,
  visit: (position: number, slot: number, state: NativeState) => void,
): void {
  let bucket = 0;
  let exemplar = 0;
  let byte = 0;
  columns.nativeSchemas.forEach((schema, i) => {
    if (schema === NONE) return;
    const end = bucket + columns.nativeLengths[i]!;
    const exemplars: NativeExemplar[] = [];
    for (let n = columns.nativeExemplars[i]!; n > 0; n--, exemplar++) {
      const length = columns.nativeExemplarLengths[exemplar]!;
      exemplars.push({
        value: columns.nativeExemplarValues[exemplar]!,
        atMs: columns.nativeExemplarMs[exemplar]!,
        traceId: columns.nativeExemplarBytes.slice(byte, byte + length),
      });
      byte += length;
    }
    visit(Math.floor(i / perRow), i % perRow, {
      schema,
      zeroCount: columns.nativeZeros[i]!,
      sum: columns.nativeSums[i]!,
      indexes: columns.nativeIndexes.slice(bucket, end),
      counts: columns.nativeCounts.slice(bucket, end),
      exemplars,
      resetMs: columns.nativeResetMs[i]!,
      dueMs: columns.nativeDueMs[i]! || NEVER,
    });
    bucket = end;
  });
}

/** Puts a histogram back into a row. */
export function restoreNative(natives: NativeRows, row: number, slot: number, state: NativeState): void {
  const histogram: NativeHistogram = natives.make(row, slot, state.resetMs);
  histogram.restore(state);
  if (state.dueMs !== NEVER) natives.schedule(row, slot);
}
