// The rows as the ledger tells them: an image follows the sections of one boundary after the other and so stands at one
// boundary. Whoever shows or sends series reads an image, never live values.

import { isDeepStrictEqual } from 'node:util';
import { utf8Text } from '../bytes/index.ts';
import { type NativeColumns, type NativeState, readNatives } from './native-sections.ts';
import type { RowsColumns, RowsMeta } from './row-sections.ts';
import type { TableSchema } from './schema.ts';
import type { Section } from './section.ts';
import { exemplarSlots, type SeriesSpec, seriesOf } from './series.ts';

export interface ImageExemplar {
  bucket: number;
  value: number;
  traceId: Uint8Array;
  /** Only of exemplars that are the first spans. Empty: none. */
  spanId?: Uint8Array;
}

/** One row of a boundary. Label values are shared between images and never change. */
export interface ImageRow {
  id: number;
  labels: readonly string[];
  overflow: boolean;
  admitted: number;
  /** Parts said for the first time at this boundary, and their zero sample's time. */
  unborn: number;
  zeroMs: number;
  /** Time of the row's first zero sample: when its counting began; 0 = not known. */
  startMs: number;
  exemplars: ImageExemplar[];
  values: Float64Array;
  /** Native histograms by slot; one that nothing was observed in yet is undefined. Their exemplars belong to every boundary. */
  natives: (NativeState | undefined)[];
}

export class TableImage {
  readonly schema: TableSchema;
  readonly series: readonly SeriesSpec[];
  readonly rows = new Map<number, ImageRow>();
  private readonly slots: Int32Array | undefined;
  /** Rows that ended at the boundary this image stands at. Those of their series that no live row has now get a stale marker. */
  ended: ImageRow[] = [];
  /** Rows that carry something of this boundary only (zero samples, exemplars). */
  private fresh: ImageRow[] = [];

  constructor(schema: TableSchema) {
    this.schema = schema;
    this.series = seriesOf(schema);
    this.slots = exemplarSlots(schema);
  }

  /** The zero samples were sent, though not yet all of the boundary. */
  zerosSaid(): void {
    for (const row of this.fresh) row.unborn = 0;
  }

  /** Forgets what belonged to the boundary before. */
  nextBoundary(): void {
    for (const row of this.fresh) {
      row.unborn = 0;
      row.exemplars = [];
    }
    this.fresh = [];
    this.ended = [];
  }

  apply(section: Section): void {
    const columns = section.columns as unknown as RowsColumns;
    for (const id of columns.ended) {
      const row = this.rows.get(id);
      if (!row) continue;
      this.rows.delete(id);
      this.ended.push(row);
    }
    this.born(columns);
    const { width } = this.schema;
    columns.ids.forEach((id, i) => {
      const row = this.rows.get(id);
      if (!row) return;
      row.admitted = columns.admitted[i]!;
      if (row.startMs === 0) row.startMs = columns.startMs?.[i] ?? columns.zeroMs[i]!;
      if (columns.unborn[i] !== 0) {
        // Of several boundaries that come together in one, each has its births.
        row.unborn |= columns.unborn[i]!;
        row.zeroMs = columns.zeroMs[i]!;
        this.fresh.push(row);
      }
      // A copy: a view would keep the whole boundary's array alive for as long as its idlest row.
      if (width > 0) row.values.set(columns.values.subarray(i * width, (i + 1) * width));
    });
    const { nativeSlots } = this.schema;
    if (nativeSlots) {
      readNatives(section.columns as unknown as NativeColumns, nativeSlots, (position, slot, state) => {
        const row = this.rows.get(columns.ids[position]!);
        if (row) row.natives[slot] = state;
      });
    }
    this.exemplars(columns);
  }

  private exemplars({ exemplarSpanLengths: spans, exemplarBytes: bytes, ...columns }: RowsColumns): void {
    let top = 0;
    columns.exemplarRows.forEach((index, i) => {
      const traceEnd = top + columns.exemplarLengths[i]!;
      const end = traceEnd + (spans?.[i] ?? 0);
      const row = this.rows.get(columns.ids[index]!);
      row?.exemplars.push({
        bucket: this.slots?.[columns.exemplarBuckets[i]!] ?? columns.exemplarBuckets[i]!,
        value: columns.exemplarValues[i]!,
        traceId: bytes.subarray(top, traceEnd),
        ...(spans && { spanId: bytes.subarray(traceEnd, end) }),
      });
      if (row) this.fresh.push(row);
      top = end;
    });
  }

  private born(columns: RowsColumns): void {
    const width = this.schema.labels.length;
    let top = 0;
    columns.bornIds.forEach((id, i) => {
      const labels: string[] = [];
      for (let k = 0; k < width; k++) {
        const n = columns.bornLengths[i * width + k]!;
        labels.push(n === 0 ? '' : utf8Text(columns.bornBytes.subarray(top, top + n)));
        top += n;
      }
      this.rows.set(id, {
        id,
        labels,
        overflow: columns.bornOverflow[i] === 1,
        admitted: 0,
        unborn: 0,
        zeroMs: 0,
        startMs: 0,
        exemplars: [],
        values: new Float64Array(this.schema.width),
        natives: [],
      });
    });
  }
}

/** The tables of one tenant at one boundary. */
export class TenantImage {
  readonly tables = new Map<string, TableImage>();
  /** Tables that a new schema replaced at this boundary: only their ended rows matter. */
  replaced: TableImage[] = [];

  nextBoundary(): void {
    this.replaced = [];
    for (const table of this.tables.values()) table.nextBoundary();
  }

  zerosSaid(): void {
    for (const table of this.tables.values()) table.zerosSaid();
  }

  apply(section: Section): void {
    const { schema } = section.meta as RowsMeta;
    let table = this.tables.get(schema.name);
    if (table && !isDeepStrictEqual(table.schema, schema)) {
      if (table.ended.length > 0) this.replaced.push(table);
      table = undefined;
    }
    if (!table) {
      table = new TableImage(schema);
      this.tables.set(schema.name, table);
    }
    table.apply(section);
  }
}
