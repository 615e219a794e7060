// Resources as info metrics: which labels they have, and how often they are said.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fold } from '../../src/fold/index.ts';
import { compactLabels, encodeLabelSet } from '../../src/processors/label-set.ts';
import { makeSchema, seriesLabels, seriesOf } from '../../src/registry/index.ts';
import { imageOf, seriesOfImage } from '../fold/series.ts';
import { type Changes, settingsWith } from '../fold/settings.ts';
import { type Attributes, plainSpan, requestBytes } from '../fold/spans.ts';
import { encode } from '../otlp/otlp-proto.ts';

const T = Date.UTC(2026, 0, 1);
const NS = BigInt(T) * 1_000_000n;
const text = (s: string) => new TextEncoder().encode(s);

function foldWith(changes: Changes['spanMetrics'] = {}): Fold {
  const settings = settingsWith({
    processors: ['span-metrics-count'],
    spanMetrics: { enableTargetInfo: true, ...changes },
  });
  return new Fold({ settingsOf: () => settings, originMs: T });
}

function infos(fold: Fold): Record<string, string>[] {
  return [...seriesOfImage(imageOf(fold.everything(T))).keys()]
    .filter((key) => key.startsWith('traces_target_info'))
    .map((key) => Object.fromEntries(JSON.parse(key.slice('traces_target_info'.length))));
}

function infoOf(resource: Attributes, changes: Changes['spanMetrics'] = {}): Record<string, string>[] {
  const fold = foldWith(changes);
  fold.push('t', T, T, requestBytes([{ resource, spans: [plainSpan({ startNs: NS, endNs: NS })] }]), false);
  return infos(fold);
}

