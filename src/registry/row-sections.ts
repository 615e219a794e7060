// Rows as sections: what changed since the last boundary, everything, and the way back into a table. The columns are stored
// in the ledger (src/ledger/FORMAT.md names them); whoever changes them changes a format.

import { type NativeColumns, nativeColumns, readNatives, restoreNative } from './native-sections.ts';
import type { RowTable } from './rows.ts';
import type { TableSchema } from './schema.ts';
import type { Section } from './section.ts';
import { EMPTY_SYMBOL, type Symbols } from './symbols.ts';

export interface RowsMeta extends Record<string, unknown> {
  holder: 'rows';
  schema: TableSchema;
  nextId: number;
  /** Only where the section is everything: label sets that ended lately and the timestamp of their last sample. */
  endedLately?: [identity: string, tMs: number][];
}

export interface RowsColumns {
  /** Ids of rows that ended. */
  ended: Float64Array;
  /** Rows that are new: id, 1 = overflow row, and `labels.length` value lengths each, their bytes one after another. */
  bornIds: Float64Array;
  bornOverflow: Uint8Array;
  bornLengths: Uint32Array;
  bornBytes: Uint8Array;
  /** Rows that changed (new ones too): id, last update, admitted parts, `width` values. */
  ids: Float64Array;
  updatedMs: Float64Array;
  admitted: Uint8Array;
  values: Float64Array;
  /** Parts said for the first time, and the time of their zero sample. */
  unborn: Uint8Array;
  zeroMs: Float64Array;
  /** Exemplars: index into `ids`, bucket slot, value, trace id. */
  exemplarRows: Uint32Array;
  exemplarBuckets: Uint32Array;
  exemplarValues: Float64Array;
  exemplarLengths: Uint32Array;
  exemplarBytes: Uint8Array;
}

/** The last second of the minute before `tMs`: where the zero sample of a new series belongs. */
export function zeroTimeMs(tMs: number): number {
  return Math.floor(tMs / 60_000) * 60_000 - 1_000;
}

/** What changed since the last call, as of boundary `tMs`. */
export function rowChanges(table: RowTable, symbols: Symbols, tMs: number): Section {
  // A label set that ended and came back within one interval has its last sample at the boundary before, without a stale marker.
  for (const identity of table.endedIdentities) table.endedLately.set(identity, table.saidMs);
  const dirty = Array.from(table.dirtyRows.subarray(0, table.dirtyCount));
  const section = build(table, symbols, tMs, dirty, (row) => table.unsaid[row] === 1, table.ended);
  for (const identity of table.endedIdentities) table.endedLately.set(identity, tMs);
  table.forgetEndedBefore(tMs);
  table.saidMs = tMs;
  table.clearDirty();
  table.exemplars.clear();
  return section;
}

/** Everything, ascending by id. Taken right after `rowChanges` of the same boundary. */
export function allRows(table: RowTable, symbols: Symbols, tMs: number): Section {
  const live: number[] = [];
  for (let row = 0; row < table.highWater; row++) if (table.live[row] === 1) live.push(row);
  live.sort((a, b) => table.ids[a]! - table.ids[b]!);
  const section = build(table, symbols, tMs, live, () => true, []);
  (section.meta as RowsMeta).endedLately = [...table.endedLately];
  return section;
}

