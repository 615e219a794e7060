// Pending edges as sections, and back (the columns are stored: src/ledger/FORMAT.md). Symbols travel as text: each section
// brings the strings its edges refer to.

import type { Section, Symbols } from '../registry/index.ts';
import { EMPTY_SYMBOL } from '../registry/index.ts';
import { type EdgeStore, KEY_INTS, NONE } from './edge-store.ts';

export interface EdgesMeta extends Record<string, unknown> {
  holder: 'edges';
  dimensions: number;
  nextSequence: number;
}

const INT_FIELDS = ['client', 'server', 'peer', 'kind'] as const;
const DOUBLE_FIELDS = ['clientSeconds', 'serverSeconds', 'weight', 'deadlineSeconds', 'sequence'] as const;
const UINT_FIELDS = ['clientEndLow', 'clientEndHigh', 'serverStartLow', 'serverStartHigh'] as const;
const BYTE_FIELDS = ['connection', 'flags', 'traceLengths'] as const;

export function edgeChanges(store: EdgeStore, symbols: Symbols): Section {
  const ended = store.ended;
  store.ended = [];
  return build(store, symbols, store.takeDirty(), ended);
}

export function allEdges(store: EdgeStore, symbols: Symbols): Section {
  return build(store, symbols, store.all(), []);
}

function build(store: EdgeStore, symbols: Symbols, edges: readonly number[], ended: readonly number[]): Section {
  const local = new Map<number, number>();
  const texts: Uint8Array[] = [];
  const localOf = (symbol: number): number => {
    if (symbol < 0) return NONE;
    let index = local.get(symbol);
    if (index === undefined) {
      index = texts.length;
      texts.push(symbols.bytes(symbol).slice());
      local.set(symbol, index);
    }
    return index;
  };
  const columns: Section['columns'] = {
    ended: Float64Array.from(ended).sort(),
    keys: concat(edges, store.keys, KEY_INTS),
    values: concat(edges, store.values, store.dimensions).map(localOf),
    traceIds: traceIdsOf(store, edges),
  };
  for (const field of INT_FIELDS) {
    const isSymbol = field !== 'kind';
    columns[field] = Int32Array.from(edges, (edge) => (isSymbol ? localOf(store[field][edge]!) : store[field][edge]!));
  }
  for (const field of DOUBLE_FIELDS) columns[field] = Float64Array.from(edges, (edge) => store[field][edge]!);
  for (const field of UINT_FIELDS) columns[field] = Uint32Array.from(edges, (edge) => store[field][edge]!);
  for (const field of BYTE_FIELDS) columns[field] = Uint8Array.from(edges, (edge) => store[field][edge]!);
  columns['textLengths'] = Uint32Array.from(texts, (text) => text.length);
  columns['textBytes'] = new Uint8Array(Buffer.concat(texts));
  const meta: EdgesMeta = { holder: 'edges', dimensions: store.dimensions, nextSequence: store.nextSequence };
  return { name: 'edges', meta, columns };
}

/** Sixteen bytes an edge. Behind a shorter id the slot holds what an earlier edge left there: not said. */
function traceIdsOf(store: EdgeStore, edges: readonly number[]): Uint8Array {
  const out = new Uint8Array(edges.length * 16);
  edges.forEach((edge, i) => {
    out.set(store.traceIds.subarray(edge * 16, edge * 16 + store.traceLengths[edge]!), i * 16);
  });
  return out;
}

function concat(edges: readonly number[], column: Int32Array, width: number): Int32Array {
  const out = new Int32Array(edges.length * width);
  edges.forEach((edge, i) => {
    out.set(column.subarray(edge * width, (edge + 1) * width), i * width);
  });
  return out;
}

/** Applies a section to a store that stands where the section began. Edges are found by sequence. */
export class EdgeLoader {
  private readonly store: EdgeStore;
  private readonly symbols: Symbols;
  private readonly edgeOf: Map<number, number>;

  constructor(store: EdgeStore, symbols: Symbols) {
    this.store = store;
    this.symbols = symbols;
    this.edgeOf = new Map(store.all().map((edge) => [store.sequence[edge]!, edge]));
  }

  load(section: Section): void {
    const { store } = this;
    const meta = section.meta as EdgesMeta;
    const columns = section.columns;
    for (const sequence of columns['ended'] as Float64Array) {
      const edge = this.edgeOf.get(sequence);
      if (edge !== undefined) store.remove(edge);
      this.edgeOf.delete(sequence);
    }
    const texts: number[] = [];
    let top = 0;
    for (const n of columns['textLengths'] as Uint32Array) {
      texts.push(
        n === 0 ? EMPTY_SYMBOL : this.symbols.internBytes((columns['textBytes'] as Uint8Array).subarray(top, top + n)),
      );
      top += n;
    }
    const symbolOf = (local: number): number => (local < 0 ? NONE : texts[local]!);
    (columns['sequence'] as Float64Array).forEach((sequence, i) => {
      let edge = this.edgeOf.get(sequence);
      if (edge === undefined) {
        store.key.set((columns['keys'] as Int32Array).subarray(i * KEY_INTS, (i + 1) * KEY_INTS));
        edge = store.make();
        store.store(edge, 0, sequence);
        this.edgeOf.set(sequence, edge);
      }
      for (const field of INT_FIELDS) {
        const value = (columns[field] as Int32Array)[i]!;
        store[field][edge] = field === 'kind' ? value : symbolOf(value);
      }
      for (const field of DOUBLE_FIELDS) store[field][edge] = (columns[field] as Float64Array)[i]!;
      for (const field of UINT_FIELDS) store[field][edge] = (columns[field] as Uint32Array)[i]!;
      for (const field of BYTE_FIELDS) store[field][edge] = (columns[field] as Uint8Array)[i]!;
      store.traceIds.set((columns['traceIds'] as Uint8Array).subarray(i * 16, (i + 1) * 16), edge * 16);
      for (let d = 0; d < meta.dimensions; d++) {
        store.values[edge * meta.dimensions + d] = symbolOf(
          (columns['values'] as Int32Array)[i * meta.dimensions + d]!,
        );
      }
    });
    store.nextSequence = meta.nextSequence;
    store.takeDirty();
    store.ended = [];
  }
}
