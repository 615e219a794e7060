import { describe, expect, it } from 'vitest';
import {
  createSeries,
  LabelError,
  type LabelPair,
  type Metadata,
  NAME_TRANSLATIONS,
  type NameTranslation,
  translateLabelName,
  translateLabels,
  translateMetricName,
  translateSeries,
  translateUnit,
} from '../../src/index.ts';
import { LABEL_NAMES, METRIC_NAMES } from './golden.ts';

const UNDERSCORES = 'UnderscoreEscapingWithSuffixes';

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(LabelError);
    return (error as LabelError).code;
  }
  return 'none';
}

function orNull(translate: () => string): string | null {
  try {
    return translate();
  } catch (error) {
    expect(error).toMatchObject({ name: 'LabelError', code: 'untranslatable_name' });
    return null;
  }
}

describe('metric names', () => {
  it.each(METRIC_NAMES)('%j in %j, a %s, are those of Prometheus', (name, unit, type, expected, unitWord) => {
    const names = NAME_TRANSLATIONS.map((translation) =>
      orNull(() => translateMetricName({ name, unit, type }, translation)),
    );
    expect(names).toEqual(expected);
    expect(translateUnit(unit, UNDERSCORES)).toBe(unitWord);
  });

  it('need neither unit nor type', () => {
    expect(NAME_TRANSLATIONS.map((translation) => translateMetricName({ name: 'a.b' }, translation))).toEqual([
      'a_b',
      'a_b',
      'a.b',
      'a.b',
    ]);
  });

  // Prometheus' translator takes the letter before the suffix away: su_total.
  it('lose a suffix only where it is a word of its own', () => {
    const counter = (name: string) => translateMetricName({ name, type: 'counter' }, 'NoUTF8EscapingWithSuffixes');
    expect(['subtotal', 'sub.total', 'sub total', 'total'].map(counter)).toEqual([
      'subtotal_total',
      'sub_total',
      'sub_total',
      'total_total',
    ]);
  });
});

describe('label names', () => {
  it.each(LABEL_NAMES)('%j become those of Prometheus', (name, escaped, untouched) => {
    const expected: Record<NameTranslation, string | null> = {
      UnderscoreEscapingWithSuffixes: escaped,
      UnderscoreEscapingWithoutSuffixes: escaped,
      NoUTF8EscapingWithSuffixes: untouched,
      NoTranslation: untouched,
    };
    for (const translation of NAME_TRANSLATIONS) {
      expect(orNull(() => translateLabelName(name, translation))).toBe(expected[translation]);
    }
  });
});

describe('labels', () => {
  it('that become one have their values joined in the order of the bytes of their keys', () => {
    const labels: LabelPair[] = [
      ['a.b', 'dot'],
      ['z', 'other'],
      ['a_b', 'underscore'],
      ['a-b', 'dash'],
      ['a\u{1f600}b', 'face'],
    ];
    const expected = [
      ['a_b', 'dash;dot;underscore;face'],
      ['z', 'other'],
    ];
    expect(translateLabels(labels, UNDERSCORES)).toEqual(expected);
    expect(translateLabels(labels.toReversed(), UNDERSCORES)).toEqual(expected);
    expect(translateLabels(labels, 'NoTranslation')).toHaveLength(5);
  });

  it('never hide a name given twice or an empty value in another value', () => {
    const pairs = (...labels: LabelPair[]) => codeOf(() => translateLabels(labels, UNDERSCORES));
    expect(pairs(['a.b', '1'], ['a.b', '2'])).toBe('duplicate_name');
    expect(pairs(['a.b', ''], ['a_b', '2'])).toBe('empty_value');
    expect(pairs(['', '1'])).toBe('untranslatable_name');
  });
});

describe('a series', () => {
  const translated = (labels: LabelPair[], metadata?: Metadata, translation: NameTranslation = UNDERSCORES) => {
    const named = translateSeries(labels, metadata, translation);
    return { series: createSeries(named.labels, named.metadata), ...named };
  };

  it('has the name, labels, unit and family of Prometheus', () => {
    const { series, metadata } = translated(
      [
        ['http.method', 'GET'],
        ['__name__', 'http.requests'],
      ],
      { type: 'counter', help: 'All.', unit: 'By' },
    );
    expect(series.labels).toEqual([
      ['__name__', 'http_requests_bytes_total'],
      ['http_method', 'GET'],
    ]);
    expect(metadata).toEqual({ type: 'counter', help: 'All.', unit: 'bytes', family: 'http_requests_bytes_total' });
  });

  it.each<[string, Metadata, string, string]>([
    ['a.latency_bucket', { type: 'histogram', unit: 's' }, 'a_latency_seconds_bucket', 'a_latency_seconds'],
    ['a.latency_sum', { type: 'summary', unit: 'ms' }, 'a_latency_milliseconds_sum', 'a_latency_milliseconds'],
    ['a.latency', { type: 'histogram', unit: 's' }, 'a_latency_seconds', 'a_latency_seconds'],
    ['a_gcount', { type: 'gaugehistogram', unit: 's' }, 'a_seconds_gcount', 'a_seconds'],
    ['page_count', { type: 'histogram', unit: 's', family: 'page_count' }, 'page_count_seconds', 'page_count_seconds'],
    ['page_count_sum', { type: 'histogram', family: 'page_count' }, 'page_count_sum', 'page_count'],
    ['other', { type: 'histogram', unit: 's', family: 'page_count' }, 'other_seconds', 'other_seconds'],
    ['a_count', { type: 'gauge', unit: 's' }, 'a_count_seconds', 'a_count_seconds'],
  ])('%s keeps its part of the family at the end', (name, metadata, expected, family) => {
    const { series } = translated([['__name__', name]], metadata);
    expect(series.labels[0]![1]).toBe(expected);
    expect(series.metadata!.family).toBe(family);
  });

  it('needs no metadata, and has none then', () => {
    const { series, metadata } = translated([['__name__', 'a.b']]);
    expect([series.labels, metadata]).toEqual([[['__name__', 'a_b']], undefined]);
  });

  it('stays as it is without translation', () => {
    const { series } = translated(
      [
        ['__name__', 'a.b'],
        ['c.d', '1'],
      ],
      { type: 'counter', unit: 's' },
      'NoTranslation',
    );
    expect(series.labels).toEqual([
      ['__name__', 'a.b'],
      ['c.d', '1'],
    ]);
  });

  it('is refused if it has no name, two of them, or a label that becomes one', () => {
    const code = (...labels: LabelPair[]) => codeOf(() => translated(labels));
    expect(code(['a', '1'])).toBe('no_metric_name');
    expect(code(['__name__', 'a'], ['__name__', 'b'])).toBe('duplicate_name');
    expect(code(['__name__', 'a'], ['..name..', 'b'])).toBe('duplicate_name');
    expect(code(['__name__', '%'])).toBe('untranslatable_name');
  });
});
