import { describe, expect, it } from 'vitest';
import { type MetricFamily, mergeMetrics, remoteStorageMetrics, renderMetrics } from '../../src/index.ts';
import { state } from './state.ts';

const gauge = (name: string, value: number, labels: [string, string][] = []): MetricFamily => ({
  name,
  type: 'gauge',
  help: `${name}.`,
  samples: [{ name, labels, value }],
});

describe('a page', () => {
  it('has each family with its help, its type and its samples', () => {
    expect(
      renderMetrics([
        gauge('a', 1.5),
        gauge('b', 0, [
          ['x', '1'],
          ['y', 'ü'],
        ]),
      ]),
    ).toBe('# HELP a a.\n# TYPE a gauge\na 1.5\n# HELP b b.\n# TYPE b gauge\nb{x="1",y="ü"} 0\n');
    expect(renderMetrics([])).toBe('');
  });

  it('escapes what would end a value or a line', () => {
    const family = { ...gauge('a', 1, [['x', '"q" \\ \n']]), help: 'one\ntwo "q" \\' };
    expect(renderMetrics([family])).toBe('# HELP a one\\ntwo "q" \\\\\n# TYPE a gauge\na{x="\\"q\\" \\\\ \\n"} 1\n');
  });

  it('writes numbers as the format has them', () => {
    const shown = (value: number) => renderMetrics([gauge('a', value)]).split('\n')[2];
    expect([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e21, 0.1].map(shown)).toEqual([
      'a +Inf',
      'a -Inf',
      'a NaN',
      'a 1e+21',
      'a 0.1',
    ]);
  });
});

describe('the metrics of several clients', () => {
  const of = (name: string, highestTimestampMs: number) => {
    const own = state({ name });
    return remoteStorageMetrics({ ...own, stats: { ...own.stats, highestTimestampMs } });
  };

  it('stand side by side, each family once', () => {
    const merged = mergeMetrics(of('a', 1_000), of('b', 2_000));
    expect(new Set(merged.map(({ name }) => name)).size).toBe(merged.length);
    const shards = merged.find(({ name }) => name === 'prometheus_remote_storage_shards')!;
    expect(shards.samples.map(({ labels }) => labels[0])).toEqual([
      ['remote_name', 'a'],
      ['remote_name', 'b'],
    ]);
    expect(merged.map(({ name }) => name)).toEqual(of('a', 1).map(({ name }) => name));
  });

  it('have those of the process once, the highest', () => {
    for (const parts of [
      [of('a', 1_000), of('b', 2_000)],
      [of('b', 2_000), of('a', 1_000)],
    ]) {
      const merged = mergeMetrics(...parts);
      const highest = merged.find(({ name }) => name === 'prometheus_remote_storage_highest_timestamp_in_seconds')!;
      expect(highest.samples).toEqual([{ name: highest.name, labels: [], value: 2 }]);
    }
  });

  it('leave the parts as they were', () => {
    const part = of('a', 1_000);
    const before = structuredClone(part);
    mergeMetrics(part, of('b', 2_000));
    expect(part).toEqual(before);
  });
});
