// The label sets of all metrics: what is admitted under a limit, what is said at a boundary, what ends for want of updates.

import { isDeepStrictEqual } from 'node:util';
import { blankState, type Metric, resetIfDue, type Sample, type State, samplesOf, seriesOf } from './metrics.ts';
import { isText, type Labels, labelsKey, readable, seriesKey } from './text.ts';

/** Metrics that share their label sets. */
export interface Table {
  name: string;
  /** Names that its label sets may have; undefined: any. */
  labelNames: string[] | undefined;
  metrics: Metric[];
  /** Labels of every series, by voice: they win over those of the label set. */
  constantLabels: Record<string, string>[];
  /** By voice, the name of the label that tells instances apart; empty: there is none. */
  instanceLabels: string[];
  /** By voice, how the label set's names are spelt, where that is otherwise. */
  spelling: ((name: string) => string)[];
  exemplarLabel: string;
}

/** A label set. All of its metrics have one time of their last update, so they end together. */
interface Row {
  /** Undefined: the label set of what is over the limit. */
  labels: Labels | undefined;
  updatedMs: number;
  states: Map<string, State>;
}

interface Held {
  table: Table;
  rows: Map<string, Row>;
}

export interface Limits {
  limiterType: 'series' | 'entity';
  maxActiveSeries: number;
  maxActiveEntities: number;
}

export interface Said {
  key: string;
  sample: Sample;
  exemplarLabel: string;
  /** A zero sample comes first: not before `fromMs`, nor after `toMs`. */
  zero?: { fromMs: number; toMs: number };
}

export const INSTANCE = 'spanmill-0';
const OVERFLOW = 'overflow';

export class Registry {
  limits: Limits;
  staleDurationMs: number;
  readonly counts = {
    seriesAdded: 0,
    seriesRemoved: 0,
    seriesLimited: 0,
    entitiesAdded: 0,
    entitiesRemoved: 0,
    entitiesLimited: 0,
  };
  private readonly tables = new Map<string, Held>();
  /** Table and label set of rows that ended since the last boundary, and had been said. */
  private readonly endings = new Set<string>();
  /** When the last sample of an earlier life of a label set was said, or its end. */
  private readonly lastMs = new Map<string, number>();
  private spoken = new Set<string>();
  private saidMs = 0;

  constructor(limits: Limits, staleDurationMs: number) {
    this.limits = limits;
    this.staleDurationMs = staleDurationMs;
  }

  /** From now on the table is this. Its label sets go on if they are of the same kind, else they end. */
  use(table: Table): void {
    const held = this.tables.get(table.name);
    // Functions are compared by what they make of the names.
    const plain = ({ spelling, ...rest }: Table) => ({
      ...rest,
      spelt: spelling.map((spell) => rest.labelNames?.map(spell)),
    });
    if (held && isDeepStrictEqual(plain(held.table), plain(table))) return;
    for (const key of held?.rows.keys() ?? []) this.end(held!, key);
    this.tables.set(table.name, { table, rows: new Map() });
  }

  /** Changes metrics of a label set, each by itself admitted or not. False: the labels are no text, and nothing was changed. */
  update(
    name: string,
    labels: Labels,
    nowMs: number,
    changes: [metric: string, change: (state: State) => void][],
  ): boolean {
    if (!isText(labels)) return false;
    const held = this.tables.get(name)!;
    const key = labelsKey(labels);
    const targets = changes.map(([metric]) => this.stateOf(held, key, labels, metric, nowMs));
    changes.forEach(([, change], i) => {
      change(targets[i]!);
    });
    const row = held.rows.get(key);
    if (row !== undefined) row.updatedMs = Math.max(row.updatedMs, nowMs);
    return true;
  }

  /** Resets of native histograms that were put off until now. */
  advance(nowMs: number): void {
    for (const { rows } of this.tables.values())
      for (const { states } of rows.values()) for (const state of states.values()) resetIfDue(state, nowMs);
  }

  sweep(nowMs: number): void {
    for (const held of this.tables.values())
      for (const [key, row] of held.rows) if (row.updatedMs < nowMs - this.staleDurationMs) this.end(held, key);
  }

  /** Those that are live, but for that of what is over the limit. */
  labelSets(name: string): Labels[] {
    return [...(this.tables.get(name)?.rows.values() ?? [])].flatMap(({ labels }) => labels ?? []);
  }

  get activeSeries(): number {
    return this.admitted().reduce((sum, { metric }) => sum + seriesOf(metric), 0);
  }

  get activeEntities(): number {
    return new Set(this.admitted().map(({ entity }) => entity)).size;
  }

