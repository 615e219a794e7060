// A fold gives what a plain model of the rules gives, whatever the options: series with their zero samples, exemplars and ends, and
// counters that account for every span and every edge. A seed that fails names itself: FOLD_SEED=1017 runs it alone.

import { describe, expect, test } from 'vitest';
import { choices } from '../otlp/noisy-encoder.ts';
import { runBeside } from './fold-beside.ts';
import { scriptOf } from './fold-script.ts';
import { type Focus, randomSequence } from './fold-settings.ts';
import { EDGE_POOLS, RICH_POOLS } from './fold-spans.ts';

interface Runs extends Focus {
  from: number;
  count: number;
  /** Settings change at one boundary in so many; 0 = never. */
  changeEvery?: number;
}

function seedsOf({ from, count }: Runs): number[] {
  const only = process.env['FOLD_SEED'];
  if (only !== undefined) return [Number(only)].filter((seed) => seed >= from && seed < from + 10_000);
  return Array.from({ length: Number(process.env['FOLD_SEEDS'] ?? count) }, (_, i) => from + i);
}

describe('a fold has the series and counters of a plain model, and loses no span and no edge', () => {
  test.each<[string, Runs]>([
    ['whatever its options', { from: 10_000, count: 90 }],
    ['with few label sets, so that histograms fill up', { from: 20_000, count: 40, isNarrow: true }],
    ['with halves of calls that are filtered, once or again', { from: 90_000, count: 90, isGraph: true }],
    ['with such halves over changes of its settings', { from: 100_000, count: 90, isGraph: true, changeEvery: 2 }],
    ['over changes of its settings', { from: 30_000, count: 60, changeEvery: 3 }],
    ['under both names', { from: 40_000, count: 30, naming: 'both' }],
    ['under both names, over changes of its settings', { from: 50_000, count: 15, naming: 'both', changeEvery: 3 }],
    ["under the collector's names", { from: 60_000, count: 50, naming: 'otel' }],
    ["under the collector's names, over changes", { from: 70_000, count: 25, naming: 'otel', changeEvery: 3 }],
  ])('%s', (_, runs) => {
    const { changeEvery = 0 } = runs;
    for (const seed of seedsOf(runs)) {
      const below = choices(seed);
      const settings = randomSequence(below, changeEvery > 0 ? 3 : 1, runs);
      const options = { tenants: ['t'], boundaries: 12, settings, changeEvery };
      const { first, ops } = scriptOf(below, options, runs.isGraph ? EDGE_POOLS : RICH_POOLS);
      const { lines, where } = runBeside(first, ops);
      expect(lines, `FOLD_SEED=${seed} ${where}`).toEqual([]);
    }
  });
});
