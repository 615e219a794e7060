// How many values a label has, and what happens to them where those are too many.

import { describe, expect, test } from 'vitest';
import { cellOf, estimate, REGISTERS, raise } from '../../src/registry/hyperloglog.ts';
import { LabelCounters } from '../../src/registry/label-counters.ts';
import { LabelLimiter, OVERFLOW_VALUE } from '../../src/registry/label-limiter.ts';
import { Symbols } from '../../src/registry/symbols.ts';

function sketchOf(strings: Iterable<string>): Uint8Array {
  const registers = new Uint8Array(REGISTERS);
  for (const string of strings) raise(registers, cellOf(Buffer.from(string)));
  return registers;
}

function* names(prefix: string, count: number): Generator<string> {
  for (let i = 0; i < count; i++) yield `${prefix}${i}`;
}

describe('a sketch of distinct strings', () => {
  test('holds none at first, and nothing new where all was seen', () => {
    expect(estimate([new Uint8Array(REGISTERS)])).toBe(0);
    const registers = sketchOf(names('a', 50));
    expect([...names('a', 50)].some((name) => raise(registers, cellOf(Buffer.from(name))))).toBe(false);
  });

  test.each(['', 'user-', '/api/v1/items/', 'é', '0000000000000000'])(
    'counts to within a tenth with prefix "%s"',
    (prefix) => {
      for (const count of [1, 5, 10, 100, 1_000, 2_500, 10_000, 100_000]) {
        const error = Math.abs(estimate([sketchOf(names(prefix, count))]) - count);
        expect(error, `${count}`).toBeLessThanOrEqual(Math.ceil(count / 10));
      }
    },
  );

  test('counts what several saw together once', () => {
    const a = sketchOf(names('a', 3_000));
    const b = sketchOf(names('a', 4_000));
    expect(estimate([a, b])).toBe(estimate([b]));
    expect(estimate([a, sketchOf(names('b', 3_000))])).toBeGreaterThan(5_400);
  });
});

const LIMIT = 5;
const STALE_MS = 900_000;

class Labels {
  readonly symbols = new Symbols();
  readonly counters = new LabelCounters();
  readonly limiter = new LabelLimiter(LIMIT, STALE_MS, this.symbols, this.counters);

  give(label: string, value: string): string {
    const symbol = this.limiter.admit(this.limiter.label(label), this.symbols.internText(value));
    return Buffer.from(this.symbols.bytes(symbol)).toString();
  }

  giveMany(label: string, count: number): void {
    for (const value of names('v', count)) this.give(label, value);
  }
}

describe('the limit of values per label', () => {
  test('replaces every value once a label with more of them was looked at', () => {
    const labels = new Labels();
    labels.giveMany('user', LIMIT + 1);
    labels.giveMany('team', LIMIT);
    expect(labels.give('user', 'v0')).toBe('v0');
    labels.limiter.judge();
    expect(labels.give('user', 'v0')).toBe(OVERFLOW_VALUE);
    expect(labels.give('user', 'new')).toBe(OVERFLOW_VALUE);
    expect(labels.give('team', 'v0')).toBe('v0');
    expect([...labels.counters.valuesLimited]).toEqual([['user', 2]]);
  });

  test('counts replaced values by name only as long as there are few names', () => {
    const { limiter, counters } = new Labels();
    for (const name of names('label', 1_200)) limiter.countReplaced(name);
    limiter.countReplaced('label0');
    expect(counters.valuesLimited.size).toBe(1_001);
    expect(counters.valuesLimited.get('label0')).toBe(2);
    expect(counters.valuesLimited.get('*')).toBe(200);
  });

  test('leaves a label out that has no value', () => {
    const labels = new Labels();
    labels.giveMany('user', LIMIT + 1);
    labels.limiter.judge();
    expect(labels.give('user', '')).toBe('');
    expect(labels.counters.valuesLimited.size).toBe(0);
  });

  test('is lifted when the values of the last stale duration are few again, not sooner', () => {
    const labels = new Labels();
    labels.giveMany('user', LIMIT + 1);
    for (const isOver of [true, true, true, false]) {
      labels.limiter.judge();
      expect(labels.give('user', 'v0') === OVERFLOW_VALUE).toBe(isOver);
      labels.limiter.rotate();
    }
  });

  test('counts values that are replaced on', () => {
    const labels = new Labels();
    for (let n = 0; n < 8; n++) {
      labels.giveMany('user', LIMIT + 1);
      labels.limiter.judge();
      expect(labels.give('user', 'v0')).toBe(OVERFLOW_VALUE);
      labels.limiter.rotate();
    }
  });

  test('is the one of when the labels are looked at', () => {
    const labels = new Labels();
    labels.giveMany('user', 20);
    labels.limiter.limit = 30;
    labels.limiter.judge();
    expect(labels.give('user', 'v0')).toBe('v0');
    labels.limiter.limit = 10;
    expect(labels.give('user', 'v0')).toBe('v0');
    labels.limiter.judge();
    expect(labels.give('user', 'v0')).toBe(OVERFLOW_VALUE);
    labels.limiter.limit = 0;
    labels.limiter.judge();
    expect(labels.give('user', 'v0')).toBe('v0');
  });

  test('goes on the same where symbols got new numbers', () => {
    const labels = new Labels();
    labels.giveMany('user', LIMIT + 1);
    labels.limiter.judge();
    const fresh = new Symbols();
    for (const name of names('other', 3)) fresh.internText(name);
    labels.limiter.renumbered(fresh);
    const user = labels.limiter.label('user');
    const replaced = labels.limiter.admit(user, fresh.internText('v1'));
    expect(Buffer.from(fresh.bytes(replaced)).toString()).toBe(OVERFLOW_VALUE);
    labels.limiter.rotate();
    labels.limiter.rotate();
    labels.limiter.rotate();
    for (const name of names('v', LIMIT + 1)) labels.limiter.admit(user, fresh.internText(name));
    labels.limiter.judge();
    expect(user.isOver).toBe(true);
  });
});
