import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeExemplarLabels,
  encodeLabels,
  LabelError,
  type LabelErrorCode,
  type LabelPair,
} from '../../src/index.ts';
import { protoExemplar, protoSeries } from '../wire/proto.ts';

const nonEmpty = fc.string({ unit: 'binary', minLength: 1, maxLength: 200 });
const labelSet = fc
  .uniqueArray(fc.tuple(nonEmpty, nonEmpty), { selector: ([name]) => name, maxLength: 12 })
  .map((pairs): LabelPair[] => [...pairs.filter(([name]) => name !== '__name__'), ['__name__', 'calls_total']]);

function codeOf(encode: () => unknown): LabelErrorCode | undefined {
  try {
    encode();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(LabelError);
    return (error as LabelError).code;
  }
}

describe('encoding the labels of a series', () => {
  it('gives bytes that an independent decoder reads as the same labels, sorted by the bytes of the name', () => {
    fc.assert(
      fc.property(labelSet, (labels) => {
        const expected = labels
          .map(([name, value]) => ({ name, value }))
          .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
        expect(protoSeries(encodeLabels(labels)).labels).toEqual(expected);
      }),
    );
  });

  it('gives the same bytes for every order of the input, and leaves the input alone', () => {
    fc.assert(
      fc.property(
        labelSet.chain((labels) =>
          fc.tuple(
            fc.constant(labels),
            fc.shuffledSubarray(labels, { minLength: labels.length, maxLength: labels.length }),
          ),
        ),
        ([labels, shuffled]) => {
          const before = structuredClone(shuffled);
          expect(encodeLabels(shuffled)).toEqual(encodeLabels(labels));
          expect(shuffled).toEqual(before);
        },
      ),
    );
  });

  it('writes the exact bytes of the protobuf encoding', () => {
    const bytes = encodeLabels([
      ['a', 'é'],
      ['__name__', 'x'],
    ]);
    expect(Buffer.from(bytes).toString('hex')).toBe(
      `0a0d0a08${Buffer.from('__name__').toString('hex')}1201780a070a01611202c3a9`,
    );
  });

  it('takes lengths that need two and three bytes', () => {
    for (const length of [127, 128, 16_383, 16_384, 100_000]) {
      const value = 'v'.repeat(length);
      const { labels } = protoSeries(encodeLabels([['__name__', value]]));
      expect(labels).toEqual([{ name: '__name__', value }]);
    }
  });

  it('refuses each kind of bad label set by its code', () => {
    const name: LabelPair = ['__name__', 'x'];
    expect(codeOf(() => encodeLabels([]))).toBe('no_metric_name');
    expect(codeOf(() => encodeLabels([['job', 'a']]))).toBe('no_metric_name');
    expect(codeOf(() => encodeLabels([name, ['', 'a']]))).toBe('empty_name');
    expect(codeOf(() => encodeLabels([name, ['a', '']]))).toBe('empty_value');
    expect(codeOf(() => encodeLabels([['__name__', '']]))).toBe('empty_value');
    expect(codeOf(() => encodeLabels([name, ['a', '1'], ['b', '2'], ['a', '3']]))).toBe('duplicate_name');
    expect(codeOf(() => encodeLabels([name, ['a', '\ud800']]))).toBe('not_unicode');
    expect(codeOf(() => encodeLabels([name, ['\udc00', 'a']]))).toBe('not_unicode');
    expect(codeOf(() => encodeLabels([name, ['a', '1']]))).toBeUndefined();
  });

  it('names the label in the message but not its value', () => {
    expect(() =>
      encodeLabels([
        ['__name__', 'x'],
        ['token', 'hidden'],
        ['token', 'hidden too'],
      ]),
    ).toThrow(/^label "token" is given twice$/);
  });
});

describe('encoding the labels of an exemplar', () => {
  it('needs no metric name, and allows no label at all', () => {
    expect(protoExemplar(encodeExemplarLabels([['trace_id', 'abc']])).labels).toEqual([
      { name: 'trace_id', value: 'abc' },
    ]);
    expect(encodeExemplarLabels([])).toHaveLength(0);
  });

  it('counts characters, not bytes or UTF-16 units, and allows 128', () => {
    expect(codeOf(() => encodeExemplarLabels([['k', '\u{1f600}'.repeat(127)]]))).toBeUndefined();
    expect(codeOf(() => encodeExemplarLabels([['k', '\u{1f600}'.repeat(128)]]))).toBe('exemplar_too_long');
  });

  it('refuses what is refused for a series', () => {
    expect(
      codeOf(() =>
        encodeExemplarLabels([
          ['a', '1'],
          ['a', '1'],
        ]),
      ),
    ).toBe('duplicate_name');
    expect(codeOf(() => encodeExemplarLabels([['a', '']]))).toBe('empty_value');
  });
});
