// What a shard tells of itself once a second.

import type { LabelCounters } from '../registry/index.ts';
import type { StageLatencies } from '../telemetry/index.ts';
import type { LabelStats, ShardStats, TenantStats } from './protocol.ts';
import type { Shard } from './shard.ts';

export function shardStats(shard: Shard, latencies: StageLatencies): ShardStats {
  const ticks = shard.tickStats();
  return {
    openTickMs: ticks?.openTickStartMs,
    lastBoundaryMs: shard.lastBoundaryMs,
    waitingFor: ticks?.waitingFor,
    bufferedBytes: ticks?.partitions.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0) ?? 0,
    records: shard.records,
    undecodable: shard.undecodable,
    futureRecords: ticks?.counters.future ?? 0,
    heldRecords: ticks?.counters.held ?? 0,
    lateRecords: ticks?.counters.late ?? 0,
    tenants: shard.fold.all().map(
      ({ tenant, counters, registry, pendingEdges }): TenantStats => ({
        tenant,
        spansReceived: counters.spansReceived,
        bytesReceived: counters.bytesReceived,
        activeSeries: registry.activeSeries,
        rows: registry.liveRows,
        pendingEdges,
        edges: counters.edges,
        completedEdges: counters.completedEdges,
        expiredEdges: [...counters.expiredEdges.values()].reduce((sum, n) => sum + n, 0),
        seriesLimited: registry.limiter.counters.seriesLimited,
        discarded: [...counters.discarded],
        labels: labelStats(registry.labelCounters),
      }),
    ),
    latencies: latencies.summaries(),
  };
}

function labelStats(counters: LabelCounters): LabelStats {
  return {
    namesSanitized: counters.spansSanitized,
    patternsDetected: counters.patternsDetected,
    patternsEvicted: counters.patternsEvicted,
    namesSkipped: { too_few_tokens: counters.tooFewTokens, too_many_tokens: counters.tooManyTokens },
    valuesLimited: [...counters.valuesLimited],
  };
}
