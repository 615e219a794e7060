// The limit of distinct values per label: while a label has more of them, as far as the last stale duration goes, each of its values
// is replaced by one overflow value. Values are counted by sketches, so the space is the same whatever comes.

import { cellOf, estimate, REGISTERS, raise } from './hyperloglog.ts';
import type { LabelCounters } from './label-counters.ts';
import type { Section, StateHolder } from './section.ts';
import { EMPTY_SYMBOL, type Symbols } from './symbols.ts';

export const OVERFLOW_VALUE = '__cardinality_overflow__';
/** How long values go into one sketch; the oldest sketch goes then. */
const SKETCH_MS = 300_000;
/** Labels with values beyond which no others of label sets are taken in: their names may be data. */
const MOST_LABELS = 1_000;
/** The overflow value as the end of a label set's label. */
const OVERFLOW_BYTES = Buffer.from(`${OVERFLOW_VALUE}\u0000`);

interface Sketch {
  registers: Uint8Array;
  isUsed: boolean;
  isDirty: boolean;
}

/** The values of one label, over all tables. */
export interface LabelValues {
  name: string;
  /** Is it a column's? Else it goes when its values have gone. */
  isFixed: boolean;
  isOver: boolean;
  /** Newest first. */
  sketches: Sketch[];
}

export class LabelLimiter implements StateHolder {
  /** Distinct values at most; read when labels are looked at. */
  limit: number;
  /** Labels are to be looked at before the next label set. */
  isDue = false;
  /** Goes up when symbols got new numbers or a label's values went: whoever keeps either starts over. */
  generation = 0;
  symbols: Symbols;
  private readonly counters: LabelCounters;
  private windows: number;
  private readonly labels = new Map<string, LabelValues>();
  /** Symbol → cell of its bytes; 0 = not known yet. */
  private cells = new Int32Array(1024);
  private overflowSymbol: number;
  /** Sketches begun since the last boundary. */
  private rotations = 0;
  private isFresh = true;

  constructor(limit: number, staleDurationMs: number, symbols: Symbols, counters: LabelCounters) {
    this.limit = limit;
    this.windows = windowsOf(staleDurationMs);
    this.symbols = symbols;
    this.counters = counters;
    this.overflowSymbol = symbols.internText(OVERFLOW_VALUE);
  }

  configure(limit: number, staleDurationMs: number): void {
    this.limit = limit;
    const windows = windowsOf(staleDurationMs);
    if (windows === this.windows) return;
    this.windows = windows;
    // Which sketches went depends on the window of then: the next boundary says all that are left.
    this.isFresh = true;
    this.generation++;
    for (const { sketches } of this.labels.values()) {
      sketches.length = Math.min(sketches.length, windows);
      for (const sketch of sketches) sketch.isDirty = sketch.isUsed;
    }
  }

  /** A column's label. */
  label(name: string): LabelValues {
    const values = this.known(name);
    values.isFixed = true;
    return values;
  }

  /** A label of a label set; undefined where there are too many labels to take in another one, until `generation` goes up. */
  openLabel(name: string): LabelValues | undefined {
    const values = this.labels.get(name);
    // Not whether it is a column's: a load doesn't know which columns there once were.
    if (values && isInUse(values)) return values;
    let inUse = 0;
    for (const other of this.labels.values()) if (isInUse(other)) inUse++;
    return inUse < MOST_LABELS ? this.known(name) : undefined;
  }

  /** The symbol to use instead of a label's value. */
  admit(values: LabelValues, symbol: number): number {
    if (symbol === EMPTY_SYMBOL) return symbol;
    let cell = symbol < this.cells.length ? this.cells[symbol]! : 0;
    if (cell === 0) cell = this.newCell(symbol);
    const current = values.sketches[0]!;
    if (raise(current.registers, cell)) {
      current.isUsed = true;
      current.isDirty = true;
    }
    if (!values.isOver) return symbol;
    this.countReplaced(values.name);
    return this.overflowSymbol;
  }

  /** A value of this label was replaced. Names may be data: those beyond a number are counted as one, `*`. */
  countReplaced(name: string): void {
    const { valuesLimited } = this.counters;
    const key = valuesLimited.has(name) || valuesLimited.size < MOST_LABELS ? name : '*';
    valuesLimited.set(key, (valuesLimited.get(key) ?? 0) + 1);
  }

  /** The overflow value, ended as in a label set. */
  get overflowBytes(): Uint8Array {
    return OVERFLOW_BYTES;
  }

