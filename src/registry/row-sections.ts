// Rows as sections: what changed since the last boundary, everything, and the way back into a table. The columns are stored
// in the ledger (src/ledger/FORMAT.md names them); whoever changes them changes a format.

import type { ExemplarColumns } from './exemplars.ts';
import type { FirstExemplarColumns } from './first-exemplars.ts';
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

/** The place of an exemplar's row is its index in `ids`. */
export interface RowsColumns extends ExemplarColumns, Partial<Pick<FirstExemplarColumns, 'exemplarSpanLengths'>> {
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
  /** Only where the section is everything: time of each row's first zero sample. Missing in older ledgers: not known. */
  startMs?: Float64Array;
}

/** Room for the values of new rows' labels; more is made at need. */
const LIKELY_VALUE_BYTES = 16;

/** The last second of the minute before `tMs`: where the zero sample of a new series belongs. */
export function zeroTimeMs(tMs: number): number {
  return Math.floor(tMs / 60_000) * 60_000 - 1_000;
}

/** What changed since the last call, as of boundary `tMs`. */
export function rowChanges(table: RowTable, symbols: Symbols, tMs: number): Section {
  // A label set that ended and came back within one interval has its last sample at the boundary before, without a stale marker.
  for (const identity of table.endedIdentities) table.endedLately.set(identity, table.saidMs);
  const dirty = table.dirtyRows.subarray(0, table.dirtyCount);
  const born = dirty.filter((row) => table.unsaid[row] === 1);
  const section = build(table, symbols, tMs, dirty, born, table.ended);
  for (const identity of table.endedIdentities) table.endedLately.set(identity, tMs);
  table.forgetEndedBefore(tMs);
  table.saidMs = tMs;
  const { zeroMs } = section.columns as unknown as RowsColumns;
  for (let i = 0; i < dirty.length; i++) begin(table, dirty[i]!, zeroMs[i]!);
  table.clearDirty();
  table.exemplars.clear();
  table.firstExemplars?.clear();
  return section;
}

/** @param zeroMs of a row that had parts which no boundary had said, else 0 */
function begin(table: RowTable, row: number, zeroMs: number): void {
  if (table.startMs[row] === 0) table.startMs[row] = zeroMs;
}

/** Everything, ascending by id. Taken right after `rowChanges` of the same boundary. */
export function allRows(table: RowTable, symbols: Symbols, tMs: number): Section {
  const live = new Int32Array(table.liveRows);
  let n = 0;
  for (let row = 0; row < table.highWater; row++) if (table.live[row] === 1) live[n++] = row;
  live.sort((a, b) => table.ids[a]! - table.ids[b]!);
  const section = build(table, symbols, tMs, live, live, []);
  (section.meta as RowsMeta).endedLately = [...table.endedLately];
  section.columns['startMs'] = Float64Array.from(live, (row) => table.startMs[row]!);
  return section;
}

// The fold stands still meanwhile, hence loops over indices: `from` with a function, or a view for each row, takes several times
// as long (bench/micro/boundary.ts).
function build(
  table: RowTable,
  symbols: Symbols,
  tMs: number,
  rows: Int32Array,
  born: Int32Array,
  ended: readonly number[],
): Section {
  const { schema } = table;
  const columns: RowsColumns = {
    ended: Float64Array.from(ended).sort(),
    ...bornColumns(table, symbols, born),
    ...changedColumns(table, rows),
    zeroMs: zeroTimes(table, rows, tMs),
    ...(table.firstExemplars ?? table.exemplars).columns(placesOf(table, rows)),
  };
  const meta: RowsMeta = { holder: 'rows', schema, nextId: table.nextId };
  const natives = table.natives ? nativeColumns(table.natives, rows) : {};
  return { name: `rows/${schema.name}`, meta, columns: { ...columns, ...natives } };
}

function bornColumns(table: RowTable, symbols: Symbols, born: Int32Array) {
  const labels = table.schema.labels.length;
  const bornIds = new Float64Array(born.length);
  const bornOverflow = new Uint8Array(born.length);
  const bornLengths = new Uint32Array(born.length * labels);
  let bytes = new Uint8Array(born.length * labels * LIKELY_VALUE_BYTES);
  let top = 0;
  for (let i = 0; i < born.length; i++) {
    const row = born[i]!;
    bornIds[i] = table.ids[row]!;
    bornOverflow[i] = row === table.overflowRow ? 1 : 0;
    for (let k = 0; k < labels; k++) {
      const symbol = table.keys[row * labels + k]!;
      if (symbol === EMPTY_SYMBOL) continue;
      const text = symbols.bytes(symbol);
      if (top + text.length > bytes.length) {
        const wider = new Uint8Array(2 * (top + text.length));
        wider.set(bytes);
        bytes = wider;
      }
      bytes.set(text, top);
      bornLengths[i * labels + k] = text.length;
      top += text.length;
    }
  }
  return { bornIds, bornOverflow, bornLengths, bornBytes: bytes.slice(0, top) };
}

function changedColumns(table: RowTable, rows: Int32Array) {
  const { width } = table.schema;
  const n = rows.length;
  const ids = new Float64Array(n);
  const updatedMs = new Float64Array(n);
  const admitted = new Uint8Array(n);
  const unborn = new Uint8Array(n);
  const values = new Float64Array(n * width);
  const from = table.values;
  for (let i = 0; i < n; i++) {
    const row = rows[i]!;
    ids[i] = table.ids[row]!;
    updatedMs[i] = table.updatedMs[row]!;
    admitted[i] = table.admitted[row]!;
    unborn[i] = table.unborn[row]!;
    for (let at = row * width, to = i * width, end = to + width; to < end; at++, to++) values[to] = from[at]!;
  }
  return { ids, updatedMs, admitted, values, unborn };
}

/** Of the rows that have parts which no boundary has said yet; 0 for the others. */
function zeroTimes(table: RowTable, rows: Int32Array, tMs: number): Float64Array {
  const labels = table.schema.labels.length;
  const standardMs = zeroTimeMs(tMs);
  const zeroMs = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (table.unborn[row] === 0) continue;
    zeroMs[i] = standardMs;
    if (table.endedLately.size === 0) continue;
    const lastMs = table.lastSampleMs(table.identity(table.keys, row * labels));
    if (lastMs !== undefined && lastMs >= standardMs) zeroMs[i] = lastMs + 1;
  }
  return zeroMs;
}

/** Row → index in `rows` + 1; 0 = it is not there. */
function placesOf(table: RowTable, rows: Int32Array): Int32Array {
  const places = new Int32Array(table.highWater);
  for (let i = 0; i < rows.length; i++) places[rows[i]!] = i + 1;
  return places;
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
      begin(table, row, columns.startMs?.[i] ?? columns.zeroMs[i]!);
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
