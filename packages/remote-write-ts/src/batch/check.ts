// What makes a batch impossible is found before it is built.

import { METRIC_NAME, type Series } from '../labels/index.ts';
import { checkTimestamp } from '../wire/index.ts';
import { BatchError } from './errors.ts';

/** @throws BatchError `duplicate_series` */
export function refuseDuplicates(series: readonly Series[]): void {
  const byHash = new Map<number, Series[]>();
  for (const one of series) {
    const others = byHash.get(one.hash);
    if (others === undefined) byHash.set(one.hash, [one]);
    else if (others.some((other) => hasLabelsOf(other, one))) {
      const name = one.labels.find(([label]) => label === METRIC_NAME)![1];
      throw new BatchError('duplicate_series', `two series of ${name} have the same labels`);
    } else others.push(one);
  }
}

export function hasLabelsOf(a: Series, b: Series): boolean {
  return a.hash === b.hash && Buffer.compare(a.labelBytes, b.labelBytes) === 0;
}

/**
 * No sample of the batch may be older than what it returns, which is -Infinity if no start is known.
 * @throws RangeError for a start that is no safe integer.
 */
export function latestStart(startMs: ArrayLike<number>): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < startMs.length; i++) {
    const start = startMs[i]!;
    checkTimestamp(start);
    if (start !== 0 && start > most) most = start;
  }
  return most;
}
