import { describe, expect, it } from 'vitest';
import { createExemplar, createSeries, type LabelPair, type Series, WriteRequestV2Builder } from '../../src/index.ts';
import { protoLabels, protoRequestV2 } from './proto.ts';

const NOW_MS = 1_700_000_000_000;

function series(name: string, ...labels: LabelPair[]): Series {
  return createSeries([['__name__', name], ...labels], { type: 'counter', help: 'Help.' });
}

/** The labels of each series as they are read, and that no string is in the table twice. */
function read(builder: WriteRequestV2Builder): string[] {
  const request = protoRequestV2(builder.uncompressed());
  expect(request.symbols[0]).toBe('');
  expect(new Set(request.symbols).size).toBe(request.symbols.length);
  return request.timeseries.map(({ labels_refs, metadata }) => {
    expect(request.symbols[metadata!.help_ref]).toBe('Help.');
    expect(request.symbols[metadata!.unit_ref]).toBe('');
    return protoLabels(request, labels_refs)
      .map(({ name, value }) => `${name}=${value}`)
      .join();
  });
}

describe('the strings of a 2.0 request', () => {
  it('keep their places when other requests with the same strings are made in between, of either age', () => {
    const older = new WriteRequestV2Builder();
    const builder = new WriteRequestV2Builder();
    const a = series('a_total', ['zone', 'x'], ['shop', 'y']);
    const b = series('b_total', ['zone', 'y'], ['shop', 'x']);
    const c = series('c_total', ['zone', 'x'], ['shop', 'z']);
    builder.addSample(a, 1, NOW_MS);
    older.addSample(c, 1, NOW_MS);
    builder.addSample(b, 1, NOW_MS);
    older.addSample(a, 1, NOW_MS);
    builder.addSample(c, 1, NOW_MS);
    builder.addSample(a, 1, NOW_MS);
    older.addSample(b, 1, NOW_MS);
    const [inA, inB, inC] = ['a_total,shop=y,zone=x', 'b_total,shop=x,zone=y', 'c_total,shop=z,zone=x'].map(
      (labels) => `__name__=${labels}`,
    );
    expect(read(builder)).toEqual([inA, inB, inC, inA]);
    expect(read(older)).toEqual([inC, inA, inB]);
  });

  it('start anew with each request, also when another one was made meanwhile', () => {
    const builder = new WriteRequestV2Builder();
    const other = new WriteRequestV2Builder();
    const a = series('a_total', ['zone', 'x']);
    const b = series('b_total', ['zone', 'y']);
    builder.addSample(a, 1, NOW_MS);
    other.addSample(b, 1, NOW_MS);
    builder.reset();
    builder.addSample(b, 1, NOW_MS);
    builder.addSample(a, 1, NOW_MS);
    expect(read(builder)).toEqual(['__name__=b_total,zone=y', '__name__=a_total,zone=x']);
  });

  it('are shared by series and exemplars, whichever come first', () => {
    for (const isExemplarFirst of [false, true]) {
      const builder = new WriteRequestV2Builder();
      const exemplars = [
        createExemplar(
          [
            ['trace_id', 'x'],
            ['zone', 'Help.'],
          ],
          1,
          NOW_MS,
        ),
      ];
      const a = series('a_total', ['trace_id', 'zone']);
      const b = series('b_total', ['zone', 'x']);
      const c = series('c_total', ['trace_id', 'x'], ['empty', 'a_total']);
      builder.addSample(isExemplarFirst ? b : a, 1, NOW_MS, { exemplars });
      builder.addSample(isExemplarFirst ? a : b, 1, NOW_MS);
      builder.addSample(c, 1, NOW_MS, { exemplars });
      expect(read(builder).sort()).toEqual([
        '__name__=a_total,trace_id=zone',
        '__name__=b_total,zone=x',
        '__name__=c_total,empty=a_total,trace_id=x',
      ]);
      const request = protoRequestV2(builder.uncompressed());
      const last = request.timeseries[2]!.exemplars[0]!;
      expect(protoLabels(request, last.labels_refs)).toEqual([
        { name: 'trace_id', value: 'x' },
        { name: 'zone', value: 'Help.' },
      ]);
    }
  });

  it('are found at places of one, two and three bytes', () => {
    const builder = new WriteRequestV2Builder();
    const many = Array.from({ length: 17_000 }, (_, i) => series(`m${i}_total`, ['index', `i${i}`]));
    for (const one of many) builder.addSample(one, 1, NOW_MS);
    expect(read(builder)).toEqual(many.map((_, i) => `__name__=m${i}_total,index=i${i}`));
  });
});

describe('a 2.0 series', () => {
  it('may be longer than 127 bytes, and than 16,383, and so may its references and its exemplars', () => {
    for (const count of [20, 70, 300, 6_000]) {
      const labels = Array.from({ length: count }, (_, i): LabelPair => [`l${String(i).padStart(5, '0')}`, `v${i}`]);
      const exemplars = Array.from({ length: 20 }, (_, i) =>
        createExemplar(
          Array.from({ length: 20 }, (_, k): LabelPair => [`e${k}`, `${i % 10}`]),
          i,
          NOW_MS,
        ),
      );
      const builder = new WriteRequestV2Builder(16);
      builder.addSample(series('long_total', ...labels), 1, NOW_MS, { exemplars, startMs: 5 });
      builder.addSample(series('next_total'), 2, NOW_MS);
      expect(read(builder)).toEqual([
        ['__name__=long_total', ...labels.map(([name, value]) => `${name}=${value}`)].join(),
        '__name__=next_total',
      ]);
      const request = protoRequestV2(builder.uncompressed());
      const [long] = request.timeseries;
      expect(long!.exemplars.map(({ value }) => value)).toEqual(exemplars.map(({ value }) => value));
      expect(protoLabels(request, long!.exemplars[19]!.labels_refs)).toHaveLength(20);
      expect(long!.samples[0]!.start_timestamp).toBe('5');
    }
  });
});
