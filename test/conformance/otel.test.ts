// Cases recorded from a real OpenTelemetry Collector (otel/FORMAT.md), run by `spanmill simulate` with `naming: otel`.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type OtelSeries, runOtelCase } from './otel-case.ts';
import { type ExpectedOtelSeries, otelDifferences, textOf } from './otel-compare.ts';
import { OTEL_DEVIATIONS, withInstanceLabel } from './otel-deviations.ts';

const ROOT = new URL('./otel/', import.meta.url);
/** Its input are metrics, not spans: see the service graph's test. */
const OF_NAMES = '28-servicegraph-name-translation';
const CASES = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== OF_NAMES)
  .map((entry) => entry.name)
  .sort();

function expectedOf(name: string): ExpectedOtelSeries[] {
  const file = JSON.parse(readFileSync(new URL(`${name}/expected.json`, ROOT), 'utf8')) as {
    series: ExpectedOtelSeries[] | null;
  };
  return withInstanceLabel(name, file.series ?? []);
}

const run = (name: string): OtelSeries[] | string => runOtelCase(fileURLToPath(new URL(name, ROOT)));

function found(expected: ExpectedOtelSeries[], actual: OtelSeries[] | string): string[] {
  return typeof actual === 'string' ? [actual] : otelDifferences(expected, actual);
}

describe('cases of the collector', () => {
  test('are all there, and every deviation is of one of them', () => {
    expect(CASES.length).toBe(27);
    expect([...OTEL_DEVIATIONS.keys()].filter((name) => !CASES.includes(name))).toEqual([]);
  });

  for (const name of CASES) {
    const deviation = OTEL_DEVIATIONS.get(name);
    if (deviation !== undefined) {
      test(`${name} gives what the deviation "${deviation.row}" says, and not what the collector does`, () => {
        const actual = run(name);
        if (deviation.refused !== undefined) expect(actual).toContain(deviation.refused);
        else expect(found(deviation.change!(expectedOf(name)), actual)).toEqual([]);
        expect(found(expectedOf(name), actual)).not.toEqual([]);
      });
    } else {
      test(`${name} gives what the collector gives`, () => {
        expect(expectedOf(name).length).toBeGreaterThan(0);
        expect(found(expectedOf(name), run(name))).toEqual([]);
      });
    }
  }
});

test('every deviation has a row in the reference', () => {
  const page = readFileSync(new URL('../../docs/reference/deviations.md', import.meta.url), 'utf8');
  for (const { row } of OTEL_DEVIATIONS.values()) expect(page).toContain(`| ${row} |`);
});

describe('the comparison of a case', () => {
  const expected: ExpectedOtelSeries[] = [
    { labels: { __name__: 'a', x: '1' }, values: [[0], [2]], exemplars: [{ labels: { trace_id: 't' }, value: 5 }] },
    {
      labels: { __name__: 'h' },
      histograms: [
        {
          schema: 0,
          count: 2,
          sum: 3,
          zero_count: 0,
          positive_spans: [
            { offset: 1, length: 1 },
            { offset: 2, length: 1 },
          ],
          positive_deltas: [1, 0],
        },
      ],
    },
  ];
  const histogram = {
    schema: 0,
    count: 2,
    sum: 3,
    zero_count: 0,
    zero_threshold: 0,
    positive_buckets: [
      { index: 1, count: 1 },
      { index: 4, count: 1 },
    ],
  };
  const actual: OtelSeries[] = [
    {
      labels: { x: '1', __name__: 'a' },
      value: 2,
      histogram: undefined,
      exemplars: [{ labels: { trace_id: 't' }, value: 5 }],
    },
    { labels: { __name__: 'h' }, value: undefined, histogram },
  ];
  const changed = (change: (series: OtelSeries[]) => void): OtelSeries[] => {
    const copy = structuredClone(actual);
    change(copy);
    return copy;
  };

  test('finds nothing where the last values agree', () => {
    expect(otelDifferences(expected, actual)).toEqual([]);
  });

  test.each<[string, (series: OtelSeries[]) => unknown]>([
    ['a series that is missing', (series) => series.pop()],
    ['a series that is there twice', (series) => series.push(series[0]!)],
    ['a series too many', (series) => series.push({ ...series[0]!, labels: { __name__: 'b' } })],
    ['another value', (series) => Object.assign(series[0]!, { value: 2.001 })],
    ['an exemplar that is missing', (series) => Object.assign(series[0]!, { exemplars: undefined })],
    ['another exemplar', (series) => Object.assign(series[0]!.exemplars![0]!, { value: 6 })],
    ['another trace', (series) => Object.assign(series[0]!.exemplars![0]!.labels, { trace_id: 'u' })],
    ['another label', (series) => Object.assign(series[0]!.labels, { x: '2' })],
    ['another resolution', (series) => Object.assign(series[1]!.histogram!, { schema: 1 })],
    ['another bucket', (series) => Object.assign(series[1]!.histogram!.positive_buckets![1]!, { index: 3 })],
    ['another sum', (series) => Object.assign(series[1]!.histogram!, { sum: 4 })],
  ])('notices %s', (_, change) => {
    expect(otelDifferences(expected, changed(change))).not.toEqual([]);
  });

  test('is by label sets, whatever their order', () => {
    expect(textOf({ a: '1', b: '2' })).toBe(textOf({ b: '2', a: '1' }));
  });
});
