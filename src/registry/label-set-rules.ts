// The limit of distinct values per label for labels whose names are not known beforehand: those of label sets. Each label of a set is
// limited as if it had a column of its own. A set is taken apart once; must not cost more than its labels after that.

import type { LabelLimiter, LabelValues } from './label-limiter.ts';
import { labelSetEntries } from './label-sets.ts';
import { EMPTY_SYMBOL } from './symbols.ts';

/** Sets that are known taken apart; with more all are forgotten. */
const MOST_SETS = 65_536;

interface LimitedSet {
  /** In the order of the set. Undefined: there are too many names, the label is left out. */
  values: (LabelValues | undefined)[];
  symbols: number[];
  encoded: Uint8Array[];
  /** What came out last, and of which labels the value was replaced then. */
  replaced: boolean[];
  result: number;
}

export class LabelSetRules {
  private readonly limiter: LabelLimiter;
  private sets = new Map<number, LimitedSet>();
  private generation = -1;

  constructor(limiter: LabelLimiter) {
    this.limiter = limiter;
  }

  /** The symbol of the set to use instead of this one. */
  admit(symbol: number): number {
    if (symbol === EMPTY_SYMBOL) return symbol;
    const { limiter } = this;
    if (this.generation !== limiter.generation || this.sets.size > MOST_SETS) {
      this.sets = new Map();
      this.generation = limiter.generation;
    }
    let set = this.sets.get(symbol);
    if (set === undefined) {
      set = this.takenApart(symbol);
      this.sets.set(symbol, set);
    }
    const { values, symbols, replaced } = set;
    let isSame = set.result >= 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value === undefined) {
        limiter.countReplaced('*');
        continue;
      }
      const isReplaced = limiter.admit(value, symbols[i]!) !== symbols[i];
      if (isReplaced !== replaced[i]) isSame = false;
      replaced[i] = isReplaced;
    }
    if (!isSame) set.result = this.putTogether(set);
    return set.result;
  }

  private takenApart(symbol: number): LimitedSet {
    const { limiter } = this;
    // A copy: symbols are interned below.
    const entries = labelSetEntries(limiter.symbols.bytes(symbol).slice());
    return {
      values: entries.map(({ name }) => limiter.openLabel(Buffer.from(name).toString('latin1'))),
      symbols: entries.map(({ value }) => limiter.symbols.internBytes(value)),
      encoded: entries.map(({ encoded }) => encoded),
      replaced: entries.map(() => false),
      result: -1,
    };
  }

  private putTogether({ values, encoded, replaced }: LimitedSet): number {
    const { limiter } = this;
    const parts = encoded.flatMap((pair, i) => {
      if (values[i] === undefined) return [];
      return replaced[i] ? [pair.subarray(0, pair.indexOf(0) + 1), limiter.overflowBytes] : [pair];
    });
    return limiter.symbols.internBytes(Buffer.concat(parts));
  }
}
