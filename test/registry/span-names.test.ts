// The span-name sanitizer against a plain model of the same rules: no tree, no look-up table, every name worked out anew.

import { describe, expect, test } from 'vitest';
import { LabelCounters } from '../../src/registry/label-counters.ts';
import { NameClusters } from '../../src/registry/name-clusters.ts';
import { looksLikeData, nameTokens } from '../../src/registry/name-tokens.ts';
import type { Section } from '../../src/registry/section.ts';
import { SpanNames } from '../../src/registry/span-names.ts';
import { Symbols } from '../../src/registry/symbols.ts';
import { type Below, choices } from '../otlp/noisy-encoder.ts';

interface ModelCluster {
  /** The levels that lead to it. */
  path: string[];
  tokens: string[];
}

class Model {
  private clusters: ModelCluster[] = [];

  sanitize(name: string): string {
    const tokens = nameTokens(name);
    if (tokens.length < 3 || tokens.length > 80) return name;
    const levels = Math.min(28, tokens.length) - 1;
    const same = this.clusters.filter((one) => one.tokens.length === tokens.length);
    const under = (path: string[]) => same.filter((one) => path.every((token, i) => one.path[i] === token));
    const search: string[] = [];
    for (let i = 0; i < levels; i++) {
      search.push(under([...search, '<_>']).length > 0 ? '<_>' : tokens[i]!);
    }
    const equal = (one: ModelCluster) => tokens.filter((token, i) => one.tokens[i] === token).length;
    const wildcards = (one: ModelCluster) => one.tokens.filter((token) => token === '<_>').length;
    const best = under(search)
      .filter((one) => equal(one) / tokens.length >= 0.3)
      .sort((a, b) => equal(b) - equal(a) || wildcards(b) - wildcards(a))[0];
    if (best) {
      best.tokens = best.tokens.map((token, i) => (token === tokens[i] ? token : '<_>'));
      return best.tokens.slice(0, -1).join('');
    }
    const path: string[] = [];
    for (const token of tokens.slice(0, levels)) {
      const isThere = under([...path, token]).length > 0;
      path.push(isThere || !looksLikeData(token) ? token : '<_>');
    }
    this.clusters.push({ path, tokens });
    return name;
  }
}

function sanitizer(): { of: (name: string) => string; names: SpanNames; symbols: Symbols; counters: LabelCounters } {
  const symbols = new Symbols();
  const counters = new LabelCounters();
  const names = new SpanNames('enabled', symbols, counters);
  const of = (name: string) => Buffer.from(symbols.bytes(names.sanitize(symbols.internText(name)))).toString();
  return { of, names, symbols, counters };
}

const WORDS = ['GET', 'POST', 'users', 'me', 'orders', 'x1', '%20', 'é'];
const MARKS = ['/', ' ', '.', '-'];

/** Few words and few lengths, so that names meet, and marks that part tokens. */
function randomName(below: Below): string {
  let name = '';
  // Nothing but data: unlike ones meet at one leaf.
  if (below(4) === 0) return Array.from({ length: 3 + below(2) }, () => `%${below(3)}${below(3)}`).join('');
  for (let n = 1 + below(6); n > 0; n--) {
    name += MARKS[below(MARKS.length)]! + (below(3) === 0 ? String(below(4)) : WORDS[below(WORDS.length)]!);
  }
  return name;
}

