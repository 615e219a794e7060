// What the status page and /status show: one plain object, made from the stats of shards, ledgers, log and receivers. Several
// shards speak of one tenant or endpoint: here they are one.

import type { PartitionStats } from '../log/index.ts';
import type { EndpointStats, LedgerStats, ShardStats, TenantStats } from '../shard/index.ts';
import {
  addCounts,
  mergeStages,
  noCounts,
  type ReceiverTotals,
  type StageSummary,
  splitDiscardKey,
} from '../telemetry/index.ts';

export interface StatusView {
  version: string;
  nodeVersion: string;
  startedAtMs: number;
  nowMs: number;
  uptimeMs: number;
  multitenancy: boolean;
  /** `address:port` of this API. */
  api: string;
  receivers: ReceiverView[];
  /** Since the start of the process. */
  received: ReceiverTotals;
  log: LogView;
  shards: ShardView[];
  /** Records that can't be decoded, by reason. */
  undecodable: { reason: string; count: number }[];
  /** Those with the most spans first. */
  tenants: TenantView[];
  endpoints: EndpointView[];
  /** In the order of a span's way; percentiles are those of the slowest shard. */
  latencies: StageSummary[];
}

export interface ReceiverView {
  name: string;
  /** `address:port`; undefined while it does not listen. */
  address: string | undefined;
}

export interface LogView {
  kind: 'embedded' | 'kafka';
  /** A directory, or a topic. */
  path: string;
  partitions: LogPartitionView[];
  /** Of a Kafka topic: how far each partition is from its end. */
  lag: LagView[];
  sizeBytes: number;
}

export interface LagView {
  partition: number;
  records: number;
  seconds: number;
}

export interface LogPartitionView {
  partition: number;
  start: number;
  end: number;
  sizeBytes: number;
  queuedBytes: number;
}

export interface ShardView {
  shard: number;
  openTickMs: number | undefined;
  /** Time of the newest durable boundary. */
  boundaryMs: number | undefined;
  /** The partition that the open tick waits for. */
  waitingFor: number | undefined;
  bufferedBytes: number;
  records: number;
  futureRecords: number;
  heldRecords: number;
  lateRecords: number;
  ledgerEntries: number;
  ledgerSizeBytes: number;
  isLedgerOverLimit: boolean;
}

export interface DiscardView {
  reason: string;
  /** `all`: before any processor. */
  processor: string;
  count: number;
}

export interface TenantView extends Omit<TenantStats, 'discarded'> {
  /** Names of the configured processors; undefined where they are not known. */
  processors: readonly string[] | undefined;
  discarded: DiscardView[];
}

export interface EndpointView extends EndpointStats {
  /** From its settled boundary to the newest durable one; undefined if either is missing. */
  lagMs: number | undefined;
}

export interface StatusParts {
  version: string;
  nodeVersion: string;
  startedAtMs: number;
  nowMs: number;
  multitenancy: boolean;
  api: string;
  receivers: readonly ReceiverView[];
  received: ReceiverTotals;
  log: {
    kind: 'embedded' | 'kafka';
    path: string;
    partitions: readonly PartitionStats[];
    lag?: ReadonlyMap<number, { records: number; seconds: number }>;
  };
  /** A shard that has not reported yet has no stats. */
  shards: readonly { shard: number; stats: ShardStats | undefined; ledger: LedgerStats | undefined }[];
  undecodable: ReadonlyMap<string, number>;
  /** As configured: one that nothing was sent to yet has no stats. */
  endpoints: readonly { name: string; url: string }[];
  /** Of the stages on the main thread. */
  latencies: readonly StageSummary[];
  processorsOf?: (tenant: string) => readonly string[];
}

