// Native histograms of rows as remote-write carries them: cumulative, with absolute counts. Must never throw over what a span said: a
// receiver may refuse one series, but a boundary must not end for it.

import type { BucketSpan, NativeHistogram, ResetHint } from 'remote-write-ts';
import { type NativeState, ZERO_THRESHOLD } from '../registry/index.ts';

/** So many empty buckets are said as zeros; behind more a new span begins. */
const FILLED_GAP = 2;
const NOTHING = { negativeSpans: [], negativeCounts: [] } as const;

export function nativeHistogram(state: NativeState, resetHint: ResetHint): NativeHistogram {
  const { schema, sum, zeroCount, indexes, counts } = state;
  const positiveSpans: BucketSpan[] = [];
  const positiveCounts: number[] = [];
  let count = zeroCount;
  let next = 0;
  for (let i = 0; i < indexes.length; i++) {
    const gap = indexes[i]! - next;
    const span = positiveSpans.at(-1);
    if (span === undefined || gap > FILLED_GAP) positiveSpans.push({ offset: gap, length: 1 });
    else {
      for (let n = 0; n < gap; n++) positiveCounts.push(0);
      span.length += gap + 1;
    }
    positiveCounts.push(counts[i]!);
    count += counts[i]!;
    next = indexes[i]! + 1;
  }
  // Weights may drive counts beyond what whole numbers can say.
  const isFloat = !Number.isSafeInteger(count);
  const zeroThreshold = ZERO_THRESHOLD;
  return {
    schema,
    isFloat,
    count,
    sum,
    zeroThreshold,
    zeroCount,
    positiveSpans,
    positiveCounts,
    ...NOTHING,
    resetHint,
  };
}

/** What declares the beginning of a series: nothing observed, at its resolution. */
export function zeroHistogram(schema: number): NativeHistogram {
  const nothing = { count: 0, sum: 0, zeroThreshold: 0, zeroCount: 0, positiveSpans: [], positiveCounts: [] };
  return { schema, isFloat: false, ...nothing, ...NOTHING };
}
