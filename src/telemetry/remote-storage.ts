// What spanmill sends, under the names that Prometheus gives to its own remote write: so that its alerts and dashboards work as they are.
// A name must mean here what it means there; native histograms count as samples. Source: Prometheus, `prometheus_remote_storage_*`.

import type { EndpointStats } from '../shard/index.ts';
import type { Definition, Reading, Source } from './definition.ts';
import { allReasons } from './sender-counters.ts';

const PREFIX = 'prometheus_remote_storage_';
const LABELS = ['remote_name', 'url'];

export const REMOTE_STORAGE: readonly Definition[] = [
  perRemote('samples_total', 'Samples in requests, each attempt counted.', (e) => e.samplesAttempted),
  perRemote('samples_failed_total', 'Samples that the endpoint refused for good.', (e) => e.samplesFailed),
  perRemote('samples_retried_total', 'Samples in requests that had to be sent again.', (e) => e.samplesRetried),
  {
    name: `${PREFIX}samples_dropped_total`,
    help: 'Samples that write_relabel_configs left out, or that became too old.',
    labels: [...LABELS, 'reason'],
    read: ({ ledgers }) =>
      ledgers.flatMap(({ endpoints }) =>
        endpoints.flatMap((e): Reading[] => {
          const { too_old: tooOld, ...series } = e.samplesNotSent;
          return [
            [[...labelsOf(e), 'dropped_series'], allReasons(series)],
            [[...labelsOf(e), 'too_old'], tooOld],
          ];
        }),
      ),
  },
  perRemote('bytes_total', 'Compressed bytes of requests that were answered for good.', (e) => e.bytes),
  {
    name: `${PREFIX}queue_highest_timestamp_seconds`,
    help: 'Newest durable boundary, as it waits for each endpoint.',
    labels: LABELS,
    read: ({ ledgers }) => {
      const newest = new Map<string, [EndpointStats, committedMs: number]>();
      for (const { endpoints, committedMs } of ledgers) {
        for (const stats of endpoints) {
          const [, known] = newest.get(stats.name) ?? [stats, 0];
          newest.set(stats.name, [stats, Math.max(known, committedMs ?? 0)]);
        }
      }
      return [...newest.values()].flatMap(([stats, committedMs]): Reading[] =>
        committedMs === 0 ? [] : [[labelsOf(stats), committedMs / 1_000]],
      );
    },
  },
  {
    name: `${PREFIX}queue_highest_sent_timestamp_seconds`,
    help: 'Newest boundary that needs no more sending; of several shards and tenants the earliest. Where nothing was taken yet: just before the first that waits.',
    labels: LABELS,
    read: ({ ledgers }) => {
      const earliest = new Map<string, EndpointStats>();
      for (const stats of ledgers.flatMap(({ endpoints }) => endpoints)) {
        const known = earliest.get(stats.name);
        // 0 stands for: nothing to send yet.
        if (stats.settledMs && (!known || stats.settledMs < known.settledMs!)) earliest.set(stats.name, stats);
      }
      return [...earliest.values()].map((stats): Reading => [labelsOf(stats), stats.settledMs! / 1_000]);
    },
  },
  {
    name: `${PREFIX}highest_timestamp_in_seconds`,
    help: 'Newest durable boundary.',
    labels: [],
    read: ({ ledgers }: Source) => {
      const newestMs = Math.max(0, ...ledgers.map(({ committedMs }) => committedMs ?? 0));
      return [[[], newestMs === 0 ? undefined : newestMs / 1_000]];
    },
  },
];

function perRemote(suffix: string, help: string, read: (stats: EndpointStats) => number): Definition {
  return {
    name: PREFIX + suffix,
    help,
    labels: LABELS,
    read: ({ ledgers }) => ledgers.flatMap(({ endpoints }) => endpoints.map((e): Reading => [labelsOf(e), read(e)])),
  };
}

/** A query may hold a secret. */
function labelsOf({ name, url }: EndpointStats): string[] {
  return [name, url.replace(/[?#].*$/s, '')];
}
