// Label sets as values: what is read from them, and the limit of values per label where the labels are those of a set.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeLabelSet } from '../../src/processors/label-set.ts';
import { LabelCounters } from '../../src/registry/label-counters.ts';
import { LabelLimiter, OVERFLOW_VALUE } from '../../src/registry/label-limiter.ts';
import { LabelRules } from '../../src/registry/label-rules.ts';
import { labelSetEntries, labelSetPairs } from '../../src/registry/label-sets.ts';
import { EMPTY_SYMBOL, Symbols } from '../../src/registry/symbols.ts';

const LIMIT = 3;
const utf8 = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

function encoded(labels: Record<string, string>): Uint8Array {
  return encodeLabelSet(Object.entries(labels).map(([name, value]) => [name, utf8(value)]));
}

class Rules {
  symbols = new Symbols();
  readonly counters = new LabelCounters();
  readonly limiter: LabelLimiter;
  private readonly rules: LabelRules;

  constructor(limit = LIMIT) {
    this.limiter = new LabelLimiter(limit, 300_000, this.symbols, this.counters);
    this.rules = new LabelRules({ labels: ['*', 'plain'], labelSets: 1 }, undefined, this.limiter);
  }

  give(labels: Record<string, string>, plain = ''): Record<string, string> {
    const key = Int32Array.of(this.symbols.internBytes(encoded(labels)), this.symbols.internText(plain));
    this.rules.apply(key);
    const value = textOf(this.symbols.bytes(key[1]!));
    return {
      ...Object.fromEntries(labelSetPairs(textOf(this.symbols.bytes(key[0]!)))),
      ...(value !== '' && { plain: value }),
    };
  }

  judge(): this {
    this.limiter.isDue = true;
    return this;
  }

  renumber(): this {
    this.symbols = new Symbols();
    this.symbols.internText('something else');
    this.limiter.renumbered(this.symbols);
    return this;
  }

  /** As after a crash. */
  reload(): Rules {
    const other = new Rules();
    for (const section of structuredClone(this.limiter.everything())) other.limiter.load(section);
    return other;
  }
}

test('a label set reads the same as bytes and as text, whatever its values hold', () => {
  const value = fc.string({ unit: fc.constantFrom('a', '0', '1', '\u0000', '\u0001', 'é'), minLength: 1 });
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('a', 'b_c', 'Z9'), value), (labels) => {
      const bytes = encoded(labels);
      const entries = labelSetEntries(bytes);
      expect(Object.fromEntries(entries.map(({ name, value: of }) => [textOf(name), textOf(of)]))).toEqual({
        ...labels,
      });
      expect(Buffer.concat(entries.map((entry) => entry.encoded)).equals(bytes)).toBe(true);
      expect(Object.fromEntries(labelSetPairs(textOf(bytes)))).toEqual({ ...labels });
    }),
  );
});

describe('labels of sets', () => {
  test('are limited each by itself, together with a column of that name', () => {
    const rules = new Rules();
    for (let i = 0; i < 3; i++) rules.give({ id: `${i}`, method: 'GET', plain: `s${i}` }, `p${i}`);
    rules.judge();
    const over = { id: '9', method: 'GET', plain: OVERFLOW_VALUE };
    expect(rules.give({ id: '9', method: 'GET', plain: 'x' })).toEqual(over);
    rules.judge();
    expect(rules.give({ id: '9', method: 'GET' })).toEqual({ id: OVERFLOW_VALUE, method: 'GET' });
    expect([...rules.counters.valuesLimited]).toEqual([
      ['plain', 1],
      ['id', 1],
    ]);
  });

  test('keep their other values as they were written', () => {
    const rules = new Rules();
    for (let i = 0; i < 5; i++) rules.give({ id: `${i}` });
    expect(rules.judge().give({ a: '\u0000\u0001', id: '9', z: '\u00010' })).toEqual({
      a: '\u0000\u0001',
      id: OVERFLOW_VALUE,
      z: '\u00010',
    });
  });

  test('come free again when their values have gone, and are forgotten', () => {
    const rules = new Rules();
    for (let i = 0; i < 5; i++) rules.give({ id: `${i}` });
    expect(rules.judge().give({ id: '0' })).toEqual({ id: OVERFLOW_VALUE });
    rules.limiter.rotate();
    rules.limiter.rotate();
    expect(rules.judge().give({ id: '0' })).toEqual({ id: '0' });
    rules.limiter.rotate();
    rules.limiter.rotate();
    expect(rules.limiter.hasValues).toBe(false);
    expect(rules.limiter.everything()[0]!.meta['labels']).toEqual([]);
  });

  test('are the same after symbols got new numbers, and after a load', () => {
    const rules = new Rules();
    for (let i = 0; i < 5; i++) rules.give({ id: `${i}`, method: 'GET' });
    rules.judge().give({ id: '0' });
    const over = { id: OVERFLOW_VALUE, method: 'GET' };
    expect(rules.give({ id: '1', method: 'GET' })).toEqual(over);
    expect(rules.renumber().give({ id: '1', method: 'GET' })).toEqual(over);
    expect(rules.reload().give({ id: '1', method: 'GET' })).toEqual(over);
  });

  test('with ever new names are left out beyond a thousand, until names have gone, also after a load', () => {
    const rules = new Rules();
    const give = (from: Rules, name: string) => from.give({ [name]: 'v' });
    for (let i = 0; i < 1_000; i++) expect(give(rules, `n${i}`)).toEqual({ [`n${i}`]: 'v' });
    expect(rules.give({ n5: 'v', more: 'v' })).toEqual({ n5: 'v' });
    expect(rules.counters.valuesLimited.get('*')).toBe(1);
    const loaded = rules.reload();
    expect(loaded.give({ n5: 'v', more: 'v' })).toEqual({ n5: 'v' });
    for (const one of [rules, loaded]) {
      one.limiter.rotate();
      expect(one.give({ n5: 'v', more: 'v' })).toEqual({ n5: 'v', more: 'v' });
      expect(one.limiter.everything()[0]!.meta['labels']).toEqual(['more', 'n5']);
    }
  });

  test('of an empty set are none', () => {
    const rules = new Rules();
    expect(rules.give({})).toEqual({});
    expect(rules.symbols.internBytes(encoded({}))).toBe(EMPTY_SYMBOL);
  });
});
