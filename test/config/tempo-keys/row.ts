// One row for each key that a Tempo file may have: what becomes of it. Written down from Tempo's own reference, not from spanmill's
// schema, so that the two can disagree.

/**
 * Dotted; `[]` stands for the items of a list, `*` for names of the user's, `**` at the end for anything below.
 */
import type { Config } from '../../../src/config/index.ts';

export interface Row {
  key: string;
  verdict: 'used' | 'ignored' | 'refused';
  /** Of a key that is used: where its value is in `Config`. */
  at?: string;
  /** Where else the key has no say. */
  onlyIf?: (config: Config) => boolean;
  /** What the written value is there. */
  becomes?: (written: unknown) => unknown;
  /** Of an ignored key: the reason that is told. Of a refused one: the message. Of one that is used: what is told with it. */
  says?: RegExp;
  /** Values that ask for nothing else than what happens. */
  quiet?: readonly unknown[];
  /** Of an ignored key: it is only named with others, whatever its value. */
  isBlock?: boolean;
  /** Values of a key that is not refused as such, and the message. */
  refuses?: readonly [value: unknown, message: RegExp][];
  /** What Tempo does with the key can't be had yet: a used or a listened-to key that is refused or ignored for now, and why that is bearable. */
  gap?: string;
}

type More = Partial<Omit<Row, 'key' | 'verdict'>>;

export const used = (key: string, at: string, more: More = {}): Row => ({ key, verdict: 'used', at, ...more });

/** `quiet`: Tempo's default, and what else needs no word. */
export const ignored = (key: string, says: RegExp, quiet: readonly unknown[], more: More = {}): Row => ({
  key,
  verdict: 'ignored',
  says,
  quiet,
  ...more,
});

export const refused = (key: string, says: RegExp, more: More = {}): Row => ({
  key,
  verdict: 'refused',
  says,
  ...more,
});

/** Keys of blocks that are passed over whole. `a.{b, c.{d}}` stands for `a.b` and `a.c.d`. */
export const block = (says: RegExp, keys: readonly string[], more: More = {}): Row[] =>
  keys.flatMap(braces).map((key) => ({ key, verdict: 'ignored', says, isBlock: true, ...more }));

/** Each row's key under this one. */
export const under = (prefix: string, rows: readonly Row[]): Row[] =>
  rows.map((row) => ({ ...row, key: `${prefix}.${row.key}` }));

/** A duration as Go or Prometheus writes it, in ms. */
export function ms(written: unknown): number {
  const units: Record<string, number> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 };
  let total = 0;
  for (const [, count, unit] of String(written).matchAll(/([\d.]+)(ms|[smhdw])/g))
    total += Number(count) * units[unit!]!;
  return total;
}

/** Expands `a.{b, c.{d, e}, f}`. */
export function braces(text: string): string[] {
  const open = text.indexOf('{');
  if (open < 0) return [text];
  let depth = 0;
  let close = open;
  const commas: number[] = [];
  for (let at = open; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) {
      close = at;
      break;
    } else if (text[at] === ',' && depth === 1) commas.push(at);
  }
  const cuts = [open, ...commas, close];
  const inner = cuts.slice(1).map((end, index) => text.slice(cuts[index]! + 1, end).trim());
  return inner.flatMap((part) => braces(`${text.slice(0, open)}${part}${text.slice(close + 1)}`));
}

export function camel(key: string): string {
  return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
