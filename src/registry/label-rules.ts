// What happens to the values of a label set between its making and the look-up of its row: span names become templates, values
// of labels that have too many become the overflow value. Compiled for one table; a tenant without either has none.

import type { LabelLimiter, LabelValues } from './label-limiter.ts';
import { LabelSetRules } from './label-set-rules.ts';
import type { TableSchema } from './schema.ts';
import type { SpanNames } from './span-names.ts';
import { EMPTY_SYMBOL } from './symbols.ts';

const SPAN_NAME = 'span_name';

export class LabelRules {
  private readonly names: SpanNames | undefined;
  private readonly limiter: LabelLimiter | undefined;
  /** Where the label set has the span's name; -1 = nowhere. */
  private readonly nameAt: number;
  private readonly values: LabelValues[];
  /** How many of the first labels are label sets. */
  private readonly labelSets: number;
  private readonly sets: LabelSetRules | undefined;

  constructor(
    { labels, labelSets = 0 }: Pick<TableSchema, 'labels' | 'labelSets'>,
    names: SpanNames | undefined,
    limiter: LabelLimiter | undefined,
  ) {
    this.names = names;
    this.limiter = limiter;
    this.nameAt = labels.indexOf(SPAN_NAME);
    this.labelSets = labelSets;
    this.values = limiter === undefined ? [] : labels.slice(labelSets).map((name) => limiter.label(name));
    this.sets = limiter && labelSets > 0 ? new LabelSetRules(limiter) : undefined;
  }

  /** Changes the symbols of `key`, one per label, to those of the values that count. */
  apply(key: Int32Array): void {
    const { names, limiter, nameAt, values, labelSets, sets } = this;
    if (names !== undefined) {
      const symbol = names.sanitize(nameAt < 0 ? EMPTY_SYMBOL : key[nameAt]!);
      if (nameAt >= 0) key[nameAt] = symbol;
    }
    if (limiter === undefined) return;
    if (limiter.isDue) limiter.judge();
    for (let l = 0; l < values.length; l++) {
      const at = l + labelSets;
      key[at] = limiter.admit(values[l]!, key[at]!);
    }
    if (sets !== undefined) for (let l = 0; l < labelSets; l++) key[l] = sets.admit(key[l]!);
  }
}
