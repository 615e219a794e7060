// The series of the target, from scrape to scrape: prepared once, ended by a stale marker when they vanish. It must never
// give out two points of a series with the same time, or one that goes back. Source: Prometheus, "Staleness".

import { createExemplar, LabelError, type LabelPair, type Metadata, type Point, type Series } from 'remote-write-ts';
import { type Family, labelsKey, type PageExemplar, type Sample } from './exposition/index.ts';
import { type TargetLabels, withTarget } from './target-labels.ts';

export interface TableOptions {
  target: TargetLabels;
  /** Whether timestamps of the page are used. */
  honorsTimestamps: boolean;
  createSeries: (labels: readonly LabelPair[], metadata: Metadata) => Series;
}

/** What is not sent of a page. */
export interface Discarded {
  /** Samples of a series that the page had already; the first one is sent. */
  duplicate: number;
  /** Samples with a timestamp of their own that isn't newer than the last. */
  notNewer: number;
  /** Exemplars of more than 128 characters. */
  longExemplars: number;
}

export interface Taken {
  points: Point[];
  /** Series that the scrape before didn't have. */
  newSeries: number;
  staleMarkers: number;
  discarded: Discarded;
}

/** About the scrape itself, `scrape_duration_seconds` and so on. */
export interface Report {
  isUp: boolean;
  durationSeconds: number;
  samples: number;
  newSeries: number;
}

interface Tracked {
  series: Series;
  family: Family;
  scrape: number;
  /** The page says when its samples are from: then it vanishes without a marker. */
  hasOwnTime: boolean;
  lastMs: number;
  exemplar: { key: string; timestampMs: number } | undefined;
}

const REPORTED: readonly [name: string, value: (report: Report) => number][] = [
  ['up', ({ isUp }) => (isUp ? 1 : 0)],
  ['scrape_duration_seconds', ({ durationSeconds }) => durationSeconds],
  ['scrape_samples_scraped', ({ samples }) => samples],
  // Nothing is relabelled; dashboards and alerts ask for this one.
  ['scrape_samples_post_metric_relabeling', ({ samples }) => samples],
  ['scrape_series_added', ({ newSeries }) => newSeries],
];

export class SeriesTable {
  readonly #options: TableOptions;
  readonly #tracked = new Map<string, Tracked>();
  readonly #reported: Series[];
  /** A page can't have these. */
  readonly #reserved: Set<string>;
  #scrape = 0;

  constructor(options: TableOptions) {
    this.#options = options;
    const labels = REPORTED.map(([name]) => withTarget(name, [], options.target));
    this.#reported = labels.map((of) => options.createSeries(of, { type: 'gauge' }));
    this.#reserved = new Set(labels.map(labelsKey));
  }

  get size(): number {
    return this.#tracked.size;
  }

  /** @param scrapeMs later than that of the scrape before. */
  take(samples: readonly Sample[], scrapeMs: number): Taken {
    this.#scrape++;
    const points: Point[] = [];
    const discarded: Discarded = { duplicate: 0, notNewer: 0, longExemplars: 0 };
    const knownBefore = this.#tracked.size;
    for (const sample of samples) {
      const tracked = this.#track(sample);
      if (tracked === undefined) {
        discarded.duplicate++;
        continue;
      }
      const ownMs = this.#options.honorsTimestamps ? sample.timestampMs : undefined;
      const timestampMs = ownMs ?? scrapeMs;
      tracked.hasOwnTime = ownMs !== undefined;
      if (timestampMs <= tracked.lastMs) {
        discarded.notNewer++;
        continue;
      }
      tracked.lastMs = timestampMs;
      points.push(this.#point(tracked, sample, timestampMs, discarded));
    }
    const newSeries = this.#tracked.size - knownBefore;
    const stale = this.#end(scrapeMs, ({ scrape }) => scrape < this.#scrape);
    return { points: points.concat(stale), newSeries, staleMarkers: stale.length, discarded };
  }

  /** Ends all series: the target says nothing any more. */
  endAll(scrapeMs: number): Point[] {
    this.#scrape++;
    return this.#end(scrapeMs, ({ hasOwnTime }) => !hasOwnTime);
  }

  report(report: Report, scrapeMs: number): Point[] {
    return REPORTED.map(([, value], i) => ({
      kind: 'sample',
      series: this.#reported[i]!,
      value: value(report),
      timestampMs: scrapeMs,
    }));
  }

  /** Undefined if this scrape has had the series already. */
  #track({ name, labels, family }: Sample): Tracked | undefined {
    const all = withTarget(name, labels, this.#options.target);
    const key = labelsKey(all);
    const known = this.#tracked.get(key);
    if (known === undefined) {
      if (this.#reserved.has(key)) return undefined;
      const series = this.#createSeries(all, family);
      const tracked = {
        series,
        family,
        scrape: this.#scrape,
        hasOwnTime: false,
        lastMs: -Infinity,
        exemplar: undefined,
      };
      this.#tracked.set(key, tracked);
      return tracked;
    }
    if (known.scrape === this.#scrape) return undefined;
    known.scrape = this.#scrape;
    const { type, help, unit } = known.family;
    if (type !== family.type || help !== family.help || unit !== family.unit) {
      known.series = this.#createSeries(all, family);
    }
    known.family = family;
    return known;
  }

  // Parts of the page's text would keep all of it in memory for as long as the series lives.
  #createSeries(labels: readonly LabelPair[], { name, type, help, unit }: Family): Series {
    return this.#options.createSeries(
      labels.map(([label, value]) => [copyOf(label), copyOf(value)]),
      { type, help: copyOf(help), unit: copyOf(unit), family: copyOf(name) },
    );
  }

  #point(tracked: Tracked, { value, exemplar, createdMs }: Sample, timestampMs: number, discarded: Discarded): Point {
    const sent = exemplar && exemplarOf(tracked, exemplar, timestampMs);
    if (sent === 'too long') discarded.longExemplars++;
    return {
      kind: 'sample',
      series: tracked.series,
      value,
      timestampMs,
      // One that is later than the sample would be a clock that goes wrong.
      ...(createdMs !== undefined && createdMs <= timestampMs && { startMs: createdMs }),
      ...(sent !== undefined && sent !== 'too long' && { exemplars: [sent] }),
    };
  }

  #end(scrapeMs: number, hasEnded: (tracked: Tracked) => boolean): Point[] {
    const points: Point[] = [];
    for (const [key, tracked] of this.#tracked) {
      if (!hasEnded(tracked)) continue;
      this.#tracked.delete(key);
      if (!tracked.hasOwnTime) points.push({ kind: 'stale', series: tracked.series, timestampMs: scrapeMs });
    }
    return points;
  }
}

/**
 * One without a time of its own keeps the one that it was first seen with: what is sent again is then the same exemplar,
 * which receivers accept, not a new one.
 */
function exemplarOf(tracked: Tracked, { labels, value, timestampMs }: PageExemplar, sampleMs: number) {
  const key = `${value} ${labelsKey(labels)}`;
  const firstMs = tracked.exemplar?.key === key ? tracked.exemplar.timestampMs : sampleMs;
  tracked.exemplar = timestampMs === undefined ? { key: copyOf(key), timestampMs: firstMs } : undefined;
  try {
    const filled = labels.filter(([, text]) => text !== '');
    return createExemplar(filled, value, timestampMs ?? firstMs);
  } catch (error) {
    if (error instanceof LabelError && error.code === 'exemplar_too_long') return 'too long';
    throw error;
  }
}

function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
