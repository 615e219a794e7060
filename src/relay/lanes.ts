// Which samples share a request over 1.0. A receiver of that protocol that dislikes the time of one sample stores nothing of
// its request, and a refusal is never answered by more requests: so times that the page gives stay away from those that the
// relay gives. Over 2.0 a receiver stores the rest. Source: Remote-Write 2.0, "Partial Write"; Prometheus' receiver, which takes
// no sample of more than 10 minutes ahead, nor one an hour older than its newest. Order holds within a lane: a series that the
// page gives a time at one scrape and none at the next may overtake itself while the receiver is away.

import {
  ClosedError,
  type MetricFamily,
  mergeMetrics,
  type Point,
  type RemoteWrite,
  type RemoteWriteStats,
} from 'remote-write-ts';

/**
 * - `scraped`: the time of the scrape, which is every sample's but for a page that says otherwise.
 * - `own_time`: the page's time, near enough.
 * - `doubtful`: a time that many receivers refuse.
 */
export const LANES = ['scraped', 'own_time', 'doubtful'] as const;
export type Lane = (typeof LANES)[number];

const AHEAD_MS = 10 * 60_000;
const BEHIND_MS = 60 * 60_000;

/** Each lane is a client of its own to the same receiver; all but `scraped` are opened when they have something to send. */
export interface Lanes {
  series: RemoteWrite['series'];
  /** Resolves when all are queued. Rejects with ClosedError after `close`. */
  append(points: readonly Point[], scrapeMs: number): Promise<void>;
  /** Of the lanes that are open. */
  stats(): RemoteWriteStats[];
  metrics(): MetricFamily[];
  close(deadlineMs: number): Promise<void>;
}

/** Throws as `open` does. */
export function openLanes(open: (lane: Lane) => RemoteWrite): Lanes {
  const scraped = open('scraped');
  const clients = new Map<Lane, RemoteWrite>([['scraped', scraped]]);
  let isClosed = false;

  function clientOf(lane: Lane): RemoteWrite {
    const known = clients.get(lane);
    if (known !== undefined) return known;
    if (isClosed) throw new ClosedError();
    const client = open(lane);
    clients.set(lane, client);
    return client;
  }

  return {
    series: (labels, metadata) => scraped.series(labels, metadata),
    async append(points, scrapeMs) {
      // Not known before the first answer where it has to be found out: until then all go together.
      const parts = scraped.stats().protocol === '1.0' ? apart(points, scrapeMs) : [['scraped', points] as const];
      for (const [lane, part] of parts) await clientOf(lane).append(part);
    },
    stats: () => [...clients.values()].map((client) => client.stats()),
    metrics: () => withSums([...clients.values()].map((client) => client.metrics())),
    async close(deadlineMs) {
      isClosed = true;
      await Promise.all([...clients.values()].map((client) => client.close(deadlineMs)));
    },
  };
}

function apart(points: readonly Point[], scrapeMs: number): [Lane, readonly Point[]][] {
  // Most pages give no time at all.
  if (points.every(({ timestampMs }) => timestampMs === scrapeMs)) return [['scraped', points]];
  const parts = new Map<Lane, Point[]>(LANES.map((lane) => [lane, []]));
  for (const point of points) parts.get(laneOf(point.timestampMs, scrapeMs))!.push(point);
  return [...parts].filter(([, part]) => part.length > 0);
}

function laneOf(timestampMs: number, scrapeMs: number): Lane {
  if (timestampMs === scrapeMs) return 'scraped';
  return timestampMs > scrapeMs + AHEAD_MS || timestampMs < scrapeMs - BEHIND_MS ? 'doubtful' : 'own_time';
}

// The lanes' names tell most samples apart. Counters without a name are of the whole relay: its lanes share no sample.
function withSums(parts: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  return mergeMetrics(...parts).map((family) => {
    const [only, ...others] = family.samples;
    if (family.type !== 'counter' || only === undefined || others.length > 0 || parts.length === 1) return family;
    const same = parts.flat().filter(({ name }) => name === family.name);
    const value = same.reduce((sum, { samples }) => sum + samples[0]!.value, 0);
    return { ...family, samples: [{ ...only, value }] };
  });
}
