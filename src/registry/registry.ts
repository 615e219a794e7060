// One tenant's series: its symbols, its tables of rows, the limits over all of them, and their state as sections.

import { isDeepStrictEqual } from 'node:util';
import { LabelCounters } from './label-counters.ts';
import { LabelLimiter } from './label-limiter.ts';
import { LabelRules } from './label-rules.ts';
import { Limiter } from './limiter.ts';
import { allRows, RowLoader, type RowsMeta, rowChanges } from './row-sections.ts';
import { RowTable } from './rows.ts';
import type { TableSchema } from './schema.ts';
import type { Section, StateHolder } from './section.ts';
import { type SanitizerMode, SpanNames } from './span-names.ts';
import { Symbols } from './symbols.ts';

export interface RegistryOptions {
  limiterType: 'series' | 'entity';
  /** 0 = unlimited. */
  maxActiveSeries: number;
  maxActiveEntities: number;
  staleDurationMs: number;
  collectionIntervalMs: number;
  spanNameSanitization: '' | SanitizerMode;
  /** 0 = unlimited. */
  maxCardinalityPerLabel: number;
}

/** Symbols are renumbered when there are this many more than twice the ones that were alive last time. */
const SYMBOL_SLACK = 65_536;
/** Likewise between two sweeps: values that no row keeps (replaced or refused ones) must not pile up until the next. */
const SYMBOL_SURPLUS = 262_144;

/** Something outside the registry that holds symbols (pending edges): asked for them at a renumbering. */
export interface SymbolHolder {
  renumber(translate: (symbol: number) => number): void;
}

export class Registry implements StateHolder {
  symbols = new Symbols();
  /** Goes up when symbols got new numbers: whoever caches symbols starts over. */
  generation = 0;
  readonly limiter: Limiter;
  readonly symbolHolders: SymbolHolder[] = [];
  readonly labelCounters = new LabelCounters();
  /** Only where the settings ask for them. */
  spanNames: SpanNames | undefined;
  labelLimiter: LabelLimiter | undefined;
  private staleDurationMs: number;
  private collectionIntervalMs: number;
  private readonly tables = new Map<string, RowTable>();
  /** Tables whose schema was replaced: their rows have ended, the next boundary says so. */
  private retired: RowTable[] = [];
  private readonly loaders = new Map<RowTable, RowLoader>();
  private symbolsAfterRenumbering = 0;

  constructor(options: RegistryOptions) {
    this.limiter = new Limiter(options.limiterType, options.maxActiveSeries, options.maxActiveEntities);
    this.staleDurationMs = options.staleDurationMs;
    this.collectionIntervalMs = options.collectionIntervalMs;
    this.configureLabels(options);
  }

  /** The table of this schema. One of the same name and another schema ends, with all its rows. */
  table(schema: TableSchema): RowTable {
    const existing = this.tables.get(schema.name);
    if (existing) {
      if (isDeepStrictEqual(existing.schema, schema)) return existing;
      existing.endAll();
      // One that no boundary knows has nothing to say.
      if (existing.ended.length > 0) this.retired.push(existing);
      this.loaders.delete(existing);
    }
    const table = new RowTable(schema, this.symbols, this.limiter);
    table.speaksEveryMs = this.collectionIntervalMs;
    if (existing) table.inherit(existing);
    this.tables.set(schema.name, table);
    return table;
  }

  /** New limits and times; what is active stays. */
  configure(options: RegistryOptions): void {
    this.staleDurationMs = options.staleDurationMs;
    this.collectionIntervalMs = options.collectionIntervalMs;
    for (const table of this.tables.values()) table.speaksEveryMs = options.collectionIntervalMs;
    const counts = this.limiter.type === options.limiterType;
    this.limiter.configure(options.limiterType, options.maxActiveSeries, options.maxActiveEntities);
    if (!counts) for (const table of this.tables.values()) table.recount();
    this.configureLabels(options);
  }

  /** What is to be done with the label sets of a table before their rows are looked up; undefined: nothing. */
  labelRules(schema: TableSchema): LabelRules | undefined {
    const { spanNames, labelLimiter } = this;
    return spanNames || labelLimiter ? new LabelRules(schema, spanNames, labelLimiter) : undefined;
  }

  get activeSeries(): number {
    return this.limiter.activeSeries;
  }

  get liveRows(): number {
    let n = 0;
    for (const table of this.tables.values()) n += table.liveRows;
    return n;
  }

