import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareUtf8,
  createSeries,
  decodeWriteRequest,
  decodeWriteRequestV2,
  encodeLabels,
  LabelError,
  type LabelPair,
  type Series,
  WriteRequestBuilder,
  WriteRequestV2Builder,
} from '../../src/index.ts';

const NOW_MS = 1_700_000_000_000;

function sentAsV2(series: readonly Series[]): Uint8Array {
  const builder = new WriteRequestV2Builder();
  for (const one of series) builder.addSample(one, 1, NOW_MS);
  return builder.uncompressed();
}

function sentAsV1(series: readonly Series[]): Uint8Array {
  const builder = new WriteRequestBuilder();
  for (const one of series) builder.addSample(one, 1, NOW_MS);
  return builder.uncompressed();
}

function sorted(labels: readonly LabelPair[]): LabelPair[] {
  return [...labels].sort(([a], [b]) => compareUtf8(a, b));
}

/** Labels with a name and a value each that no other has. */
function distinctLabels(count: number): LabelPair[] {
  const own = Array.from({ length: count - 1 }, (_, i): LabelPair => [`n${i}`, `v${i}`]);
  return [['__name__', 'm'], ...own];
}

function expectIntact(series: Series, labels: readonly LabelPair[]): void {
  const expected = sorted(labels);
  expect(series.labels).toEqual(expected);
  expect(Buffer.compare(series.labelBytes, encodeLabels(labels))).toBe(0);
  expect(series.symbols.map(({ text }) => text)).toEqual(expected.flat());
}

describe('a series', () => {
  it('gives back its labels, their bytes and their strings, however many others are made and sent meanwhile', () => {
    // From few strings, so that names and values are shared in all ways; and of such whose bytes could be taken for others'.
    const text = fc.oneof(
      fc.constantFrom('a', 'b', 'ab', 'a\x12\x01b', '\x12', 'Ж', '🙂', 'x'.repeat(200)),
      fc.string({ unit: 'binary', minLength: 1 }),
    );
    const sets = fc
      .tuple(fc.uniqueArray(text, { maxLength: 6 }), fc.array(text, { minLength: 7, maxLength: 7 }))
      .map(([names, values]): LabelPair[] => [
        ['__name__', values[6]!],
        ...names.filter((name) => name !== '__name__').map((name, i): LabelPair => [name, values[i]!]),
      ]);
    const all: [Series, LabelPair[]][] = [];
    fc.assert(
      fc.property(fc.array(fc.tuple(sets, fc.boolean()), { maxLength: 20 }), (some) => {
        const made = some.map(([labels, isSent]) => ({ labels, isSent, series: createSeries(labels) }));
        sentAsV2(made.filter(({ isSent }) => isSent).map(({ series }) => series));
        for (const { series, labels } of made) {
          expectIntact(series, labels);
          all.push([series, labels]);
        }
      }),
    );
    for (const [series, labels] of all) expectIntact(series, labels);
  });

  it('is not taken for one whose names and values are the same bytes, parted at another place', () => {
    const one = createSeries([
      ['__name__', 'm'],
      ['x', 'y\x12\x01z'],
    ]);
    const other = createSeries([
      ['__name__', 'm'],
      ['x\x12\x04y', 'z'],
    ]);
    const { timeseries } = decodeWriteRequestV2(sentAsV2([one, other]));
    expect(timeseries.map(({ labels }) => labels[1])).toEqual([
      ['x', 'y\x12\x01z'],
      ['x\x12\x04y', 'z'],
    ]);
  });

  it('may have any number of labels: some share memory, others have their own', () => {
    const counts = [1, 8, 255, 510, 511, 512, 1000, 20_000, 70_000];
    const sets = counts.map(distinctLabels);
    const large = sets.map((labels) => createSeries(labels));
    // Small ones before, between and after them.
    const small = () => createSeries([['__name__', 'small']]);
    const series = large.flatMap((one) => [small(), one, small()]);
    const { timeseries } = decodeWriteRequestV2(sentAsV2(series));
    for (const [i, labels] of sets.entries()) {
      expect(timeseries[3 * i]!.labels).toEqual([['__name__', 'small']]);
      expect(timeseries[3 * i + 1]!.labels).toEqual(sorted(labels));
      expect(timeseries[3 * i + 2]!.labels).toEqual([['__name__', 'small']]);
      expectIntact(large[i]!, labels);
    }
    expect(decodeWriteRequest(sentAsV1(large)).timeseries.map(({ labels }) => labels)).toEqual(sets.map(sorted));
  });

  it('may have a value that is longer than a mebibyte', () => {
    const labels: LabelPair[] = [
      ['__name__', 'm'],
      ['long', 'ж'.repeat(1 << 20)],
    ];
    const series = createSeries(labels);
    expectIntact(series, labels);
    expect(decodeWriteRequest(sentAsV1([series])).timeseries[0]!.labels).toEqual(labels);
    expect(decodeWriteRequestV2(sentAsV2([series])).timeseries[0]!.labels).toEqual(labels);
  });

  it("hands out bytes that are the asker's own", () => {
    const labels: LabelPair[] = [['__name__', 'calls_total']];
    const series = createSeries(labels);
    series.labelBytes.fill(0);
    expectIntact(series, labels);
    expect(series.labelBytes.constructor).toBe(Uint8Array);
  });

  it('equals another of the same labels and metadata, whichever of them has been sent, and no other', () => {
    const make = (name: string) => createSeries([['__name__', name]], { type: 'counter' });
    const a = make('a_total');
    sentAsV2([a]);
    expect(a).toEqual(make('a_total'));
    expect(a).not.toEqual(make('b_total'));
    expect(a).not.toEqual(createSeries([['__name__', 'a_total']]));
  });
});

