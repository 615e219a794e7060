// Labels of series that are sent as 2.0: name and value together, for together they are written. One that many series share is
// kept once for all of them, and goes when the last of them does. Must never keep a label alive by itself.

import type { LabelPlace } from './encode.ts';
import { internSymbol, type SymbolEntry } from './symbols.ts';

/** A label with its references in the request that last used it. Only a builder changes these. */
export interface InternedLabel {
  readonly name: SymbolEntry;
  readonly value: SymbolEntry;
  /** The request that `refs` belong to. */
  epoch: number;
  /** Those of name and value, as they are on the wire: two to four bytes, the first of them the lowest. */
  refs: number;
  refsBytes: number;
  /** The group that was the last to take it, by its number, and where it is in there. Only groups change these. */
  group: number;
  index: number;
}

/** By their fields on the wire, each byte as a character. */
const interned = new Map<string, WeakRef<InternedLabel>>();
const cleanUp = new FinalizationRegistry<string>((key) => {
  // The same label may have been interned anew between the collection and this call.
  if (interned.get(key)?.deref() === undefined) interned.delete(key);
});

export function internLabel(bytes: Buffer, { start, nameAt, nameEnd, valueAt, end }: LabelPlace): InternedLabel {
  const key = bytes.toString('latin1', start, end);
  const known = interned.get(key)?.deref();
  if (known !== undefined) return known;
  const name = internSymbol(bytes.toString('utf8', nameAt, nameEnd));
  const value = internSymbol(bytes.toString('utf8', valueAt, end));
  const label: InternedLabel = { name, value, epoch: 0, refs: 0, refsBytes: 0, group: 0, index: 0 };
  interned.set(key, new WeakRef(label));
  cleanUp.register(label, key);
  return label;
}
