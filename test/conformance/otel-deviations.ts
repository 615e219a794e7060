// Cases where spanmill does something else than the collector on purpose (docs/reference/deviations.md says why). What it does
// instead is written here by hand, as a change of what the case expects.

import type { ExpectedHistogram, ExpectedOtelSeries } from './otel-compare.ts';

export interface OtelDeviation {
  /** Row of docs/reference/deviations.md. */
  row: string;
  change?(expected: ExpectedOtelSeries[]): ExpectedOtelSeries[];
  /** Instead: the key that is refused. */
  refused?: string;
}

const INSTANCE = { collector_instance_id: 'peer-0' };
/** Cases whose configuration leaves the instance's label out. */
const WITHOUT_INSTANCE = ['04-exclude-dimensions', '22-tempo-like-names', '25-gates'];

/** Row `otel-instance-label`: every series has the label, also those of which the collector has only one for all instances. */
export function withInstanceLabel(name: string, expected: readonly ExpectedOtelSeries[]): ExpectedOtelSeries[] {
  if (WITHOUT_INSTANCE.includes(name)) return [...expected];
  return expected.map((series) => ({ ...series, labels: { ...series.labels, ...INSTANCE } }));
}

/** Spans of 10 ms: that many of each name, from the first to the last. */
function counted(expected: readonly ExpectedOtelSeries[], spans: Record<string, number>): ExpectedOtelSeries[] {
  return expected.map((series) => {
    const { labels } = series;
    const count = spans[labels['span_name']!];
    if (count === undefined) return series;
    const isSum = labels['__name__']!.endsWith('_sum');
    const isAbove = labels['le'] === undefined || labels['le'] === '+Inf' || Number(labels['le']) >= 10;
    return { ...series, values: [[isSum ? count * 10 : isAbove ? count : 0]] };
  });
}

/** The series of one span name once more under another. */
function alsoNamed(expected: readonly ExpectedOtelSeries[], from: string, name: string): ExpectedOtelSeries[] {
  const copies = expected
    .filter(({ labels }) => labels['span_name'] === from)
    .map((series) => ({ ...series, labels: { ...series.labels, span_name: name } }));
  return [...expected, ...copies];
}

/** Single buckets of one observation each. */
function finer(
  expected: readonly ExpectedOtelSeries[],
  schema: number,
  indexes: readonly number[],
): ExpectedOtelSeries[] {
  return expected.map((series) => {
    const golden = series.histograms?.at(-1);
    if (golden === undefined) return series;
    const histogram: ExpectedHistogram = {
      ...golden,
      schema,
      positive_spans: indexes.map((index, i) => ({ offset: i === 0 ? index : index - indexes[i - 1]! - 1, length: 1 })),
      positive_deltas: indexes.map((_, i) => (i === 0 ? 1 : 0)),
    };
    return { ...series, histograms: [histogram] };
  });
}

export const OTEL_DEVIATIONS: ReadonlyMap<string, OtelDeviation> = new Map<string, OtelDeviation>([
  [
    '06-exponential-native',
    {
      row: 'otel-exponential-buckets',
      change: (expected) => finer(expected, 8, [-256, 0, 256, 406, 851, 1701, 2552]),
    },
  ],
  [
    '07-exponential-small-max-size',
    {
      // 1 2 4 8 16 500 1000 ms in at most 4 buckets in use.
      row: 'otel-exponential-buckets',
      change: (expected) => finer(expected, 5, [0, 32, 64, 96, 128, 287, 319]),
    },
  ],
  [
    '11-resource-collision',
    {
      row: 'otel-one-series',
      change: (expected) =>
        expected
          .map((series) => ({ ...series, values: [[series.values!.at(-1)!.reduce((a, b) => a + b, 0)]] }))
          .map((series) => (series.labels['__name__'] === 'target_info' ? { ...series, values: [[1]] } : series)),
    },
  ],
  [
    '12-resource-key-attributes',
    {
      row: 'otel-target-info-of-each',
      change: (expected) => [
        ...expected,
        { labels: { __name__: 'target_info', ...INSTANCE, job: 'pay', k8s_pod_name: 'p2' }, values: [[1]] },
      ],
    },
  ],
  [
    '14-no-service-name',
    {
      row: 'otel-service-name-text',
      change: (expected) =>
        expected.map((series) =>
          series.labels['job'] === '7' ? { ...series, labels: { ...series.labels, service_name: '7' } } : series,
        ),
    },
  ],
  ['16-delta-dropped', { row: 'otel-delta', refused: 'aggregation_temporality' }],
  [
    '20-restart-resets',
    {
      row: 'otel-restart',
      change: (expected) => counted(alsoNamed(expected, 'op', 'onlyatstop'), { op: 7, onlyatstop: 1 }),
    },
  ],
  ['21-metrics-expiration', { row: 'otel-expiration', change: (expected) => counted(expected, { op: 4 }) }],
  ['27-series-expiration', { row: 'otel-expiration', change: (expected) => counted(expected, { idle: 4, busy: 4 }) }],
]);