describe('a series of another making', () => {
  const labels: LabelPair[] = [
    ['zone', 'x'],
    ['__name__', 'a_total'],
  ];
  const own = createSeries(labels, { type: 'counter', help: 'Help.', unit: 's', family: 'a' });

  // What another copy of this package, or a test, may bring along.
  const text = (of: string) => ({ text: of, bytes: Buffer.from(of), epoch: 1, ref: 77 });
  const made: Series = {
    labels,
    labelBytes: encodeLabels(labels),
    symbols: ['__name__', 'a_total', 'zone', 'x'].map(text),
    metadata: { family: 'a', type: 1, help: text('Help.'), unit: text('s') },
    hash: 1,
  };

  it.each([
    ['a plain object', made],
    ['a proxy', new Proxy(own, {})],
    ['an heir', Object.create(own) as Series],
  ])('is sent as one of `createSeries` is: %s', (_, series) => {
    for (const sent of [sentAsV1, sentAsV2]) {
      expect(Buffer.compare(sent([series, series]), sent([own, own]))).toBe(0);
    }
  });

  it('is refused like one of `createSeries` is, and leaves the request as it was', () => {
    const wrong = { ...made, labels: [['zone', 'x']] as LabelPair[] };
    const v1 = new WriteRequestBuilder();
    const v2 = new WriteRequestV2Builder();
    for (const builder of [v1, v2]) {
      builder.addSample(own, 1, NOW_MS);
      const before = Buffer.from(builder.uncompressed());
      expect(() => builder.addSample(wrong, 1, NOW_MS)).toThrow(LabelError);
      expect(() => builder.addSample(wrong, 1, NOW_MS + 1)).toThrow(LabelError);
      expect(Buffer.compare(builder.uncompressed(), before)).toBe(0);
      expect(builder.sampleCount).toBe(1);
    }
  });
});

describe('memory', () => {
  const collect = (() => {
    setFlagsFromString('--expose_gc');
    return runInNewContext('gc') as () => void;
  })();

  async function usedBytes(): Promise<number> {
    // What nobody holds goes in steps: a collection, then its clean-up, then what only the clean-up held.
    for (let i = 0; i < 5; i++) {
      collect();
      await new Promise(setImmediate);
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  const labelsOf = (i: number): LabelPair[] => [
    ['__name__', 'calls_total'],
    ['service', `service-${i % 20}`],
    ['span_name', `GET /api/v2/resource/${Math.floor(i / 14)}/items`],
    ['zone', `zone-${i % 7}`],
    ['instance', `${i % 97}`],
    ['kind', i % 2 === 0 ? 'client' : 'server'],
    ['code', `${i % 11}`],
    ['le', String(2 ** (i % 14))],
  ];

  it('of a series is less than 200 bytes beside its labels, also once it has been sent, and is given back', async () => {
    const count = 20_000;
    const held: Series[] = [];
    const send = (some: readonly Series[]) => [sentAsV1(some), sentAsV2(some)].length;
    send([createSeries(labelsOf(0))]);
    const before = await usedBytes();
    let labelBytes = 0;
    for (let i = 0; i < count; i++) {
      held.push(createSeries(labelsOf(i)));
      labelBytes += encodeLabels(labelsOf(i)).length;
    }
    expect(((await usedBytes()) - before - labelBytes) / count).toBeLessThan(200);
    send(held);
    expect(((await usedBytes()) - before - labelBytes) / count).toBeLessThan(200);
    // One of a thousand stays. What it shared with those that are gone, it keeps: no more than some kilobytes.
    const rest = held.filter((_, i) => i % 1000 === 0);
    held.length = 0;
    expect((await usedBytes()) - before).toBeLessThan(1 << 20);
    for (const [i, series] of rest.entries()) expectIntact(series, labelsOf(i * 1000));
    expect(decodeWriteRequestV2(sentAsV2(rest)).timeseries.map(({ labels }) => labels)).toEqual(
      rest.map((_, i) => sorted(labelsOf(i * 1000))),
    );
  });
});
