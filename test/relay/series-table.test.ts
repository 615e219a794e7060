import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSeries, type Point } from 'remote-write-ts';
import { describe, expect, it } from 'vitest';
import { parsePage } from '../../src/relay/exposition/index.ts';
import { SeriesTable } from '../../src/relay/series-table.ts';

const HOST = {
  labels: [
    ['job', 'j'],
    ['instance', 'i'],
  ] as const,
  honorsPage: false,
};

function table(honorsTimestamps = true) {
  let made = 0;
  const series = new SeriesTable({
    target: HOST,
    honorsTimestamps,
    createSeries: (labels, metadata) => {
      made++;
      return createSeries(labels, metadata);
    },
  });
  return {
    series,
    made: () => made,
    take: (page: string, scrapeMs: number) =>
      series.take(parsePage(Buffer.from(`${page}\n# EOF\n`), { format: 'openmetrics' }), scrapeMs),
  };
}

function shown(points: readonly Point[]): unknown[] {
  return points.map((point) => {
    const labels = Object.fromEntries(point.series.labels);
    const { __name__: name, job: _, instance: __, ...rest } = labels;
    const id = Object.keys(rest).length === 0 ? name : `${name}${JSON.stringify(rest)}`;
    return [id, point.kind === 'sample' ? point.value : point.kind, point.timestampMs];
  });
}

describe('series from scrape to scrape', () => {
  it('are prepared once, and again only if their metadata change', () => {
    const { take, made } = table();
    const before = made();
    take('# TYPE a gauge\na{x="1"} 1', 1_000);
    const [first] = take('# TYPE a gauge\na{x="1"} 2', 2_000).points;
    expect(made()).toBe(before + 1);
    const [second] = take('# TYPE a counter\n# HELP a Help.\na{x="1"} 3', 3_000).points;
    expect(made()).toBe(before + 2);
    expect(second!.series.metadata).toMatchObject({ family: 'a', type: 1, help: { text: 'Help.' } });
    expect(second!.series.labels).toEqual(first!.series.labels);
  });

  it('end with a stale marker when they vanish, and begin again', () => {
    const { take } = table();
    take('a 1\nb 1', 1_000);
    const second = take('a 2', 2_000);
    expect(shown(second.points)).toEqual([
      ['a', 2, 2_000],
      ['b', 'stale', 2_000],
    ]);
    expect(second.staleMarkers).toBe(1);
    expect(shown(take('a 3\nb 3', 3_000).points)).toEqual([
      ['a', 3, 3_000],
      ['b', 3, 3_000],
    ]);
    expect(shown(take('a 4\nb 4', 4_000).points)).toHaveLength(2);
  });

  it('all end when a scrape fails, once', () => {
    const { take, series } = table();
    take('a 1\nb 1', 1_000);
    expect(shown(series.endAll(2_000))).toEqual([
      ['a', 'stale', 2_000],
      ['b', 'stale', 2_000],
    ]);
    expect(series.endAll(3_000)).toEqual([]);
    expect(shown(take('a 4', 4_000).points)).toEqual([['a', 4, 4_000]]);
  });

  it('are the same whatever the order of their labels, and the first sample of a page counts', () => {
    const { take } = table();
    const { points, discarded } = take('a{x="1",y="2"} 1\na{y="2",x="1"} 2\na{x="1",y="2",z=""} 3', 1_000);
    expect(shown(points)).toEqual([['a{"x":"1","y":"2"}', 1, 1_000]]);
    expect(discarded.duplicate).toBe(2);
  });

  it('can not be those about the scrape', () => {
    const { take, series } = table();
    const { points, discarded } = take('up 5\nup{x="1"} 6', 1_000);
    expect(shown(points)).toEqual([['up{"x":"1"}', 6, 1_000]]);
    expect(discarded.duplicate).toBe(1);
    expect(shown(series.report({ isUp: false, durationSeconds: 0.5, samples: 7, newSeries: 3 }, 1_000))).toEqual([
      ['up', 0, 1_000],
      ['scrape_duration_seconds', 0.5, 1_000],
      ['scrape_samples_scraped', 7, 1_000],
      ['scrape_samples_post_metric_relabeling', 7, 1_000],
      ['scrape_series_added', 3, 1_000],
    ]);
  });

  it('do not keep the pages alive that they were first seen on', () => {
    setFlagsFromString('--expose_gc');
    const collect = runInNewContext('gc') as () => void;
    const { series } = table();
    const comment = `# ${'x'.repeat(1 << 19)}\n`;
    const scrapeWith = (scrape: number) => {
      const known = Array.from({ length: scrape }, (_, i) => `a{id="a value of some length ${i}"} 1\n`).join('');
      series.take(parsePage(Buffer.from(comment + known), { format: 'text' }), scrape);
    };
    const heapUsed = () => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    scrapeWith(1);
    const before = heapUsed();
    for (let scrape = 2; scrape <= 60; scrape++) scrapeWith(scrape);
    expect(series.size).toBe(60);
    expect(heapUsed() - before).toBeLessThan(10 << 20);
  });
});

