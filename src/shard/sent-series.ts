// Each row's series as they are sent to one endpoint: labels complete, relabelled, prepared once. Must never give two live series one
// label set: the one that was there first keeps it.

import { isDeepStrictEqual } from 'node:util';
import { createSeries, type Series } from 'remote-write-ts';
import type { RelabelRule } from '../config/index.ts';
import { type ImageRow, type SeriesSpec, seriesLabels, type TableImage, type TenantImage } from '../registry/index.ts';
import type { NotSent } from '../telemetry/index.ts';
import { compileRelabel, type Relabel } from './relabel.ts';

/** A series that ended, and how its end is said. */
export interface Ended {
  series: Series;
  kind: 'stale' | 'stale_histogram';
}

/** By index of the table's series. */
export type RowSeries = readonly (Series | NotSent)[];

export class SentSeries {
  private readonly common: Readonly<Record<string, string>>;
  /** They go with their row. */
  private known = new WeakMap<ImageRow, RowSeries>();
  private rules: readonly RelabelRule[] = [];
  private relabel: Relabel | undefined;
  /** With rules: which row has a label set. */
  private owners = new Map<string, ImageRow>();
  /** Series whose names the rules have changed since the last boundary that was sent, by `keyOf`. */
  readonly renamed = new Map<string, Ended>();

  /** @param common labels of every series */
  constructor(common: Readonly<Record<string, string>>) {
    this.common = common;
  }

  /** Takes other rules up: what the rows of `image` were called until now ends, unless it is some row's name afterwards. */
  setRules(rules: readonly RelabelRule[], image: TenantImage): void {
    if (isDeepStrictEqual(rules, this.rules)) return;
    const known = new WeakMap<ImageRow, RowSeries>();
    for (const table of [...image.tables.values(), ...image.replaced]) {
      for (const row of table.rows.values()) {
        this.of(table, row).forEach((series, i) => {
          if (isSent(series)) this.renamed.set(keyOf(series), endOf(series, table.series[i]!));
        });
      }
      // What has just ended, ends by the name that it had.
      for (const row of table.ended) known.set(row, this.of(table, row));
    }
    this.rules = rules;
    this.relabel = rules.length === 0 ? undefined : compileRelabel(rules);
    this.known = known;
    this.owners = new Map();
  }

  /** A boundary was sent: what had ended up to it was said. */
  said(): void {
    this.renamed.clear();
  }

  of(table: TableImage, row: ImageRow): RowSeries {
    const known = this.known.get(row);
    if (known) return known;
    const own = new Set<string>();
    const made = table.series.map((spec) => this.make(table, row, spec, own));
    // One that lost its label set to another row may have it once that is gone.
    if (!made.includes('relabel_collision')) this.known.set(row, made);
    return made;
  }

  /** The series of a row that ended: their label sets are free again. */
  end(table: TableImage, row: ImageRow): RowSeries {
    const series = this.of(table, row);
    for (const one of series) if (isSent(one) && this.owners.get(keyOf(one)) === row) this.owners.delete(keyOf(one));
    return series;
  }

  /** @param own label sets of the row's series before this one */
  private make(table: TableImage, row: ImageRow, spec: SeriesSpec, own: Set<string>): Series | NotSent {
    const all = seriesLabels(table.schema, row.labels, row.overflow, spec, this.common);
    const labels = this.relabel === undefined ? all : this.relabel(all);
    if (!labels?.has('__name__')) return 'relabel';
    // A constant label may be empty by a variable of the environment: that is none.
    const pairs = [...labels].filter(([, value]) => value !== '');
    const series = createSeries(pairs, { type: spec.type, family: spec.family });
    if (this.relabel === undefined) return series;
    const key = keyOf(series);
    const owner = this.owners.get(key);
    if (own.has(key) || (owner !== undefined && owner !== row)) return 'relabel_collision';
    own.add(key);
    this.owners.set(key, row);
    return series;
  }
}

export function isSent(series: Series | NotSent): series is Series {
  return typeof series !== 'string';
}

/** One character a byte of the labels. */
export function keyOf({ labelBytes }: Series): string {
  return Buffer.from(labelBytes.buffer, labelBytes.byteOffset, labelBytes.length).toString('latin1');
}

export function endOf(series: Series, spec: SeriesSpec): Ended {
  return { series, kind: spec.kind === 'native' ? 'stale_histogram' : 'stale' };
}
