// The native histograms of a table's rows: made at their first observation, reset when their time has come, in step with the classic
// buckets of the same observations where there are both.

import { NativeHistogram, type NativeLayout, NEVER } from './native-histogram.ts';
import type { RowTable } from './rows.ts';
import type { HistogramPart, NativePart, Part } from './schema.ts';

/** A part that has a native histogram. */
export type PartWithNative = NativePart | (HistogramPart & { native: NativePart['native'] });

export function hasNative(part: Part): part is PartWithNative {
  return 'native' in part && part.native !== undefined;
}

export class NativeRows {
  readonly perRow: number;
  private readonly table: RowTable;
  private readonly parts: PartWithNative[];
  private readonly histograms: (NativeHistogram | undefined)[] = [];
  /** Those that wait for a reset. */
  private readonly scheduled = new Set<number>();

  constructor(table: RowTable, perRow: number) {
    this.table = table;
    this.perRow = perRow;
    this.parts = table.schema.parts.filter(hasNative);
  }

  get(row: number, slot: number): NativeHistogram | undefined {
    return this.histograms[row * this.perRow + slot];
  }

  /** A blank one in place of what was there. */
  make(row: number, slot: number, nowMs: number): NativeHistogram {
    const layout: NativeLayout = this.parts[slot]!.native;
    const histogram = new NativeHistogram(layout, nowMs);
    const at = row * this.perRow + slot;
    // Without holes: rows come in order, but any of a row's histograms may be the first.
    while (this.histograms.length <= at) this.histograms.push(undefined);
    this.histograms[at] = histogram;
    this.scheduled.delete(at);
    return histogram;
  }

  /** Takes `times` observations of column[index] in, into the classic buckets too where the part has any. */
  observe(
    row: number,
    part: PartWithNative,
    bucket: number,
    column: Float64Array,
    index: number,
    times: number,
    nowMs: number,
  ): void {
    const at = row * this.perRow + part.native.slot;
    const histogram = this.histograms[at] ?? this.make(row, part.native.slot, nowMs);
    if (nowMs >= histogram.dueMs) this.reset(at, histogram);
    const since = histogram.observe(column, index, times, nowMs);
    if (histogram.dueMs !== NEVER) this.scheduled.add(at);
    if (part.kind === 'native') return;
    if (since > 0) this.clearClassic(row, part);
    this.table.observe(row, part, bucket, column[index]!, since > 0 ? since : times);
  }

  /** An exemplar for each of the `times` observations; the trace id is buf[start, start + length). */
  exemplify(
    row: number,
    part: NativePart,
    column: Float64Array,
    index: number,
    times: number,
    nowMs: number,
    buf: Uint8Array,
    start: number,
    length: number,
  ): void {
    if (!saysTrace(buf, start, length)) return;
    this.get(row, part.native.slot)!.exemplify(column, index, times, nowMs, buf, start, length);
  }

  /** Resets those whose time has come by `tMs`. */
  resetDue(tMs: number): void {
    if (this.scheduled.size === 0) return;
    const due = [...this.scheduled].filter((at) => this.histograms[at]!.dueMs <= tMs);
    // In an order that a loaded table has too.
    const idOf = (at: number) => this.table.ids[Math.floor(at / this.perRow)]!;
    for (const at of due.sort((a, b) => idOf(a) - idOf(b) || a - b)) {
      this.reset(at, this.histograms[at]!);
      this.table.touchUnused(Math.floor(at / this.perRow));
    }
  }

  forgetRow(row: number): void {
    for (let at = row * this.perRow; at < (row + 1) * this.perRow; at++) {
      if (at < this.histograms.length) this.histograms[at] = undefined;
      this.scheduled.delete(at);
    }
  }

  /** To be called where a load has set when the histogram is to be reset. */
  schedule(row: number, slot: number): void {
    this.scheduled.add(row * this.perRow + slot);
  }

  private reset(at: number, histogram: NativeHistogram): void {
    histogram.reset(histogram.dueMs);
    this.scheduled.delete(at);
    const part = this.parts[at % this.perRow]!;
    if (part.kind === 'histogram') this.clearClassic(Math.floor(at / this.perRow), part);
  }

  private clearClassic(row: number, part: HistogramPart): void {
    const from = row * this.table.schema.width + part.column;
    this.table.values.fill(0, from, from + part.bounds.length + 2);
  }
}

/** An id of zeros only is none. */
function saysTrace(buf: Uint8Array, start: number, length: number): boolean {
  for (let i = start; i < start + length; i++) if (buf[i] !== 0) return true;
  return false;
}