function build(
  table: RowTable,
  symbols: Symbols,
  tMs: number,
  rows: readonly number[],
  isNew: (row: number) => boolean,
  ended: readonly number[],
): Section {
  const { schema } = table;
  const labels = schema.labels.length;
  const born = rows.filter(isNew);
  const bornLengths = new Uint32Array(born.length * labels);
  let bytes = 0;
  born.forEach((row, i) => {
    for (let k = 0; k < labels; k++) {
      const n = symbols.bytes(table.keys[row * labels + k]!).length;
      bornLengths[i * labels + k] = n;
      bytes += n;
    }
  });
  const bornBytes = new Uint8Array(bytes);
  let top = 0;
  for (const row of born) {
    for (let k = 0; k < labels; k++) {
      const text = symbols.bytes(table.keys[row * labels + k]!);
      bornBytes.set(text, top);
      top += text.length;
    }
  }
  const { width } = schema;
  const values = new Float64Array(rows.length * width);
  const zeroMs = new Float64Array(rows.length);
  const standardZeroMs = zeroTimeMs(tMs);
  const indexOf = new Map<number, number>();
  rows.forEach((row, i) => {
    if (width > 0) values.set(table.values.subarray(row * width, (row + 1) * width), i * width);
    indexOf.set(row, i);
    if (table.unborn[row] === 0) return;
    zeroMs[i] = standardZeroMs;
    if (table.endedLately.size === 0) return;
    const lastMs = table.lastSampleMs(table.identity(table.keys, row * labels), tMs);
    if (lastMs !== undefined && lastMs >= standardZeroMs) zeroMs[i] = lastMs + 1;
  });
  const columns: RowsColumns = {
    ended: Float64Array.from(ended).sort(),
    bornIds: Float64Array.from(born, (row) => table.ids[row]!),
    bornOverflow: Uint8Array.from(born, (row) => (row === table.overflowRow ? 1 : 0)),
    bornLengths,
    bornBytes,
    ids: Float64Array.from(rows, (row) => table.ids[row]!),
    updatedMs: Float64Array.from(rows, (row) => table.updatedMs[row]!),
    admitted: Uint8Array.from(rows, (row) => table.admitted[row]!),
    values,
    unborn: Uint8Array.from(rows, (row) => table.unborn[row]!),
    zeroMs,
    ...exemplarColumns(table, indexOf),
  };
  const meta: RowsMeta = { holder: 'rows', schema, nextId: table.nextId };
  const natives = table.natives ? nativeColumns(table.natives, rows) : {};
  return { name: `rows/${schema.name}`, meta, columns: { ...columns, ...natives } };
}

function exemplarColumns(table: RowTable, indexOf: ReadonlyMap<number, number>) {
  const rows: number[] = [];
  const buckets: number[] = [];
  const values: number[] = [];
  const ids: Uint8Array[] = [];
  table.exemplars.visit((row, bucket, value, traceId) => {
    const index = indexOf.get(row);
    if (index === undefined) return;
    rows.push(index);
    buckets.push(bucket);
    values.push(value);
    ids.push(traceId);
  });
  return {
    exemplarRows: Uint32Array.from(rows),
    exemplarBuckets: Uint32Array.from(buckets),
    exemplarValues: Float64Array.from(values),
    exemplarLengths: Uint32Array.from(ids, (id) => id.length),
    exemplarBytes: new Uint8Array(Buffer.concat(ids)),
  };
}

/** Applies a section of `rowChanges` or `allRows`, said at `tMs`, to a table that stands where the section began. */
export class RowLoader {
  private readonly table: RowTable;
  private readonly symbols: Symbols;
  private readonly rowOf = new Map<number, number>();

  constructor(table: RowTable, symbols: Symbols) {
    this.table = table;
    this.symbols = symbols;
  }

  load(section: Section, tMs: number): void {
    const { table } = this;
    const meta = section.meta as RowsMeta;
    const columns = section.columns as unknown as RowsColumns;
    const labels = table.schema.labels.length;
    if (meta.endedLately) for (const [identity, endedMs] of meta.endedLately) table.endedLately.set(identity, endedMs);
    for (const id of columns.ended) {
      table.end(this.known(id));
      this.rowOf.delete(id);
    }
    const endedNow = table.endedIdentities;
    table.clearDirty();
    const key = new Int32Array(labels);
    let top = 0;
    columns.bornIds.forEach((id, i) => {
      for (let k = 0; k < labels; k++) {
        const n = columns.bornLengths[i * labels + k]!;
        key[k] = n === 0 ? EMPTY_SYMBOL : this.symbols.internBytes(columns.bornBytes.subarray(top, top + n));
        top += n;
      }
      this.rowOf.set(id, table.restore(id, key, columns.bornOverflow[i] === 1));
    });
    const { width } = table.schema;
    columns.ids.forEach((id, i) => {
      const row = this.known(id);
      table.restoreAdmitted(row, columns.admitted[i]!);
      table.updatedMs[row] = columns.updatedMs[i]!;
      if (width > 0) table.values.set(columns.values.subarray(i * width, (i + 1) * width), row * width);
    });
    const { natives } = table;
    if (natives) {
      readNatives(section.columns as unknown as NativeColumns, natives.perRow, (position, slot, state) => {
        restoreNative(natives, this.known(columns.ids[position]!), slot, state);
      });
    }
    for (const identity of endedNow) table.endedLately.set(identity, tMs);
    table.forgetEndedBefore(tMs);
    table.saidMs = tMs;
    table.nextId = meta.nextId;
  }

  private known(id: number): number {
    const row = this.rowOf.get(id);
    if (row === undefined)
      throw new Error(`${this.table.schema.name}: row ${id} changed, but no section before has it`);
    return row;
  }
}
