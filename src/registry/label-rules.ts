// What happens to the values of a label set between its making and the look-up of its row: span names become templates, values
// of labels that have too many become the overflow value. Compiled for one table; a tenant without either has none.

import type { LabelLimiter, LabelValues } from './label-limiter.ts';
import type { SpanNames } from './span-names.ts';
import { EMPTY_SYMBOL } from './symbols.ts';

const SPAN_NAME = 'span_name';

export class LabelRules {
  private readonly names: SpanNames | undefined;
  private readonly limiter: LabelLimiter | undefined;
  /** Where the label set has the span's name; -1 = nowhere. */
  private readonly nameAt: number;
  private readonly values: LabelValues[];

  constructor(labels: readonly string[], names: SpanNames | undefined, limiter: LabelLimiter | undefined) {
    this.names = names;
    this.limiter = limiter;
    this.nameAt = labels.indexOf(SPAN_NAME);
    this.values = limiter === undefined ? [] : labels.map((name) => limiter.label(name));
  }

  /** Changes the symbols of `key`, one per label, to those of the values that count. */
  apply(key: Int32Array): void {
    const { names, limiter, nameAt, values } = this;
    if (names !== undefined) {
      const symbol = names.sanitize(nameAt < 0 ? EMPTY_SYMBOL : key[nameAt]!);
      if (nameAt >= 0) key[nameAt] = symbol;
    }
    if (limiter === undefined) return;
    if (limiter.isDue) limiter.judge();
    for (let l = 0; l < values.length; l++) key[l] = limiter.admit(values[l]!, key[l]!);
  }
}
