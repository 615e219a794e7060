// Which bucket: the table by topmost bits against a binary search, on durations as they come.
//   node --conditions=source bench/micro/buckets.ts

import { BucketIndex } from '../../src/registry/index.ts';
import { cost, print, shuffled } from './measure.ts';

const VALUES = 500_000;
const bounds = Array.from({ length: 14 }, (_, i) => 0.002 * 2 ** i);
const order = shuffled(1 << 20, VALUES);
// Spread over the orders of magnitude, like the durations of calls.
const seconds = Float64Array.from(order, (n) => ((n & 1023) + 1) * 10 ** -((n >>> 10) % 4) * 0.005);

const index = new BucketIndex(bounds);
const counts = new Float64Array(bounds.length + 1);

function search(value: number): number {
  let low = 0;
  for (let high = bounds.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (value <= bounds[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

print([
  cost('bucket by table', VALUES, () => {
    for (let i = 0; i < VALUES; i++) {
      const bucket = index.of(seconds, i);
      counts[bucket] = counts[bucket]! + 1;
    }
  }),
  cost('bucket by binary search', VALUES, () => {
    for (let i = 0; i < VALUES; i++) {
      const bucket = search(seconds[i]!);
      counts[bucket] = counts[bucket]! + 1;
    }
  }),
]);