  /** All series at a boundary, and the keys of those that ended since the last. */
  say(tMs: number): { said: Said[]; ended: string[] } {
    for (const { table, rows } of this.tables.values()) {
      // The end of one that came back meanwhile is never said: its last sample was that of the boundary before.
      for (const key of rows.keys())
        if (this.endings.delete(placeOf(table, key))) this.lastMs.set(placeOf(table, key), this.saidMs);
    }
    for (const place of this.endings) this.lastMs.set(place, tMs);
    this.endings.clear();
    const said: Said[] = [];
    for (const { table, rows } of this.tables.values()) {
      for (const [key, row] of rows) {
        const zero = zeroOf(tMs, this.lastMs.get(placeOf(table, key)));
        for (const state of row.states.values()) {
          for (const sample of samplesOf(state)) {
            const one: Said = { key: keyOf(table, row, sample), sample, exemplarLabel: table.exemplarLabel };
            said.push(!state.wasSaid && sample.hasZero ? { ...one, zero } : one);
          }
          state.wasSaid = true;
          state.exemplars = state.exemplars.map(() => new Map());
        }
      }
    }
    const keys = new Set(said.map(({ key }) => key));
    const ended = [...this.spoken].filter((key) => !keys.has(key));
    this.spoken = keys;
    this.saidMs = tMs;
    return { said, ended };
  }

  private stateOf(held: Held, key: string, labels: Labels, name: string, nowMs: number): State {
    const known = held.rows.get(key)?.states.get(name);
    if (known !== undefined) return known;
    const metric = held.table.metrics.find((one) => one.name === name)!;
    if (this.admit(key, metric)) return stateIn(held, key, labels, metric, nowMs);
    const state = stateIn(held, OVERFLOW, undefined, metric, nowMs);
    const row = held.rows.get(OVERFLOW)!;
    row.updatedMs = Math.max(row.updatedMs, nowMs);
    return state;
  }

  private admit(entity: string, metric: Metric): boolean {
    const { limiterType, maxActiveSeries, maxActiveEntities } = this.limits;
    const { counts } = this;
    if (limiterType === 'series') {
      if (maxActiveSeries > 0 && this.activeSeries + seriesOf(metric) > maxActiveSeries) {
        counts.seriesLimited += seriesOf(metric);
        return false;
      }
      counts.seriesAdded += seriesOf(metric);
      return true;
    }
    if (this.admitted().some((one) => one.entity === entity)) return true;
    if (maxActiveEntities > 0 && this.activeEntities >= maxActiveEntities) {
      counts.entitiesLimited++;
      return false;
    }
    counts.entitiesAdded++;
    return true;
  }

  private admitted(): { entity: string; metric: Metric }[] {
    return [...this.tables.values()].flatMap(({ rows }) =>
      [...rows].flatMap(([entity, { states }]) =>
        entity === OVERFLOW ? [] : [...states.values()].map(({ metric }) => ({ entity, metric })),
      ),
    );
  }

  private end(held: Held, key: string): void {
    const before = { series: this.activeSeries, entities: this.activeEntities };
    const wasSaid = [...held.rows.get(key)!.states.values()].some((state) => state.wasSaid);
    if (wasSaid) this.endings.add(placeOf(held.table, key));
    held.rows.delete(key);
    if (this.limits.limiterType === 'series') this.counts.seriesRemoved += before.series - this.activeSeries;
    else this.counts.entitiesRemoved += before.entities - this.activeEntities;
  }
}

function stateIn({ rows }: Held, key: string, labels: Labels | undefined, metric: Metric, nowMs: number): State {
  const row: Row = rows.get(key) ?? { labels, updatedMs: nowMs, states: new Map() };
  rows.set(key, row);
  const state = row.states.get(metric.name) ?? blankState(metric, nowMs);
  row.states.set(metric.name, state);
  return state;
}

/** What is over the limit and what has no labels may count as one here: the zero is then later than it has to be. */
function placeOf({ name }: Table, key: string): string {
  return `${name} ${key === OVERFLOW ? labelsKey(new Map()) : key}`;
}

/**
 * The zero sample of a new series lies at :59 of the minute before. What was said in an earlier life may not be overwritten; how much
 * later than that the zero is, is not fixed.
 */
function zeroOf(tMs: number, lastMs: number | undefined): { fromMs: number; toMs: number } {
  const standardMs = Math.floor(tMs / 60_000) * 60_000 - 1_000;
  if (lastMs === undefined) return { fromMs: standardMs, toMs: standardMs };
  return { fromMs: Math.max(standardMs, lastMs + 1), toMs: tMs - 1 };
}

function keyOf(table: Table, { labels }: Row, { name, le, voice }: Sample): string {
  const spell = table.spelling[voice]!;
  const own: Record<string, string> =
    labels === undefined
      ? { metric_overflow: 'true' }
      : Object.fromEntries([...labels].map(([label, value]) => [spell(label), readable(value)!]));
  const instance = table.instanceLabels[voice]!;
  const all = {
    ...own,
    ...table.constantLabels[voice],
    ...(instance !== '' && { [instance]: INSTANCE }),
    ...(le !== undefined && { le }),
  };
  const { __name__: _, ...rest } = all as Record<string, string>;
  return seriesKey(name, rest);
}
