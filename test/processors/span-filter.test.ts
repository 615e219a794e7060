// Filter policies: how blocks are pooled, and how a value of another type reads.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FilterPolicy, PolicyMatch } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { settingsWith } from '../fold/settings.ts';
import { type Attributes, type PlainSpan, plainSpan, requestMessage, type Value } from '../fold/spans.ts';
import { choices, noisy } from '../otlp/noisy-encoder.ts';

const T = Date.UTC(2026, 0, 1);
const NS = BigInt(T) * 1_000_000n;

/** Does span metrics take the span? The request is written by an unhelpful encoder. */
function accepts(policies: FilterPolicy[], span: Partial<PlainSpan>, resource: Attributes = [], seed = 1): boolean {
  const settings = settingsWith({ processors: ['span-metrics-count'], spanMetrics: { filterPolicies: policies } });
  const fold = new Fold({ settingsOf: () => settings, originMs: T });
  const message = requestMessage([{ resource, spans: [plainSpan({ startNs: NS, endNs: NS, ...span })] }]);
  fold.push('t', T, T, noisy('Request', message, choices(seed)), false);
  const { counters, registry } = fold.tenant('t');
  const filtered = counters.discarded.get('span_metrics_filtered span-metrics') ?? 0;
  expect(filtered + registry.liveRows).toBe(1);
  return filtered === 0;
}

const strict = (key: string, value: string | number | boolean): PolicyMatch => ({
  matchType: 'strict',
  attributes: [{ key, value }],
});
const regex = (key: string, value: string): PolicyMatch => ({ matchType: 'regex', attributes: [{ key, value }] });

describe('policies', () => {
  test('are pooled: any exclude drops, any include_any keeps, then all includes must match', () => {
    const flag = fc.constantFrom('a', 'b', 'c');
    const block = fc.array(flag, { maxLength: 2 }).map(
      (flags): PolicyMatch => ({
        matchType: 'strict',
        attributes: flags.map((name) => ({ key: `span.${name}`, value: true })),
      }),
    );
    const policy = fc.record(
      { include: block, includeAny: block, exclude: block },
      { requiredKeys: [] },
    ) as fc.Arbitrary<FilterPolicy>;
    fc.assert(
      fc.property(
        fc.array(policy, { maxLength: 3 }),
        fc.subarray(['a', 'b', 'c']),
        fc.integer(),
        (policies, set, seed) => {
          const attributes: Attributes = set.map((name) => [name, true]);
          const matches = (match: PolicyMatch) => match.attributes.every(({ key }) => set.includes(key.slice(5)));
          const of = (kind: keyof FilterPolicy) => policies.flatMap((p) => p[kind] ?? []);
          const wanted = of('exclude').some(matches)
            ? false
            : of('includeAny').some(matches)
              ? true
              : of('include').length > 0
                ? of('include').every(matches)
                : of('includeAny').length === 0;
          expect(accepts(policies, { attributes }, [], seed)).toBe(wanted);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a strict match', () => {
  test('reads an attribute of another type as the zero value of the wanted one', () => {
    const values: Value[] = ['', 'x', '200', 0n, 200n, -1n, 0, 2.5, true, false, new Uint8Array(3)];
    const wanted = ['', 'x', '200', 0, 200, -1, 2.5, true, false];
    let seed = 0;
    for (const value of values) {
      for (const want of wanted) {
        const read =
          typeof want === 'string'
            ? typeof value === 'string'
              ? value
              : ''
            : typeof want === 'boolean'
              ? value === true
              : Number.isInteger(want)
                ? typeof value === 'bigint'
                  ? Number(value)
                  : 0
                : typeof value === 'number'
                  ? value
                  : 0;
        for (const kind of ['span', 'resource'] as const) {
          const attributes: Attributes = [
            ['k', value],
            ['k', 'a later one does not count'],
          ];
          const taken = accepts(
            [{ include: strict(`${kind}.k`, want) }],
            kind === 'span' ? { attributes } : {},
            kind === 'resource' ? attributes : [],
            seed++,
          );
          expect(taken, `${String(value)} for ${want}`).toBe(read === want);
        }
      }
    }
  });

  test('of a key that is not there is none', () => {
    expect(accepts([{ include: strict('span.k', '') }], {})).toBe(false);
    expect(accepts([{ include: strict('span.k', 0) }], {}, [['k', 0n]])).toBe(false);
  });

  test('of kind, status and name takes the whole text', () => {
    expect(accepts([{ include: strict('kind', 'SPAN_KIND_SERVER') }], { kind: 2 })).toBe(true);
    expect(accepts([{ include: strict('kind', 'SPAN_KIND_SERVER') }], { kind: 3 })).toBe(false);
    expect(accepts([{ include: strict('status', 'STATUS_CODE_UNSET') }], {})).toBe(true);
    expect(accepts([{ include: strict('status', 'STATUS_CODE_ERROR') }], { status: { code: 2, message: '' } })).toBe(
      true,
    );
    expect(accepts([{ include: strict('name', 'GET') }], { name: 'GET /' })).toBe(false);
  });
});

describe('a regular expression', () => {
  test('is not anchored, and sees an empty text where the value is no string', () => {
    expect(accepts([{ include: regex('span.k', 'b') }], { attributes: [['k', 'abc']] })).toBe(true);
    expect(accepts([{ include: regex('span.k', '^b') }], { attributes: [['k', 'abc']] })).toBe(false);
    expect(accepts([{ include: regex('span.k', '^$') }], { attributes: [['k', 7n]] })).toBe(true);
    expect(accepts([{ include: regex('span.k', '7') }], { attributes: [['k', 7n]] })).toBe(false);
    expect(accepts([{ include: regex('span.k', '.*') }], {})).toBe(false);
    expect(accepts([{ include: regex('kind', 'SERVER|CLIENT') }], { kind: 3 })).toBe(true);
    expect(accepts([{ include: regex('kind', '^42$') }], { kind: 42 })).toBe(true);
  });

  test('costs no more than its text is long, whatever clients send', () => {
    const endless = '^(/?[a-z0-9]+)*/health$';
    const text = `${'a'.repeat(60)}!/health`;
    expect(accepts([{ include: regex('name', endless) }], { name: text })).toBe(false);
    expect(accepts([{ include: regex('span.k', endless) }], { attributes: [['k', text]] })).toBe(false);
    expect(accepts([{ include: regex('resource.k', endless) }], {}, [['k', text.replace('!', '')]])).toBe(true);
  });

  test('gives the same answer for the same text each time', () => {
    for (let i = 0; i < 3; i++) expect(accepts([{ include: regex('name', 'GET') }], { name: 'GET GET' })).toBe(true);
  });
});