describe('target info', () => {
  test('has every other attribute of the resource, sanitized, with job and instance', () => {
    expect(
      infoOf([
        ['service.name', 'api'],
        ['service.namespace', 'shop'],
        ['service.instance.id', 'i1'],
        ['host.name', 'h'],
        ['9lives', 'dropped'],
        ['', 'dropped'],
        ['job', 'j'],
        ['span.name', 's'],
        ['empty', ''],
        ['count', 7n],
        ['a-b', 'first'],
        ['a.b', 'last wins'],
      ]),
    ).toEqual([
      { __job: 'j', __span_name: 's', a_b: 'last wins', count: '7', host_name: 'h', instance: 'i1', job: 'shop/api' },
    ]);
  });

  test.each<[string, Attributes, Changes['spanMetrics'], number]>([
    [
      'there is nothing but job and instance',
      [
        ['service.name', 'api'],
        ['service.instance.id', 'i'],
      ],
      {},
      0,
    ],
    ['there is neither job nor instance', [['host.name', 'h']], {}, 0],
    [
      'the name is empty',
      [
        ['service.name', ''],
        ['host.name', 'h'],
      ],
      {},
      0,
    ],
    [
      'there is an instance only',
      [
        ['service.instance.id', 'i'],
        ['host.name', 'h'],
      ],
      {},
      1,
    ],
    [
      'there is an instance only, and it is off',
      [
        ['service.instance.id', 'i'],
        ['host.name', 'h'],
      ],
      { enableInstanceLabel: false },
      0,
    ],
    [
      'all others are excluded',
      [
        ['service.name', 'a'],
        ['host.name', 'h'],
      ],
      { targetInfoExcludedDimensions: ['host.name'] },
      0,
    ],
    [
      'all others are empty',
      [
        ['service.name', 'a'],
        ['host.name', ''],
      ],
      {},
      0,
    ],
    [
      'another is there',
      [
        ['service.name', 'a'],
        ['host.name', 'h'],
      ],
      {},
      1,
    ],
  ])('where %s', (_, resource, changes, count) => {
    expect(infoOf(resource, changes)).toHaveLength(count);
  });

  test('counts each byte of a key that is no UTF-8 as one character of the label name, and keeps a byte order mark', () => {
    const keys: [Uint8Array, string][] = [
      [Uint8Array.of(0x61, 0xe2, 0x82, 0x62), 'a__b'],
      [Uint8Array.of(0x61, 0xff, 0xc3, 0xa9, 0x62), 'a__b'],
      [Uint8Array.of(0x61, 0xf0, 0x9f, 0x98, 0x80, 0xff), 'a__'],
      [text('\ufeffx'), '_x'],
      [text('é😀x'), '__x'],
    ];
    for (const [key, name] of keys) {
      const attributes = [
        { key: text('service.name'), value: { stringValue: text('api') } },
        { key, value: { stringValue: text('v') } },
      ];
      const spans = [{ endTimeUnixNano: NS, startTimeUnixNano: NS }];
      const fold = foldWith();
      fold.push(
        't',
        T,
        T,
        encode('Request', { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] }),
        false,
      );
      expect(infos(fold)).toEqual([{ [name]: 'v', job: 'api' }]);
    }
  });

  test('that is no UTF-8 is counted once for each span, and its spans still count', () => {
    const attributes = [
      { key: text('service.name'), value: { stringValue: text('api') } },
      { key: text('bad'), value: { stringValue: Uint8Array.of(0xc3) } },
    ];
    const span = { endTimeUnixNano: NS, startTimeUnixNano: NS };
    const fold = foldWith();
    fold.push(
      't',
      T,
      T,
      encode('Request', { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span, span, span] }] }] }),
      false,
    );
    expect(infos(fold)).toEqual([]);
    expect(fold.tenant('t').counters.discarded.get('invalid_utf8 span-metrics')).toBe(3);
    expect([...seriesOfImage(imageOf(fold.everything(T))).values()]).toEqual([3]);
  });

  test('is said for a resource only where one of its spans counts', () => {
    const fold = foldWith({
      filterPolicies: [{ exclude: { matchType: 'strict', attributes: [{ key: 'name', value: 'no' }] } }],
    });
    const push = (name: string, host: string) =>
      fold.push(
        't',
        T,
        T,
        requestBytes([
          {
            resource: [
              ['service.name', 'a'],
              ['host.name', host],
            ],
            spans: [plainSpan({ name, startNs: NS, endNs: NS })],
          },
        ]),
        false,
      );
    push('no', 'h1');
    push('yes', 'h2');
    expect(infos(fold).map((labels) => labels['host_name'])).toEqual(['h2']);
  });

  test('stays while spans with its resource come', () => {
    const fold = foldWith();
    const bytes = (ms: number) => {
      const ns = BigInt(T + ms) * 1_000_000n;
      return requestBytes([
        {
          resource: [
            ['service.name', 'a'],
            ['host.name', 'h'],
          ],
          spans: [plainSpan({ startNs: ns, endNs: ns })],
        },
      ]);
    };
    for (let ms = 0; ms <= 3_600_000; ms += 300_000) {
      fold.advance(T + ms);
      fold.push('t', T + ms, T + ms, bytes(ms), false);
      expect(infos(fold)).toHaveLength(1);
    }
  });
});

describe('a free label set', () => {
  const value = fc.string({ unit: fc.constantFrom('a', '0', '1', '\u0000', '\u0001', 'é', '"', '\n') });

  test('comes back from its encoding as it was, whatever the values hold', () => {
    const schema = { ...makeSchema('t', ['*'], [{ kind: 'gauge', metric: 'info' }], {}, 'x'), freeLabels: true };
    const spec = seriesOf(schema)[0]!;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b_c', '_', 'Z9'), value), { maxLength: 6 }), (pairs) => {
        const wanted = new Map<string, string>(pairs);
        for (const [name, v] of wanted) if (v === '') wanted.delete(name);
        const labels = compactLabels(
          pairs.map(([name, v]) => [name, text(v)]),
          0,
          0,
        );
        const row = [Buffer.from(encodeLabelSet(labels)).toString('utf8')];
        const read = seriesLabels(schema, row, false, spec, {});
        read.delete('__name__');
        expect(new Map(read)).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  test('is cut by bytes, last one wins, sorted by name', () => {
    expect(
      compactLabels(
        [
          ['longname', text('x')],
          ['b', text('éé')],
          ['longer', text('wins')],
          ['a', text('')],
        ],
        4,
        3,
      ),
    ).toEqual([
      ['b', text('éé').subarray(0, 3)],
      ['long', text('win')],
    ]);
  });
});