  /** Looks at every label: which of them have too many values now? */
  judge(): void {
    this.isDue = false;
    for (const values of this.labels.values()) {
      const count = estimate(values.sketches.map(({ registers }) => registers));
      values.isOver = this.limit > 0 && count > this.limit;
    }
  }

  /** Begins new sketches: values that were seen only in the oldest ones are forgotten. */
  rotate(): void {
    this.rotations++;
    this.shift();
  }

  /** Does any sketch hold anything? */
  get hasValues(): boolean {
    for (const values of this.labels.values()) if (isInUse(values)) return true;
    return false;
  }

  /** Symbols got new numbers. */
  renumbered(symbols: Symbols): void {
    this.symbols = symbols;
    this.cells = new Int32Array(1024);
    this.overflowSymbol = symbols.internText(OVERFLOW_VALUE);
    this.generation++;
  }

  changes(): Section[] {
    const section = this.section(({ isDirty }) => isDirty, this.rotations, this.isFresh);
    for (const { sketches } of this.labels.values()) for (const sketch of sketches) sketch.isDirty = false;
    this.rotations = 0;
    this.isFresh = false;
    return [section];
  }

  everything(): Section[] {
    return [this.section(({ isUsed }) => isUsed, 0, true)];
  }

  load({ meta, columns }: Section): void {
    // In place: rules hold the labels.
    if (meta['isFresh'] === true) for (const values of this.labels.values()) values.sketches = [newSketch()];
    for (let n = Math.min(meta['rotations'] as number, this.windows); n > 0; n--) this.shift();
    const ages = columns['ages'] as Uint32Array;
    (meta['labels'] as string[]).forEach((name, i) => {
      const { sketches } = this.known(name);
      while (sketches.length <= ages[i]!) sketches.push(newSketch());
      const sketch = sketches[ages[i]!]!;
      sketch.registers.set((columns['registers'] as Uint8Array).subarray(i * REGISTERS, (i + 1) * REGISTERS));
      sketch.isUsed = true;
    });
    const over = new Set(meta['over'] as string[]);
    for (const name of over) this.known(name);
    for (const values of this.labels.values()) values.isOver = over.has(values.name);
    this.isDue = meta['isDue'] as boolean;
    this.isFresh = false;
  }

  private known(name: string): LabelValues {
    let values = this.labels.get(name);
    if (values === undefined) {
      values = { name, isFixed: false, isOver: false, sketches: [newSketch()] };
      this.labels.set(name, values);
    }
    return values;
  }

  private shift(): void {
    for (const values of this.labels.values()) {
      const { sketches } = values;
      sketches.unshift(newSketch());
      sketches.length = Math.min(sketches.length, this.windows);
      if (!values.isFixed && !values.isOver && !isInUse(values)) this.labels.delete(values.name);
    }
    this.generation++;
  }

  private newCell(symbol: number): number {
    if (symbol >= this.cells.length) {
      const wider = new Int32Array(Math.max(this.symbols.count, this.cells.length * 2));
      wider.set(this.cells);
      this.cells = wider;
    }
    const cell = cellOf(this.symbols.bytes(symbol));
    this.cells[symbol] = cell;
    return cell;
  }

  /** Sketches in the order of their labels' names: that of first sight is not known after a load. */
  private section(isSaid: (sketch: Sketch) => boolean, rotations: number, isFresh: boolean): Section {
    const labels = [...this.labels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const said = labels.flatMap(({ name, sketches }) =>
      sketches.flatMap((sketch, age) => (isSaid(sketch) ? [{ name, age, registers: sketch.registers }] : [])),
    );
    const registers = new Uint8Array(said.length * REGISTERS);
    said.forEach((one, i) => {
      registers.set(one.registers, i * REGISTERS);
    });
    return {
      name: 'label-values',
      meta: {
        holder: 'label-values',
        isFresh,
        isDue: this.isDue,
        labels: said.map(({ name }) => name),
        over: labels.filter(({ isOver }) => isOver).map(({ name }) => name),
        rotations,
      },
      columns: { ages: Uint32Array.from(said, ({ age }) => age), registers },
    };
  }
}

/** Does any sketch hold anything? Known after a load too. */
function isInUse({ sketches }: LabelValues): boolean {
  return sketches.some(({ isUsed }) => isUsed);
}

function newSketch(): Sketch {
  return { registers: new Uint8Array(REGISTERS), isUsed: false, isDirty: false };
}

/** Sketches that together reach as far back as a row may live without an update. */
function windowsOf(staleDurationMs: number): number {
  return Math.max(1, Math.ceil(staleDurationMs / SKETCH_MS));
}