export function buildStatusView(parts: StatusParts): StatusView {
  const { version, nodeVersion, startedAtMs, nowMs, multitenancy, api, received, log } = parts;
  const stats = parts.shards.flatMap((shard) => shard.stats ?? []);
  const ledgers = parts.shards.flatMap(({ ledger }) => ledger ?? []);
  return {
    version,
    nodeVersion,
    startedAtMs,
    nowMs,
    uptimeMs: Math.max(0, nowMs - startedAtMs),
    multitenancy,
    api,
    receivers: [...parts.receivers],
    received,
    log: {
      kind: log.kind,
      path: log.path,
      partitions: log.partitions.map(({ partition, start, end, sizeBytes, queuedBytes }) => ({
        partition,
        start,
        end,
        sizeBytes,
        queuedBytes,
      })),
      lag: [...(log.lag ?? [])].map(([partition, { records, seconds }]) => ({ partition, records, seconds })),
      sizeBytes: log.partitions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    },
    shards: parts.shards.map(shardView),
    undecodable: [...parts.undecodable].map(([reason, count]) => ({ reason, count })),
    tenants: mergeTenants(stats, parts.processorsOf),
    endpoints: mergeEndpoints(parts.endpoints, ledgers),
    latencies: mergeStages([
      ...parts.latencies,
      ...stats.flatMap((s) => s.latencies),
      ...ledgers.flatMap((l) => l.latencies),
    ]),
  };
}

function shardView({ shard, stats, ledger }: StatusParts['shards'][number]): ShardView {
  return {
    shard,
    openTickMs: stats?.openTickMs,
    boundaryMs: ledger?.committedMs,
    waitingFor: stats?.waitingFor,
    bufferedBytes: stats?.bufferedBytes ?? 0,
    records: stats?.records ?? 0,
    futureRecords: stats?.futureRecords ?? 0,
    heldRecords: stats?.heldRecords ?? 0,
    lateRecords: stats?.lateRecords ?? 0,
    ledgerEntries: ledger?.entries ?? 0,
    ledgerSizeBytes: ledger?.sizeBytes ?? 0,
    isLedgerOverLimit: ledger?.overLimit ?? false,
  };
}

function mergeTenants(shards: readonly ShardStats[], processorsOf: StatusParts['processorsOf']): TenantView[] {
  const byTenant = Map.groupBy(
    shards.flatMap(({ tenants }) => tenants),
    ({ tenant }) => tenant,
  );
  return [...byTenant]
    .map(([tenant, stats]): TenantView => {
      const sum = (read: (t: TenantStats) => number) => stats.reduce((total, t) => total + read(t), 0);
      return {
        tenant,
        processors: processorsOf?.(tenant),
        spansReceived: sum((t) => t.spansReceived),
        bytesReceived: sum((t) => t.bytesReceived),
        activeSeries: sum((t) => t.activeSeries),
        rows: sum((t) => t.rows),
        pendingEdges: sum((t) => t.pendingEdges),
        edges: sum((t) => t.edges),
        completedEdges: sum((t) => t.completedEdges),
        expiredEdges: sum((t) => t.expiredEdges),
        seriesLimited: sum((t) => t.seriesLimited),
        discarded: mergeDiscards(stats),
      };
    })
    .sort((a, b) => b.spansReceived - a.spansReceived || (a.tenant < b.tenant ? -1 : 1));
}

function mergeDiscards(stats: readonly TenantStats[]): DiscardView[] {
  const byKey = new Map<string, number>();
  for (const [key, count] of stats.flatMap(({ discarded }) => discarded)) byKey.set(key, (byKey.get(key) ?? 0) + count);
  return [...byKey].map(([key, count]) => ({ ...splitDiscardKey(key), count }));
}

function mergeEndpoints(configured: StatusParts['endpoints'], ledgers: readonly LedgerStats[]): EndpointView[] {
  const byName = new Map<string, EndpointView>(configured.map(({ name, url }) => [name, unusedEndpoint(name, url)]));
  for (const { committedMs, endpoints } of ledgers) {
    for (const stats of endpoints) {
      // 0 stands for: nothing to send yet.
      const settledMs = stats.settledMs || undefined;
      const lagMs =
        settledMs === undefined || committedMs === undefined ? undefined : Math.max(0, committedMs - settledMs);
      const sum = byName.get(stats.name);
      if (!sum) {
        byName.set(stats.name, { ...structuredClone(stats), settledMs, lagMs });
        continue;
      }
      sum.settledMs = smaller(sum.settledMs, settledMs);
      sum.lagMs = larger(sum.lagMs, lagMs);
      addCounts(sum, stats);
      sum.retries += stats.retries;
      sum.lastError ??= stats.lastError;
    }
  }
  return [...byName.values()];
}

function unusedEndpoint(name: string, url: string): EndpointView {
  return {
    name,
    url,
    settledMs: undefined,
    lagMs: undefined,
    ...noCounts(),
    retries: 0,
    lastError: undefined,
  };
}

function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.min(a, b);
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}
