// The loop: scrape, prepare, hand over, wait. One scrape at a time; what is due while one is under way, or while the queue
// is full, is left out and counted, so that what was taken in is never dropped for what is new.

import type { Point } from 'remote-write-ts';
import type { Sample } from './exposition/index.ts';
import { ScrapeError, type ScrapeFailure } from './scrape.ts';
import type { Discarded, SeriesTable } from './series-table.ts';

export interface RelayOptions {
  intervalMs: number;
  table: SeriesTable;
  scrape: (signal: AbortSignal) => Promise<Sample[]>;
  /** Resolves when the points are queued. Rejects when the queue has been closed. */
  append: (points: readonly Point[], scrapeMs: number) => Promise<void>;
  /** Milliseconds since the Unix epoch. */
  now: () => number;
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Told of each failed scrape. */
  onFailure: (error: ScrapeError) => void;
}

/** Sums since the start. */
export interface RelayCounts {
  scrapes: Record<'ok' | 'skipped' | ScrapeFailure, number>;
  samples: number;
  staleMarkers: number;
  discarded: Discarded;
}

export function noCounts(): RelayCounts {
  return {
    scrapes: { ok: 0, skipped: 0, unreachable: 0, timeout: 0, bad_status: 0, too_large: 0, malformed: 0 },
    samples: 0,
    staleMarkers: 0,
    discarded: { duplicate: 0, notNewer: 0, longExemplars: 0 },
  };
}

/** Runs until the signal aborts. Series are not ended then: another relay may go on with them. */
export async function runRelay(options: RelayOptions, counts: RelayCounts, signal: AbortSignal): Promise<void> {
  const { intervalMs, now, sleep, append } = options;
  let dueMs = now();
  let scrapeMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    // The clock may be set back; the time of a series may not.
    scrapeMs = Math.max(now(), scrapeMs + 1);
    const points = await once(options, counts, scrapeMs, signal);
    if (signal.aborted) return;
    await append(points, scrapeMs);
    dueMs += intervalMs;
    const late = Math.floor((now() - dueMs) / intervalMs);
    if (late > 0) {
      counts.scrapes.skipped += late;
      dueMs += late * intervalMs;
    }
    // Set back: the next scrape is one interval away at most.
    dueMs = Math.min(dueMs, now() + intervalMs);
    await sleep(dueMs - now(), signal);
  }
}

async function once(
  { table, scrape, now, onFailure }: RelayOptions,
  counts: RelayCounts,
  scrapeMs: number,
  signal: AbortSignal,
): Promise<Point[]> {
  const startedMs = now();
  const durationSeconds = () => Math.max(0, now() - startedMs) / 1000;
  try {
    const samples = await scrape(signal);
    const scraped = { isUp: true, durationSeconds: durationSeconds(), samples: samples.length };
    const { points, newSeries, staleMarkers, discarded } = table.take(samples, scrapeMs);
    counts.scrapes.ok++;
    counts.samples += samples.length;
    counts.staleMarkers += staleMarkers;
    for (const reason of Object.keys(discarded) as (keyof Discarded)[]) counts.discarded[reason] += discarded[reason];
    return points.concat(table.report({ ...scraped, newSeries }, scrapeMs));
  } catch (error) {
    if (signal.aborted) return [];
    if (!(error instanceof ScrapeError)) throw error;
    counts.scrapes[error.reason]++;
    onFailure(error);
    const stale = table.endAll(scrapeMs);
    counts.staleMarkers += stale.length;
    const report = { isUp: false, durationSeconds: durationSeconds(), samples: 0, newSeries: 0 };
    return stale.concat(table.report(report, scrapeMs));
  }
}
