// One tenant's series: its symbols, its tables of rows, the limits over all of them, and their state as sections.

import { isDeepStrictEqual } from 'node:util';
import { Limiter } from './limiter.ts';
import { allRows, RowLoader, type RowsMeta, rowChanges } from './row-sections.ts';
import { RowTable } from './rows.ts';
import type { TableSchema } from './schema.ts';
import type { Section, StateHolder } from './section.ts';
import { Symbols } from './symbols.ts';

export interface RegistryOptions {
  limiterType: 'series' | 'entity';
  /** 0 = unlimited. */
  maxActiveSeries: number;
  maxActiveEntities: number;
  staleDurationMs: number;
  collectionIntervalMs: number;
}

/** Symbols are renumbered when there are this many more than twice the ones that were alive last time. */
const SYMBOL_SLACK = 65_536;

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
  }

  get activeSeries(): number {
    return this.limiter.activeSeries;
  }

  get liveRows(): number {
    let n = 0;
    for (const table of this.tables.values()) n += table.liveRows;
    return n;
  }

  /** Ends rows without an update for longer than the stale duration; now and then renumbers the symbols that are left. */
  sweep(nowMs: number): void {
    for (const table of this.tables.values()) table.sweep(nowMs - this.staleDurationMs);
    if (this.symbols.count > 2 * this.symbolsAfterRenumbering + SYMBOL_SLACK) this.renumberSymbols();
  }

  /** The ends of rows of replaced tables. To be said before `changes`. */
  retiredChanges(tMs: number): Section[] {
    const sections = this.retired.map((table) => rowChanges(table, this.symbols, tMs));
    this.retired = [];
    return sections;
  }

  changes(tMs: number): Section[] {
    return this.sorted().map((table) => rowChanges(table, this.symbols, tMs));
  }

  everything(tMs: number): Section[] {
    return this.sorted().map((table) => allRows(table, this.symbols, tMs));
  }

  load(section: Section, tMs: number): void {
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
    this.symbolsAfterRenumbering = fresh.count;
    this.generation++;
  }
}
