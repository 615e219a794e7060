// The collector's limit on label sets: so many per metric for each group of resources, those with the same labels. Counts from the
// table's rows, so it needs no state of its own; a sweep that ended rows is noticed by their number.

import type { RowTable } from '../registry/index.ts';

export class OtelGroupLimit {
  private readonly table: RowTable;
  private readonly limit: number;
  /** Columns of the labels that are the resource's. */
  private readonly groupColumns: readonly number[];
  private readonly overflowColumn: number;
  private counts = new Map<string, number>();
  private generation = -1;
  /** Rows of the table as of the counts. */
  private rows = -1;

  constructor(table: RowTable, limit: number, groupColumns: readonly number[], overflowColumn: number) {
    this.table = table;
    this.limit = limit;
    this.groupColumns = groupColumns;
    this.overflowColumn = overflowColumn;
  }

  /** Has the group of the table's key room for one more label set? */
  admits(generation: number): boolean {
    const { table } = this;
    if (generation !== this.generation || table.liveRows !== this.rows) this.recount(generation);
    return (this.counts.get(this.groupOf(table.key, 0)) ?? 0) < this.limit;
  }

  /** The row of the table's key was made, after `admits` was asked. */
  added(): void {
    const { table } = this;
    this.rows = table.liveRows;
    if (table.key[this.overflowColumn] !== 0) return;
    const group = this.groupOf(table.key, 0);
    this.counts.set(group, (this.counts.get(group) ?? 0) + 1);
  }

  private recount(generation: number): void {
    const { table } = this;
    const width = table.schema.labels.length;
    this.counts = new Map();
    for (let row = 0; row < table.highWater; row++) {
      const at = row * width;
      if (table.live[row] === 0 || row === table.overflowRow || table.keys[at + this.overflowColumn] !== 0) continue;
      const group = this.groupOf(table.keys, at);
      this.counts.set(group, (this.counts.get(group) ?? 0) + 1);
    }
    this.generation = generation;
    this.rows = table.liveRows;
  }

  private groupOf(keys: Int32Array, at: number): string {
    let group = '';
    for (const column of this.groupColumns) group += `${keys[at + column]} `;
    return group;
  }
}