describe('timestamps of the page', () => {
  it('are kept, must rise, and their series vanish without a marker', () => {
    const { take, series } = table();
    expect(shown(take('a 1 0.5\nb 1', 1_000).points)).toEqual([
      ['a', 1, 500],
      ['b', 1, 1_000],
    ]);
    const same = take('a 1 0.5\nb 1', 2_000);
    expect(shown(same.points)).toEqual([['b', 1, 2_000]]);
    expect(same.discarded.notNewer).toBe(1);
    expect(take('a 1 0.25', 3_000).discarded.notNewer).toBe(1);
    expect(shown(take('a 1 0.75', 4_000).points)).toEqual([['a', 1, 750]]);
    expect(series.endAll(5_000)).toEqual([]);
    expect(take('a 1 0.75', 6_000).discarded.notNewer).toBe(1);
    expect(shown(take('b 1', 7_000).points)).toEqual([['b', 1, 7_000]]);
  });

  it('are passed over if they are not honoured', () => {
    const { take } = table(false);
    expect(shown(take('a 1 0.5', 1_000).points)).toEqual([['a', 1, 1_000]]);
    expect(shown(take('b 1 0.5', 2_000).points.slice(1))).toEqual([['a', 'stale', 2_000]]);
  });
});

describe('exemplars and starts', () => {
  const exemplars = (points: readonly Point[]) =>
    points
      .flatMap((point) => ('exemplars' in point ? point.exemplars! : []))
      .map(({ value, timestampMs }) => [value, timestampMs]);

  it('keep their own time, or that of the scrape that saw them first', () => {
    const { take } = table();
    expect(exemplars(take('a_total 1 # {t="x"} 1', 1_000).points)).toEqual([[1, 1_000]]);
    expect(exemplars(take('a_total 1 # {t="x"} 1', 2_000).points)).toEqual([[1, 1_000]]);
    expect(exemplars(take('a_total 1 # {t="y"} 1', 3_000).points)).toEqual([[1, 3_000]]);
    expect(exemplars(take('a_total 1 # {t="y"} 2', 4_000).points)).toEqual([[2, 4_000]]);
    expect(exemplars(take('a_total 1 # {t="y"} 2 1.5', 5_000).points)).toEqual([[2, 1_500]]);
  });

  it('that are too long are left out and counted; the sample stays', () => {
    const { take } = table();
    const { points, discarded } = take(`a_total 1 # {t="${'x'.repeat(128)}"} 1`, 1_000);
    expect([points.length, exemplars(points), discarded.longExemplars]).toEqual([1, [], 1]);
  });

  it('may have empty labels, which are left out', () => {
    const { take } = table();
    const [point] = take('a_total 1 # {t="x",u=""} 1', 1_000).points;
    expect(point).toMatchObject({ exemplars: [{ pairs: [['t', 'x']] }] });
  });

  it('of counting go along unless they lie after the sample', () => {
    const { take } = table();
    const page = (created: number) => `# TYPE a counter\na_total 1\na_created ${created}`;
    expect(take(page(0.5), 1_000).points).toMatchObject([{ startMs: 500 }]);
    expect(take(page(5), 2_000).points[0]).not.toHaveProperty('startMs');
  });
});
