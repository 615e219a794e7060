// Each row's series as they are sent to one endpoint: labels complete, relabelled, prepared once. Must never give two live series one
// label set: the one that was there first keeps it.

import { isDeepStrictEqual } from 'node:util';
import { createSeries, LabelError, type Series } from 'remote-write-ts';
import type { RelabelRule } from '../config/index.ts';
import {
  type ImageRow,
  type NativeState,
  type SeriesSpec,
  seriesLabels,
  type TableImage,
  type TenantImage,
} from '../registry/index.ts';
import type { NotSent } from '../telemetry/index.ts';
import { compileRelabel, type Relabel } from './relabel.ts';

/** A series that ended, and how its end is said. */
export interface Ended {
  series: Series;
  kind: 'stale' | 'stale_histogram';
}

interface Owner {
  row: ImageRow;
  /** Index of the series in its table. */
  index: number;
}

export class SentSeries {
  private readonly common: Readonly<Record<string, string>>;
  /** By index of the table's series; undefined: not said yet, or to be asked again. They go with their row. */
  private known = new WeakMap<ImageRow, (Series | NotSent | undefined)[]>();
  private rules: readonly RelabelRule[] = [];
  private relabel: Relabel | undefined;
  /** With rules: who has a label set. */
  private owners = new Map<string, Owner>();
  private isClaimed = true;
  /** Series whose names the rules have changed since the last boundary that was sent, by `keyOf`. */
  readonly renamed = new Map<string, Ended>();

  /** @param common labels of every series */
  constructor(common: Readonly<Record<string, string>>) {
    this.common = common;
  }

  /** Takes other rules up: what the rows of `image` were called until now ends, unless it is some row's name afterwards. */
  setRules(rules: readonly RelabelRule[], image: TenantImage): void {
    if (isDeepStrictEqual(rules, this.rules)) return;
    this.claim(image);
    const known: typeof this.known = new WeakMap();
    for (const table of [...image.tables.values(), ...image.replaced]) {
      for (const row of table.rows.values()) {
        table.series.forEach((spec, i) => {
          const series = hasSeries(row, spec) ? this.of(table, row, i) : undefined;
          if (isSent(series)) this.renamed.set(keyOf(series), endOf(series, spec));
        });
      }
      // What has just ended, ends by the name that it had.
      for (const row of table.ended)
        known.set(
          row,
          table.series.map((spec, i) => (hasSeries(row, spec) ? this.of(table, row, i) : undefined)),
        );
    }
    this.rules = rules;
    this.relabel = rules.length === 0 ? undefined : compileRelabel(rules);
    this.known = known;
    this.owners = new Map();
    this.isClaimed = false;
  }

  /** A boundary was sent: what had ended up to it was said. */
  said(): void {
    this.renamed.clear();
  }

  /** Where nobody has claimed a label set yet, as after a start, the rows that began first go first: as it was before. */
  claim(image: TenantImage): void {
    if (this.isClaimed || this.relabel === undefined) return;
    this.isClaimed = true;
    const rows = [...image.tables.values()].flatMap((table) => [...table.rows.values()].map((row) => ({ table, row })));
    rows.sort((a, b) => a.row.startMs - b.row.startMs || a.row.id - b.row.id);
    for (const { table, row } of rows) {
      table.series.forEach((spec, i) => {
        if (hasSeries(row, spec)) this.of(table, row, i);
      });
    }
  }

  /** The series at `index` of a row that has it: `hasSeries`. */
  of(table: TableImage, row: ImageRow, index: number): Series | NotSent {
    let known = this.known.get(row);
    if (!known) {
      known = new Array(table.series.length).fill(undefined);
      this.known.set(row, known);
    }
    const before = known[index];
    if (before !== undefined) return before;
    const made = this.make(table, row, index);
    // One that lost its label set to another row may have it once that is gone.
    if (made !== LOST) known[index] = made;
    return made === LOST ? 'relabel_collision' : made;
  }

  /** A series of a row that ended: its label set is free again. */
  end(table: TableImage, row: ImageRow, index: number): Series | NotSent {
    const series = this.of(table, row, index);
    if (isSent(series) && this.owners.get(keyOf(series))?.row === row) this.owners.delete(keyOf(series));
    return series;
  }

  private make(table: TableImage, row: ImageRow, index: number): Series | NotSent | typeof LOST {
    const spec = table.series[index]!;
    const all = seriesLabels(table.schema, row.labels, row.overflow, spec, this.common);
    const labels = this.relabel === undefined ? all : this.relabel(all);
    if (!labels?.has('__name__')) return 'relabel';
    // A constant label may be empty by a variable of the environment: that is none.
    const pairs = [...labels].filter(([, value]) => value !== '');
    let series: Series;
    try {
      series = createSeries(pairs, { type: spec.type, family: spec.family });
    } catch (error) {
      if (error instanceof LabelError) return 'invalid_labels';
      throw error;
    }
    if (this.relabel === undefined) return series;
    const key = keyOf(series);
    const owner = this.owners.get(key);
    if (owner !== undefined && owner.row !== row) return LOST;
    if (owner !== undefined && owner.index !== index) return 'relabel_collision';
    this.owners.set(key, { row, index });
    return series;
  }
}

/** Another row has the label set. */
const LOST = Symbol('lost');

/** A native histogram in which nothing was observed yet is no series. */
export function hasSeries(row: ImageRow, spec: SeriesSpec): boolean {
  return (row.admitted & (1 << spec.part)) !== 0 && (spec.kind !== 'native' || nativeOf(row, spec) !== undefined);
}

export function nativeOf(row: ImageRow, spec: SeriesSpec): NativeState | undefined {
  return spec.nativeSlot === undefined ? undefined : row.natives[spec.nativeSlot];
}

export function isSent(series: Series | NotSent | undefined): series is Series {
  return typeof series === 'object';
}

/** One character a byte of the labels. */
export function keyOf({ labelBytes }: Series): string {
  return Buffer.from(labelBytes.buffer, labelBytes.byteOffset, labelBytes.length).toString('latin1');
}

export function endOf(series: Series, spec: SeriesSpec): Ended {
  return { series, kind: spec.kind === 'native' ? 'stale_histogram' : 'stale' };
}
