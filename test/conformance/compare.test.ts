// The comparison of golden cases is worth as much as what it notices: each rule here has a case that must differ.

import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { differences, type Expected, sameValue } from './compare.ts';

const EXPECTED: Expected = {
  common_labels: { __metrics_gen_instance: 'a' },
  collections: [
    {
      at_ms: 1000,
      series: [
        {
          labels: { __name__: 'calls', service: 'x' },
          type: 'sample',
          value: 3,
          init_zero_t_ms: -500,
          exemplars: [
            { labels: { traceID: 'ab' }, value: 0.5 },
            { labels: { traceID: 'ab' }, value: 0.25 },
            { labels: { traceID: 'cd' }, value: 0.25 },
          ],
        },
        { labels: { __name__: 'calls', service: 'y' }, type: 'sample', value: '+Inf' },
        {
          labels: { __name__: 'latency', service: 'x' },
          type: 'histogram',
          histogram: {
            count: 3,
            sum: 1.5,
            schema: 3,
            zero_threshold: 2.938735877055719e-39,
            zero_count: 1,
            positive_buckets: [
              { index: -4, count: 1 },
              { index: 2, count: 1 },
            ],
          },
          init_zero_t_ms: -500,
          init_zero_histogram: { count: 0, sum: 0, schema: 3, zero_threshold: 0, zero_count: 0 },
        },
      ],
    },
    { at_ms: 2000, series: [] },
  ],
  self_metrics: { metrics_generator_spans_received_total: 3, 'metrics_generator_spans_discarded_total{reason="r"}': 1 },
};

function changed(change: (expected: Expected) => void): Expected {
  const copy = structuredClone(EXPECTED);
  change(copy);
  return copy;
}

const first = (e: Expected) => e.collections![0]!.series[0]!;
const native = (e: Expected) => e.collections![0]!.series[2]!;

const NOTICED: [what: string, change: (e: Expected) => void][] = [
  ['a series that is missing', (e) => e.collections![0]!.series.pop()],
  ['a series that is too many', (e) => e.collections![1]!.series.push(first(e))],
  ['a series that is there twice', (e) => e.collections![0]!.series.push(first(e))],
  ['another label value', (e) => Object.assign(first(e).labels, { service: 'z' })],
  ['another label name', (e) => Object.assign(first(e), { labels: { __name__: 'calls', server: 'x' } })],
  ['a label more', (e) => Object.assign(first(e).labels, { extra: '' })],
  ['another type', (e) => Object.assign(first(e), { type: 'histogram' })],
  ['a value that is off by a millionth', (e) => Object.assign(first(e), { value: 3.000003 })],
  ['a value that is missing', (e) => Object.assign(first(e), { value: undefined })],
  ['an infinity that is a number', (e) => Object.assign(e.collections![0]!.series[1]!, { value: 5 })],
  ['an infinity of the other sign', (e) => Object.assign(e.collections![0]!.series[1]!, { value: '-Inf' })],
  ['a zero sample at another time', (e) => Object.assign(first(e), { init_zero_t_ms: -501 })],
  ['a zero sample that is missing', (e) => delete first(e).init_zero_t_ms],
  ['a zero sample that is too many', (e) => Object.assign(e.collections![0]!.series[1]!, { init_zero_t_ms: 0 })],
  ['exemplars that are missing', (e) => delete first(e).exemplars],
  ['an exemplar that is missing', (e) => first(e).exemplars!.pop()],
  ['an exemplar that is there twice', (e) => first(e).exemplars!.push(first(e).exemplars![0]!)],
  ['another trace id', (e) => Object.assign(first(e).exemplars![0]!.labels, { traceID: 'ef' })],
  ['another value of an exemplar', (e) => Object.assign(first(e).exemplars![1]!, { value: 0.26 })],
  ['another count of a histogram', (e) => Object.assign(native(e).histogram!, { count: 4 })],
  ['another sum of a histogram', (e) => Object.assign(native(e).histogram!, { sum: 1.6 })],
  ['another schema', (e) => Object.assign(native(e).histogram!, { schema: 2 })],
  ['another zero count', (e) => Object.assign(native(e).histogram!, { zero_count: 0 })],
  ['another zero threshold', (e) => Object.assign(native(e).histogram!, { zero_threshold: 3e-39 })],
  ['another bucket', (e) => Object.assign(native(e).histogram!.positive_buckets![1]!, { index: 3 })],
  ['a bucket that is missing', (e) => native(e).histogram!.positive_buckets!.pop()],
  ['a histogram that is missing', (e) => delete native(e).histogram],
  ['another zero histogram', (e) => Object.assign(native(e).init_zero_histogram!, { count: 1 })],
  ['a collection that is missing', (e) => e.collections!.pop()],
  ['a collection that is too many', (e) => e.collections!.push({ at_ms: 3000, series: [] })],
  ['a collection at another time', (e) => Object.assign(e.collections![1]!, { at_ms: 2001 })],
  ['a common label that is missing', (e) => Object.assign(e, { common_labels: {} })],
  ['a self metric that is missing', (e) => Object.assign(e, { self_metrics: {} })],
  ['another self metric', (e) => Object.assign(e.self_metrics!, { metrics_generator_spans_received_total: 4 })],
  ['a self metric too many', (e) => Object.assign(e.self_metrics!, { metrics_generator_registry_active_series: 1 })],
  ['a refusal', (e) => Object.assign(e, { error: 'refused' })],
];

