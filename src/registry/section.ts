// The plain form in which state leaves its holder and comes back: what changed since the last boundary, or everything.
// Data only, so that it can move between threads and be written to the ledger by code that knows nothing of its meaning.

export type Column = Uint8Array | Int32Array | Uint32Array | Float64Array;

/** One holder's changes. The arrays own their buffers; `meta` is JSON. */
export interface Section {
  name: string;
  meta: Record<string, unknown>;
  columns: Record<string, Column>;
}

/** Something whose state must survive: rows, edges, limiters. `load` of every section ever given by `changes`, in order, rebuilds it. */
export interface StateHolder {
  /** What changed since the last call, as of boundary `tMs`; the holder counts it as said. */
  changes(tMs: number): Section[];
  /** Everything, in the form of `changes` of an empty holder. Does not touch what `changes` will say next. */
  everything(tMs: number): Section[];
  load(section: Section, tMs: number): void;
}