describe('the span-name sanitizer', () => {
  test('gives what the rules give, worked out name by name', () => {
    let changed = 0;
    for (let seed = 0; seed < 60; seed++) {
      const below = choices(seed);
      const { of } = sanitizer();
      const model = new Model();
      const seen: string[] = [];
      for (let n = 0; n < 400; n++) {
        const name = seen.length > 0 && below(2) === 0 ? seen[below(seen.length)]! : randomName(below);
        seen.push(name);
        const expected = model.sanitize(name);
        expect(of(name), `seed ${seed}, name ${n}: ${name}`).toBe(expected);
        if (expected !== name) changed++;
      }
    }
    expect(changed).toBeGreaterThan(2_000);
  });

  test('keeps the first name of a cluster, and names that came before as they are', () => {
    const { of, counters } = sanitizer();
    expect(['/a/1', '/a/2', '/a/1', '/a/x'].map(of)).toEqual(['/a/1', '/a/<_>', '/a/<_>', '/a/<_>']);
    expect(counters).toMatchObject({ spansSanitized: 3, patternsDetected: 1, tooFewTokens: 0 });
  });

  test('leaves names alone that have fewer than 2 tokens or more than 79', () => {
    const { of, counters } = sanitizer();
    const long = (n: number, last: string) => `${'.'.repeat(n - 1)}${last}`;
    expect(['', '1', '2', long(80, '1'), long(80, '2')].map(of)).toEqual(['', '1', '2', long(80, '1'), long(80, '2')]);
    expect(counters).toMatchObject({ tooFewTokens: 3, tooManyTokens: 2, patternsDetected: 0 });
    expect([long(79, '1'), long(79, '2')].map(of)).toEqual([long(79, '1'), long(79, '<_>')]);
  });

  test('gives the thousandth child of a node to all that come after it', () => {
    const { of } = sanitizer();
    const names = Array.from({ length: 1_100 }, (_, i) => `${word(i)} run`);
    const found = names.map(of);
    expect(found.slice(0, 1_000)).toEqual(names.slice(0, 1_000));
    expect(new Set(found.slice(1_000))).toEqual(new Set(['<_> run']));
  });

  test('finds a name that is not UTF-8 again, byte for byte', () => {
    const { names, symbols } = sanitizer();
    const raw = (last: number) => symbols.internBytes(Uint8Array.of(0x2f, 0xff, 0x2f, last));
    names.sanitize(raw(0x31));
    expect([...symbols.bytes(names.sanitize(raw(0x32)))]).toEqual([0x2f, 0xff, 0x2f, 0x3c, 0x5f, 0x3e]);
  });

  test('in a dry run learns and counts the same, and changes nothing', () => {
    const symbols = new Symbols();
    const counters = new LabelCounters();
    const names = new SpanNames('dry_run', symbols, counters);
    for (const name of ['/a/1', '/a/2', '/a/3']) {
      const symbol = symbols.internText(name);
      expect(names.sanitize(symbol)).toBe(symbol);
    }
    expect(counters).toMatchObject({ spansSanitized: 2, patternsDetected: 1 });
    names.mode = 'enabled';
    const symbol = names.sanitize(symbols.internText('/a/1'));
    expect(Buffer.from(symbols.bytes(symbol)).toString()).toBe('/a/<_>');
  });

  test('goes on the same where symbols got new numbers', () => {
    const { of, names } = sanitizer();
    for (const name of ['/a/1', '/a/2', '/b/1']) of(name);
    const fresh = new Symbols();
    fresh.internText('something else');
    names.renumbered(fresh);
    const after = (name: string) => Buffer.from(fresh.bytes(names.sanitize(fresh.internText(name)))).toString();
    expect(['/a/1', '/b/1', '/b/2'].map(after)).toEqual(['/a/<_>', '/b/1', '/b/<_>']);
  });
});

