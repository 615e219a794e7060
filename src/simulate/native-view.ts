// Native histograms as cases write them: the form of the wire (spans and deltas) and the buckets by index.

import { type NativeState, ZERO_THRESHOLD } from '../registry/index.ts';

/** So many empty buckets are said as zeros; behind more a new span begins. */
const FILLED_GAP = 2;

export interface HistogramJson {
  count: number;
  sum: number;
  schema: number;
  zero_threshold: number;
  zero_count: number;
  positive_spans: { offset: number; length: number }[];
  positive_deltas: number[];
  positive_buckets: { index: number; count: number }[];
}

export function histogramJson({ schema, sum, zeroCount, indexes, counts }: NativeState): HistogramJson {
  const spans: HistogramJson['positive_spans'] = [];
  const said: number[] = [];
  let next = 0;
  indexes.forEach((index, i) => {
    const gap = index - next;
    const span = spans.at(-1);
    if (span === undefined || gap > FILLED_GAP) spans.push({ offset: gap, length: 1 });
    else {
      for (let n = 0; n < gap; n++) said.push(0);
      span.length += gap + 1;
    }
    said.push(counts[i]!);
    next = index + 1;
  });
  return {
    count: counts.reduce((total, count) => total + count, zeroCount),
    sum,
    schema,
    zero_threshold: ZERO_THRESHOLD,
    zero_count: zeroCount,
    positive_spans: spans,
    positive_deltas: said.map((count, i) => count - (said[i - 1] ?? 0)),
    positive_buckets: Array.from(indexes, (index, i) => ({ index, count: counts[i]! })),
  };
}

/** What precedes a new series: nothing observed, at its resolution. */
export function zeroHistogramJson(schema: number): HistogramJson {
  const nothing = { positive_spans: [], positive_deltas: [], positive_buckets: [] };
  return { count: 0, sum: 0, schema, zero_threshold: 0, zero_count: 0, ...nothing };
}
