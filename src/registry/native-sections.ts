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

export function nativeColumns(natives: NativeRows, rows: readonly number[]): Record<string, Column> {
  const all = rows.flatMap((row) => Array.from({ length: natives.perRow }, (_, slot) => natives.get(row, slot)));
  const buckets = all.reduce((sum, histogram) => sum + (histogram?.length ?? 0), 0);
  const indexes = new Int32Array(buckets);
  const counts = new Float64Array(buckets);
  let top = 0;
  for (const histogram of all) {
    if (!histogram) continue;
    indexes.set(histogram.indexes.subarray(0, histogram.length), top);
    counts.set(histogram.counts.subarray(0, histogram.length), top);
    top += histogram.length;
  }
  const exemplars = all.flatMap((histogram) => histogram?.exemplars?.list() ?? []);
  const columns: NativeColumns = {
    nativeSchemas: Int32Array.from(all, (one) => one?.schema ?? NONE),
    nativeLengths: Uint32Array.from(all, (one) => one?.length ?? 0),
    nativeExemplars: Uint32Array.from(all, (one) => one?.exemplars?.count ?? 0),
    nativeZeros: Float64Array.from(all, (one) => one?.zeroCount ?? 0),
    nativeSums: Float64Array.from(all, (one) => one?.sum ?? 0),
    nativeResetMs: Float64Array.from(all, (one) => one?.resetMs ?? 0),
    nativeDueMs: Float64Array.from(all, (one) => (one === undefined || one.dueMs === NEVER ? 0 : one.dueMs)),
    nativeIndexes: indexes,
    nativeCounts: counts,
    nativeExemplarValues: Float64Array.from(exemplars, ({ value }) => value),
    nativeExemplarMs: Float64Array.from(exemplars, ({ atMs }) => atMs),
    nativeExemplarLengths: Uint32Array.from(exemplars, ({ traceId }) => traceId.length),
    nativeExemplarBytes: new Uint8Array(Buffer.concat(exemplars.map(({ traceId }) => traceId))),
  };
  return { ...columns };
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