  /** Resets native histograms whose time has come. */
  advance(tMs: number): void {
    for (const table of this.tables.values()) table.natives?.resetDue(tMs);
  }

  /** Is there anything that a sweep would change? */
  get needsSweep(): boolean {
    return this.liveRows > 0 || this.labelLimiter?.hasValues === true;
  }

  /** Ends rows without an update for longer than the stale duration; now and then renumbers the symbols that are left. */
  sweep(nowMs: number): void {
    for (const table of this.tables.values()) table.sweep(nowMs - this.staleDurationMs);
    this.labelLimiter?.rotate();
    this.trimSymbols(SYMBOL_SLACK);
  }

  /** To be called between requests. */
  trimSymbols(surplus = SYMBOL_SURPLUS): void {
    if (this.symbols.count > 2 * this.symbolsAfterRenumbering + surplus) this.renumberSymbols();
  }

  /** The ends of rows of replaced tables. To be said before `changes`. */
  retiredChanges(tMs: number): Section[] {
    const sections = this.retired.map((table) => rowChanges(table, this.symbols, tMs));
    this.retired = [];
    return sections;
  }

  changes(tMs: number): Section[] {
    return [
      ...this.sorted().map((table) => rowChanges(table, this.symbols, tMs)),
      ...this.labelHolders().flatMap((holder) => holder.changes(tMs)),
    ];
  }

  everything(tMs: number): Section[] {
    return [
      ...this.sorted().map((table) => allRows(table, this.symbols, tMs)),
      ...this.labelHolders().flatMap((holder) => holder.everything(tMs)),
    ];
  }

  load(section: Section, tMs: number): void {
    switch (section.meta['holder']) {
      case 'span-names':
        this.spanNames?.clusters.load(section, tMs);
        break;
      case 'label-values':
        this.labelLimiter?.load(section);
        break;
      default:
        this.loadRows(section, tMs);
    }
  }

  /** Is a section of this holder the registry's? */
  holds(holder: unknown): boolean {
    return holder === 'rows' || holder === 'span-names' || holder === 'label-values';
  }

  private loadRows(section: Section, tMs: number): void {
    const { schema } = section.meta as RowsMeta;
    const table = this.table(schema);
    this.retired = [];
    let loader = this.loaders.get(table);
    if (!loader) {
      loader = new RowLoader(table, this.symbols);
      this.loaders.set(table, loader);
    }
    loader.load(section, tMs);
  }

  /** Loading is over: what it needed to find rows by id is given back. */
  loaded(): void {
    this.loaders.clear();
  }

  private configureLabels({
    spanNameSanitization: mode,
    maxCardinalityPerLabel: limit,
    staleDurationMs,
  }: RegistryOptions) {
    if (mode === '') this.spanNames = undefined;
    else if (this.spanNames) this.spanNames.mode = mode;
    else this.spanNames = new SpanNames(mode, this.symbols, this.labelCounters);
    if (limit === 0) this.labelLimiter = undefined;
    else if (this.labelLimiter) this.labelLimiter.configure(limit, staleDurationMs);
    else this.labelLimiter = new LabelLimiter(limit, staleDurationMs, this.symbols, this.labelCounters);
  }

  private labelHolders(): StateHolder[] {
    const { spanNames, labelLimiter } = this;
    return [...(spanNames ? [spanNames.clusters] : []), ...(labelLimiter ? [labelLimiter] : [])];
  }

  private sorted(): RowTable[] {
    return [...this.tables.values()].sort((a, b) => (a.schema.name < b.schema.name ? -1 : 1));
  }

  /** Keeps only symbols that something refers to. Numbers are never observable, so neither is this. */
  private renumberSymbols(): void {
    const old = this.symbols;
    const fresh = new Symbols();
    const translation = new Map<number, number>();
    const translate = (symbol: number): number => {
      let found = translation.get(symbol);
      if (found === undefined) {
        found = fresh.internBytes(old.bytes(symbol));
        translation.set(symbol, found);
      }
      return found;
    };
    for (const table of this.tables.values()) table.renumber(translate);
    for (const holder of this.symbolHolders) holder.renumber(translate);
    this.symbols = fresh;
    for (const table of this.tables.values()) table.symbols = fresh;
    this.spanNames?.renumbered(fresh);
    this.labelLimiter?.renumbered(fresh);
    this.symbolsAfterRenumbering = fresh.count;
    this.generation++;
  }
}
