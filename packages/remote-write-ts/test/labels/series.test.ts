import { describe, expect, it } from 'vitest';
import {
  createExemplar,
  createSeries,
  encodeExemplarLabels,
  encodeLabels,
  LabelError,
  METRIC_TYPES,
} from '../../src/index.ts';

describe('a series', () => {
  it('is the same whatever the order of its labels', () => {
    const a = createSeries([
      ['__name__', 'm'],
      ['b', '2'],
      ['a', '1'],
    ]);
    const b = createSeries([
      ['a', '1'],
      ['b', '2'],
      ['__name__', 'm'],
    ]);
    expect(a).toEqual(b);
    expect(a.labels.map(([name]) => name)).toEqual(['__name__', 'a', 'b']);
    expect(a.labelBytes).toEqual(
      encodeLabels([
        ['a', '1'],
        ['b', '2'],
        ['__name__', 'm'],
      ]),
    );
    expect(a.symbols.map(({ text }) => text)).toEqual(['__name__', 'm', 'a', '1', 'b', '2']);
  });

  it('shares its strings with others', () => {
    const a = createSeries(
      [
        ['__name__', 'm'],
        ['a', '1'],
      ],
      { type: 'gauge', help: 'H' },
    );
    const b = createSeries(
      [
        ['__name__', 'n'],
        ['a', '1'],
      ],
      { type: 'gauge', help: 'H' },
    );
    expect(a.symbols[2]).toBe(b.symbols[2]);
    expect(a.metadata!.help).toBe(b.metadata!.help);
  });

  it('has a hash that is the same in every process, and spreads', () => {
    // FNV-1a of the label bytes, computed apart.
    expect(createSeries([['__name__', 'a']]).hash).toBe(0x8492fdb3);
    const shards = new Map<number, number>();
    for (let i = 0; i < 8_000; i++) {
      const shard =
        createSeries([
          ['__name__', 'm'],
          ['i', String(i)],
        ]).hash % 8;
      shards.set(shard, (shards.get(shard) ?? 0) + 1);
    }
    for (const count of shards.values()) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });

  it.each(METRIC_TYPES)('of type %s belongs to the family of its name', (type) => {
    const family = (name: string) => createSeries([['__name__', name]], { type }).metadata!.family;
    const isHistogram = type === 'histogram';
    expect(family('m_bucket')).toBe(isHistogram || type === 'gaugehistogram' ? 'm' : 'm_bucket');
    expect(family('m_sum')).toBe(isHistogram || type === 'summary' ? 'm' : 'm_sum');
    expect(family('m_gcount')).toBe(type === 'gaugehistogram' ? 'm' : 'm_gcount');
    expect(family('m_total')).toBe('m_total');
    expect(createSeries([['__name__', 'm_sum']], { type, family: 'own' }).metadata!.family).toBe('own');
  });

  it('is refused with labels or metadata that cannot be sent', () => {
    expect(() => createSeries([['a', 'b']])).toThrow(LabelError);
    expect(() =>
      createSeries([
        ['__name__', 'm'],
        ['a', ''],
      ]),
    ).toThrow(LabelError);
    expect(() => createSeries([['__name__', 'm']], { type: 'gauge', help: '\ud800' })).toThrow(LabelError);
  });
});

it('refuses a type that is none: no receiver could read a request with it', () => {
  for (const type of ['Counter', '', undefined, null]) {
    expect(() => createSeries([['__name__', 'm']], { type } as never)).toThrow(
      expect.objectContaining({ name: 'LabelError', code: 'unknown_type' }),
    );
  }
});

describe('an exemplar', () => {
  it('has its labels sorted, for either protocol', () => {
    const exemplar = createExemplar(
      [
        ['trace_id', 't'],
        ['span_id', 's'],
      ],
      0.5,
      7,
    );
    expect(exemplar.pairs).toEqual([
      ['span_id', 's'],
      ['trace_id', 't'],
    ]);
    expect(exemplar.labels).toEqual(
      encodeExemplarLabels([
        ['trace_id', 't'],
        ['span_id', 's'],
      ]),
    );
    expect(() => createExemplar([['trace_id', 'x'.repeat(121)]], 1, 7)).toThrow(LabelError);
  });
});