const PASSED_OVER: [what: string, change: (e: Expected) => void][] = [
  ['the order of series', (e) => e.collections![0]!.series.reverse()],
  ['the order of labels', (e) => Object.assign(first(e), { labels: { service: 'x', __name__: 'calls' } })],
  ['the order of exemplars', (e) => first(e).exemplars!.reverse()],
  ['a rounding of the last bits', (e) => Object.assign(first(e), { value: 3 + 2e-15 })],
  ['a bucket that holds nothing', (e) => native(e).histogram!.positive_buckets!.push({ index: 9, count: 0 })],
  ['the host name', (e) => Object.assign(e.common_labels!, { __metrics_gen_instance: 'b' })],
  ['a self metric that is not promised', (e) => Object.assign(e.self_metrics!, { metrics_generator_other: 4 })],
];

describe('the comparison of a case', () => {
  test('finds nothing where both sides are the same', () => {
    expect(differences(EXPECTED, structuredClone(EXPECTED))).toEqual([]);
  });

  test.each(NOTICED)('notices %s', (_, change) => {
    expect(differences(EXPECTED, changed(change))).not.toEqual([]);
    expect(differences(changed(change), EXPECTED)).not.toEqual([]);
  });

  test.each(PASSED_OVER)('passes over %s', (_, change) => {
    expect(differences(EXPECTED, changed(change))).toEqual([]);
    expect(differences(changed(change), EXPECTED)).toEqual([]);
  });

  test('is content with a refusal where one is expected', () => {
    expect(differences({ error: 'a' }, { error: 'b' })).toEqual([]);
    expect(differences({ error: 'a' }, EXPECTED)).not.toEqual([]);
  });

  test('takes values as equal within a billionth of the larger one, or of 1', () => {
    expect(sameValue(1e12, 1e12 + 1_000)).toBe(true);
    expect(sameValue(1e12, 1e12 + 1_001)).toBe(false);
    expect(sameValue(0, 1e-9)).toBe(true);
    expect(sameValue(0, 1.1e-9)).toBe(false);
    expect(sameValue('NaN', 'NaN')).toBe(true);
    expect(sameValue('NaN', 0)).toBe(false);
  });
});

describe('the golden cases themselves', () => {
  const root = new URL('./generator/', import.meta.url);
  const names = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const load = (name: string) => JSON.parse(readFileSync(new URL(`${name}/expected.json`, root), 'utf8')) as Expected;

  test('a value of any case, moved by a thousandth, is noticed', () => {
    const withSeries = names.map(load).filter((e) => e.collections?.some(({ series }) => series.length > 0));
    expect(withSeries.length).toBeGreaterThan(80);
    fc.assert(
      fc.property(fc.constantFrom(...withSeries), fc.nat(), (expected, pick) => {
        const copy = structuredClone(expected);
        const samples = copy
          .collections!.flatMap(({ series }) => series)
          .filter(({ value }) => typeof value === 'number');
        fc.pre(samples.length > 0);
        const sample = samples[pick % samples.length]!;
        sample.value = (sample.value as number) * 1.001 + 0.001;
        expect(differences(expected, expected)).toEqual([]);
        expect(differences(expected, copy)).not.toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
