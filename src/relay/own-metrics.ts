// The relay about itself, as Prometheus text: its scrapes under names of its own, its endpoint under those that Prometheus
// has for its remote write, so that its alerts hold here too.

import { type MetricFamily, type RemoteWriteStats, renderMetrics } from 'remote-write-ts';
import type { RelayCounts } from './relay.ts';

export interface OwnState {
  counts: RelayCounts;
  /** Of the endpoint's lanes. */
  lanes: readonly RemoteWriteStats[];
  /** Of the same ones, from `metrics()`. */
  remoteStorage: readonly MetricFamily[];
  trackedSeries: number;
}

interface OwnMetric {
  name: string;
  type: 'counter' | 'gauge';
  help: string;
  /** The label's name, where there is one. */
  label?: string;
  values: (state: OwnState) => Record<string, number> | number;
}

/** A test holds that the reference page lists exactly these. */
export const OWN_METRICS: readonly OwnMetric[] = [
  {
    name: 'spanmill_relay_scrapes_total',
    type: 'counter',
    help: 'Scrapes by outcome; skipped ones were due while another was under way or the queue was full.',
    label: 'outcome',
    values: ({ counts }) => counts.scrapes,
  },
  {
    name: 'spanmill_relay_scraped_samples_total',
    type: 'counter',
    help: 'Samples on pages that could be read.',
    values: ({ counts }) => counts.samples,
  },
  {
    name: 'spanmill_relay_discarded_total',
    type: 'counter',
    help: 'Samples and exemplars of pages that are not sent, by reason.',
    label: 'reason',
    values: ({ counts: { discarded } }) => ({
      duplicate: discarded.duplicate,
      not_newer: discarded.notNewer,
      long_exemplar: discarded.longExemplars,
    }),
  },
  {
    name: 'spanmill_relay_stale_markers_total',
    type: 'counter',
    help: 'Series that were ended because they vanished or the scrape failed.',
    values: ({ counts }) => counts.staleMarkers,
  },
  {
    name: 'spanmill_relay_series',
    type: 'gauge',
    help: 'Series of the latest page.',
    values: ({ trackedSeries }) => trackedSeries,
  },
  {
    name: 'spanmill_relay_samples_total',
    type: 'counter',
    help: 'Samples and stale markers by fate.',
    label: 'fate',
    values: ({ lanes }) => fates(lanes, 'samples'),
  },
  {
    name: 'spanmill_relay_exemplars_total',
    type: 'counter',
    help: 'Exemplars by fate.',
    label: 'fate',
    values: ({ lanes }) => fates(lanes, 'exemplars'),
  },
  {
    name: 'spanmill_relay_requests_total',
    type: 'counter',
    help: 'Requests by outcome; retry counts attempts that were repeated.',
    label: 'outcome',
    values: ({ lanes }) => ({
      accepted: sumOf(lanes, ({ requests }) => requests.accepted),
      refused: sumOf(lanes, ({ requests }) => requests.refused),
      aborted: sumOf(lanes, ({ requests }) => requests.aborted),
      retry: sumOf(lanes, ({ requests }) => requests.retries),
    }),
  },
  {
    name: 'spanmill_relay_pending_samples',
    type: 'gauge',
    help: 'Samples that wait to be sent.',
    values: ({ lanes }) => sumOf(lanes, ({ pending, blocked }) => pending + blocked),
  },
];

export function renderOwnMetrics(state: OwnState): string {
  const own = OWN_METRICS.map(({ name, type, help, label, values }): MetricFamily => {
    const held = values(state);
    const samples =
      typeof held === 'number'
        ? [{ name, labels: [], value: held }]
        : Object.entries(held).map(([word, value]) => ({ name, labels: [[label!, word] as const], value }));
    return { name, type, help, samples };
  });
  return renderMetrics([...own, ...state.remoteStorage]);
}

function fates(lanes: readonly RemoteWriteStats[], kind: 'samples' | 'exemplars'): Record<string, number> {
  return {
    sent: sumOf(lanes, ({ sent }) => sent[kind]),
    failed: sumOf(lanes, ({ failed }) => failed[kind]),
    too_old: sumOf(lanes, ({ dropped }) => dropped.too_old[kind]),
    closed: sumOf(lanes, ({ dropped }) => dropped.closed[kind]),
  };
}

function sumOf(lanes: readonly RemoteWriteStats[], pick: (lane: RemoteWriteStats) => number): number {
  return lanes.reduce((sum, lane) => sum + pick(lane), 0);
}
