import { createSeries, type Point } from 'remote-write-ts';
import { describe, expect, it } from 'vitest';
import { parsePage } from '../../src/relay/exposition/index.ts';
import { noCounts, runRelay } from '../../src/relay/relay.ts';
import { ScrapeError } from '../../src/relay/scrape.ts';
import { SeriesTable } from '../../src/relay/series-table.ts';

interface Step {
  /** Undefined: the scrape fails. */
  page?: string;
  scrapeMs?: number;
  appendMs?: number;
  /** The clock is moved by this after the scrape. */
  jumpMs?: number;
}

/** Runs the steps on a clock of its own; what was appended, and what was counted. */
async function run(steps: Step[], intervalMs = 1_000) {
  let nowMs = 10_000;
  let index = 0;
  const stop = new AbortController();
  const batches: Point[][] = [];
  const counts = noCounts();
  const failures: string[] = [];
  const sleeps: number[] = [];
  await runRelay(
    {
      intervalMs,
      table: new SeriesTable({
        target: { labels: [['job', 'j']], honorsPage: false },
        honorsTimestamps: true,
        createSeries,
      }),
      now: () => nowMs,
      sleep: async (waitMs) => {
        sleeps.push(waitMs);
        nowMs += Math.max(0, waitMs);
        if (index === steps.length) stop.abort();
      },
      async scrape() {
        const { page, scrapeMs = 0 } = steps[index]!;
        nowMs += scrapeMs;
        if (page === undefined) throw new ScrapeError('bad_status', 'the target answered 500');
        return parsePage(Buffer.from(page), { format: 'text' });
      },
      async append(points) {
        const { appendMs = 0, jumpMs = 0 } = steps[index++]!;
        nowMs += appendMs + jumpMs;
        batches.push([...points]);
      },
      onFailure: ({ reason }) => failures.push(reason),
    },
    counts,
    stop.signal,
  );
  return { batches, counts, failures, sleeps };
}

const values = (points: Point[]) =>
  points.map((point) => [
    Object.fromEntries(point.series.labels)['__name__'],
    point.kind === 'sample' ? point.value : point.kind,
    point.timestampMs,
  ]);

describe('the loop', () => {
  it('scrapes at once and then once an interval, however long a scrape takes', async () => {
    const { batches, sleeps, counts } = await run([
      { page: 'a 1', scrapeMs: 300 },
      { page: 'a 2', scrapeMs: 100 },
      { page: 'a 3' },
    ]);
    expect(values(batches.flat()).filter(([name]) => name === 'a')).toEqual([
      ['a', 1, 10_000],
      ['a', 2, 11_000],
      ['a', 3, 12_000],
    ]);
    expect(sleeps).toEqual([700, 900, 1_000]);
    expect(counts).toMatchObject({ scrapes: { ok: 3, skipped: 0 }, samples: 3 });
  });

  it('says of each scrape whether it went well, how long it took, and how many samples and new series there were', async () => {
    const { batches, failures, counts } = await run([
      { page: 'a 1\nb 2', scrapeMs: 250 },
      { scrapeMs: 500 },
      {},
      { page: 'a 1\na 1' },
      { page: 'a 1\nb 2\nc 3' },
    ]);
    expect(values(batches[0]!)).toEqual([
      ['a', 1, 10_000],
      ['b', 2, 10_000],
      ['up', 1, 10_000],
      ['scrape_duration_seconds', 0.25, 10_000],
      ['scrape_samples_scraped', 2, 10_000],
      ['scrape_samples_post_metric_relabeling', 2, 10_000],
      ['scrape_series_added', 2, 10_000],
    ]);
    expect(values(batches[1]!)).toEqual([
      ['a', 'stale', 11_000],
      ['b', 'stale', 11_000],
      ['up', 0, 11_000],
      ['scrape_duration_seconds', 0.5, 11_000],
      ['scrape_samples_scraped', 0, 11_000],
      ['scrape_samples_post_metric_relabeling', 0, 11_000],
      ['scrape_series_added', 0, 11_000],
    ]);
    expect(values(batches[2]!).map(([name]) => name)).toEqual([
      'up',
      'scrape_duration_seconds',
      'scrape_samples_scraped',
      'scrape_samples_post_metric_relabeling',
      'scrape_series_added',
    ]);
    const added = batches.map((points) => values(points).find(([name]) => name === 'scrape_series_added')![1]);
    expect(added).toEqual([2, 0, 0, 1, 2]);
    expect(failures).toEqual(['bad_status', 'bad_status']);
    expect(counts).toMatchObject({ scrapes: { ok: 3, bad_status: 2 }, staleMarkers: 2 });
  });

  it('leaves out what was due while the queue was full, and goes on in step', async () => {
    const { batches, sleeps, counts } = await run([{ page: 'a 1', appendMs: 3_400 }, { page: 'a 2' }]);
    expect(batches.map((points) => points[0]!.timestampMs)).toEqual([10_000, 13_400]);
    expect(sleeps).toEqual([-400, 600]);
    expect(counts.scrapes).toMatchObject({ ok: 2, skipped: 2 });
  });

  it('never goes back in time, and waits no longer, when the clock is set back', async () => {
    const { batches, sleeps } = await run([{ page: 'a 1', jumpMs: -60_000 }, { page: 'a 2' }, { page: 'a 3' }]);
    expect(batches.map((points) => points[0]!.timestampMs)).toEqual([10_000, 10_001, 10_002]);
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(1_000);
  });
});
