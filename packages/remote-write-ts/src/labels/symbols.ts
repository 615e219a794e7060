// Strings as remote-write 2.0 wants them: each once per request, found by a number. A string that many series share is
// encoded once for all of them, and goes when the last of them does. Must never keep a string alive by itself.

/** A string with its place in the request that last used it. Only a builder changes `epoch` and `ref`. */
export interface SymbolEntry {
  readonly text: string;
  /** UTF-8. */
  readonly bytes: Uint8Array;
  /** The request that `ref` belongs to. */
  epoch: number;
  ref: number;
}

const interned = new Map<string, WeakRef<SymbolEntry>>();
const cleanUp = new FinalizationRegistry<string>((text) => {
  // The same text may have been interned anew between the collection and this call.
  if (interned.get(text)?.deref() === undefined) interned.delete(text);
});

export function internSymbol(text: string): SymbolEntry {
  const known = interned.get(text)?.deref();
  if (known !== undefined) return known;
  const entry: SymbolEntry = { text, bytes: Buffer.from(text), epoch: 0, ref: 0 };
  interned.set(text, new WeakRef(entry));
  cleanUp.register(entry, text);
  return entry;
}