describe('clusters of span names', () => {
  const learn = (clusters: NameClusters, name: string) => {
    const cluster = clusters.learn(name, nameTokens(name));
    clusters.touch(cluster);
    return cluster.tokens.slice(0, -1).join('');
  };

  test('are at most so many: those go that were unused for longest', () => {
    const counters = new LabelCounters();
    const clusters = new NameClusters(counters, 32);
    for (let i = 0; i < 32; i++) learn(clusters, `/${word(i)}`);
    clusters.changes(1_000);
    for (let i = 0; i < 32; i++) if (i !== 7 && i !== 9) learn(clusters, `/${word(i)}`);
    learn(clusters, '/new/one');
    expect(clusters.size).toBe(31);
    expect(counters).toMatchObject({ patternsDetected: 33, patternsEvicted: 2 });
    for (let i = 0; i < 32; i++) if (i !== 7 && i !== 9) learn(clusters, `/${word(i)}`);
    expect(counters.patternsDetected).toBe(33);
    learn(clusters, `/${word(7)}`);
    expect(counters.patternsDetected).toBe(34);
  });

  test.each([
    ['reached', [] as string[], ''],
    ['not reached any more', [`/me/${'.'.repeat(12)}`, `/7/${'.'.repeat(12)}`], '/me/'],
  ])(
    'that are %s are at most a hundred at one place, and names of those that went are learnt again',
    (_, early, prefix) => {
      const below = choices(1);
      const { of, names, counters } = sanitizer();
      for (const name of early) of(name);
      // Twelve values, of which more than two must be equal.
      const data = () => prefix + Array.from({ length: 12 }, () => `%${below(10)}${below(10)}`).join('');
      const first = data();
      for (let i = 0; i < 400; i++) of(i === 0 ? first : data());
      expect(names.clusters.size).toBeLessThanOrEqual(100 + early.length);
      expect(names.clusters.size).toBeGreaterThan(90);
      const { patternsDetected, patternsEvicted } = counters;
      expect(patternsDetected - patternsEvicted).toBe(names.clusters.size);
      expect(of(first)).toBe(first);
      expect(counters.patternsDetected).toBe(patternsDetected + 1);
      // Loaded, they are the same in the same order.
      const loaded = new NameClusters(new LabelCounters());
      for (const section of structuredClone(names.clusters.changes(1_000))) loaded.load(section, 1_000);
      expect(loaded.everything()).toEqual(names.clusters.everything());
      for (let i = 0; i < 50; i++) {
        const name = data();
        expect(learn(loaded, name)).toBe(of(name));
      }
    },
  );

  test('that a wildcard made unreachable are not found by the name they had, live or loaded', () => {
    const live = new NameClusters(new LabelCounters());
    for (const name of ['/me/1', '/me/2', '/7/foo']) learn(live, name);
    const loaded = new NameClusters(new LabelCounters());
    for (const section of structuredClone(live.changes(1_000))) loaded.load(section, 1_000);
    for (const clusters of [live, loaded]) {
      expect(['/me/1', '/me/2', '/me/1'].map((name) => learn(clusters, name))).toEqual(['/me/1', '/me/2', '/me/1']);
      expect(clusters.size).toBe(4);
    }
  });

  test('loaded at any boundary learn on as if nothing had happened, evictions included', () => {
    for (let seed = 0; seed < 40; seed++) {
      const below = choices(seed);
      const most = 20 + 400 * below(2);
      const live = new NameClusters(new LabelCounters(), most);
      const said: { sections: Section[]; everything: Section[]; tMs: number }[] = [];
      const names = Array.from({ length: 12 }, () => Array.from({ length: below(60) }, () => randomName(below)));
      names.forEach((some, b) => {
        const templates = some.map((name) => learn(live, name));
        const tMs = (b + 1) * 1_000;
        const sections = structuredClone(live.changes(tMs));
        for (const base of b === 0 ? [] : [-1, below(b), b - 1]) {
          const loaded = new NameClusters(new LabelCounters(), most);
          if (base >= 0) for (const section of said[base]!.everything) loaded.load(section, said[base]!.tMs);
          for (const one of said.slice(base + 1)) for (const section of one.sections) loaded.load(section, one.tMs);
          expect(some.map((name) => learn(loaded, name))).toEqual(templates);
          expect(loaded.changes(tMs)).toEqual(sections);
        }
        said.push({ sections, everything: structuredClone(live.everything()), tMs });
      });
    }
  });
});

/** A word of letters, another for each number. */
function word(i: number): string {
  return `w${[...String(i)].map((digit) => 'ghijklmnop'[Number(digit)]).join('')}`;
}
