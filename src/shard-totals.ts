// What the hosts of a shard that have ended had counted, so that the counters of this process never fall: the workers of a new host begin
// at 0. Gauges are those of the host that lives; without one there are none.

import type { EndpointStats, LedgerStats, ShardStats, TenantStats } from './shard/index.ts';
import { addCounts, type StageSummary } from './telemetry/index.ts';

/** A shard as its hosts have told of it. */
export interface ShardReport {
  shard: number;
  stats: ShardStats | undefined;
  ledger: LedgerStats | undefined;
}

type Labels = NonNullable<TenantStats['labels']>;

export class ShardTotals {
  private readonly ended = new Map<number, Omit<ShardReport, 'shard'>>();

  /** The host of a shard has ended: it will say no more. */
  end(shard: number, stats: ShardStats | undefined, ledger: LedgerStats | undefined): void {
    const all = this.report(shard, stats, ledger);
    this.ended.set(shard, {
      stats: all.stats && withoutGauges(all.stats),
      ledger: all.ledger && ledgerTotals(all.ledger),
    });
  }

  /** What the host that lives says, and on top what those before it had counted. */
  report(shard: number, stats?: ShardStats, ledger?: LedgerStats): ShardReport {
    const before = this.ended.get(shard);
    return {
      shard,
      stats: before?.stats ? addShards(before.stats, stats) : stats,
      ledger: before?.ledger ? addLedgers(before.ledger, ledger) : ledger,
    };
  }
}

function withoutGauges(stats: ShardStats): ShardStats {
  return {
    ...stats,
    openTickMs: undefined,
    lastBoundaryMs: undefined,
    waitingFor: undefined,
    bufferedBytes: 0,
    tenants: stats.tenants.map((tenant) => ({ ...tenant, activeSeries: 0, rows: 0, pendingEdges: 0 })),
    latencies: stats.latencies.map(sumsOf),
  };
}

function ledgerTotals(stats: LedgerStats): LedgerStats {
  return {
    ...stats,
    committedMs: undefined,
    sizeBytes: 0,
    overLimit: false,
    endpoints: stats.endpoints.map((endpoint) => ({ ...endpoint, settledMs: undefined, lastError: undefined })),
    latencies: stats.latencies.map(sumsOf),
  };
}

/** Percentiles are gauges, too. */
function sumsOf(summary: StageSummary): StageSummary {
  return { ...summary, p50Ms: 0, p99Ms: 0 };
}

/** `ended` has no gauges. */
function addShards(ended: ShardStats, live: ShardStats | undefined): ShardStats {
  if (!live) return ended;
  return {
    ...live,
    records: ended.records + live.records,
    undecodable: ended.undecodable + live.undecodable,
    futureRecords: ended.futureRecords + live.futureRecords,
    heldRecords: ended.heldRecords + live.heldRecords,
    lateRecords: ended.lateRecords + live.lateRecords,
    tenants: joined(ended.tenants, live.tenants, ({ tenant }) => tenant, addTenants),
    latencies: joined(ended.latencies, live.latencies, ({ stage }) => stage, addStages),
  };
}

function addLedgers(ended: LedgerStats, live: LedgerStats | undefined): LedgerStats {
  if (!live) return ended;
  return {
    ...live,
    entries: ended.entries + live.entries,
    endpoints: joined(ended.endpoints, live.endpoints, ({ name }) => name, addEndpoints),
    latencies: joined(ended.latencies, live.latencies, ({ stage }) => stage, addStages),
  };
}

function addTenants(ended: TenantStats, live: TenantStats): TenantStats {
  const labels = ended.labels && live.labels ? addLabels(ended.labels, live.labels) : (live.labels ?? ended.labels);
  return {
    ...live,
    spansReceived: ended.spansReceived + live.spansReceived,
    bytesReceived: ended.bytesReceived + live.bytesReceived,
    edges: ended.edges + live.edges,
    completedEdges: ended.completedEdges + live.completedEdges,
    expiredEdges: ended.expiredEdges + live.expiredEdges,
    seriesLimited: ended.seriesLimited + live.seriesLimited,
    discarded: addPairs(ended.discarded, live.discarded),
    ...(labels ? { labels } : {}),
  };
}

function addLabels(ended: Labels, live: Labels): Labels {
  return {
    namesSanitized: ended.namesSanitized + live.namesSanitized,
    patternsDetected: ended.patternsDetected + live.patternsDetected,
    patternsEvicted: ended.patternsEvicted + live.patternsEvicted,
    namesSkipped: {
      too_few_tokens: ended.namesSkipped.too_few_tokens + live.namesSkipped.too_few_tokens,
      too_many_tokens: ended.namesSkipped.too_many_tokens + live.namesSkipped.too_many_tokens,
    },
    valuesLimited: addPairs(ended.valuesLimited, live.valuesLimited),
  };
}

function addEndpoints(ended: EndpointStats, live: EndpointStats): EndpointStats {
  const sum = structuredClone(live);
  addCounts(sum, ended);
  sum.retries += ended.retries;
  return sum;
}

function addStages(ended: StageSummary, live: StageSummary): StageSummary {
  return {
    ...live,
    count: ended.count + live.count,
    sumMs: ended.sumMs + live.sumMs,
    maxMs: Math.max(ended.maxMs, live.maxMs),
  };
}

function addPairs(ended: readonly [string, number][], live: readonly [string, number][]): [string, number][] {
  return joined(
    ended,
    live,
    ([key]) => key,
    ([key, a], [, b]): [string, number] => [key, a + b],
  );
}

/** What is in both is added, what is in one only is kept. */
function joined<T>(ended: readonly T[], live: readonly T[], keyOf: (item: T) => string, add: (a: T, b: T) => T): T[] {
  const byKey = new Map(ended.map((item) => [keyOf(item), item]));
  for (const item of live) {
    const before = byKey.get(keyOf(item));
    byKey.set(keyOf(item), before === undefined ? item : add(before, item));
  }
  return [...byKey.values()];
}
