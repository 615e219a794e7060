import { describe, expect, it } from 'vitest';
import type { LedgerStats, ShardStats } from '../../src/shard/index.ts';
import { ShardTotals } from '../../src/shard-totals.ts';
import { createOwnMetrics } from '../../src/telemetry/index.ts';
import { endpointStats, ledgerStats, NOW_MS, shardStats, tenantStats } from '../api/support.ts';
import { parseText } from '../telemetry/prometheus-text.ts';

/** Stats in which every counter is at least `n`. */
function counted(n: number): { stats: ShardStats; ledger: LedgerStats } {
  const latency = (stage: 'fold' | 'send') => [{ stage, count: n, sumMs: n, p50Ms: n, p99Ms: n, maxMs: n }];
  return {
    stats: shardStats({
      records: n,
      undecodable: n,
      futureRecords: n,
      heldRecords: n,
      lateRecords: n,
      tenants: [
        tenantStats({
          tenant: 'a',
          spansReceived: n,
          bytesReceived: n,
          edges: n,
          completedEdges: n,
          expiredEdges: n,
          seriesLimited: n,
          activeSeries: 7,
          rows: 7,
          pendingEdges: 7,
          discarded: [['late all', n]],
          labels: {
            namesSanitized: n,
            patternsDetected: n,
            patternsEvicted: n,
            namesSkipped: { too_few_tokens: n, too_many_tokens: n },
            valuesLimited: [['span_name', n]],
          },
        }),
      ],
      latencies: latency('fold'),
    }),
    ledger: ledgerStats({
      entries: n,
      endpoints: [
        endpointStats({
          samplesSent: n,
          samplesFailed: n,
          boundariesSent: n,
          boundariesRefused: n,
          repeatsRefused: n,
          repeatSamplesRefused: n,
          retries: n,
          zerosRefused: n,
          samplesNotSent: { relabel: n, relabel_collision: n, invalid_labels: n, too_old: n },
          boundariesSkipped: { age: n, ledger_full: n, behind: n, window: n },
        }),
      ],
      latencies: latency('send'),
    }),
  };
}

/** Every counter of spanmill in a scrape, with its labels. */
async function counters(totals: ShardTotals, live: Map<number, ReturnType<typeof counted>>) {
  const reports = [0, 1].map((shard) => totals.report(shard, live.get(shard)?.stats, live.get(shard)?.ledger));
  const { body } = await createOwnMetrics().expose({
    shards: reports.flatMap(({ stats }) => stats ?? []),
    ledgers: reports.flatMap(({ ledger }) => ledger ?? []),
    nowMs: NOW_MS,
  });
  const found = new Map<string, number>();
  for (const [family, { type, samples }] of parseText(body)) {
    if (!family.startsWith('spanmill_') || !(type === 'counter' || type === 'summary')) continue;
    for (const { name, labels, value } of samples)
      if (!('quantile' in labels)) found.set(name + JSON.stringify(labels), value);
  }
  return found;
}

describe('the totals of shards', () => {
  it('never fall in a scrape, whichever shard is made anew, and count once what each host counted', async () => {
    const totals = new ShardTotals();
    const live = new Map([
      [0, counted(100)],
      [1, counted(50)],
    ]);
    let before = await counters(totals, live);
    expect([...before.values()].filter((value) => value === 150).length).toBeGreaterThan(25);
    const steps: [() => void, expected: number][] = [
      [() => end(1), 150],
      [() => live.set(1, counted(3)), 153],
      [() => end(1), 153],
      [() => end(0), 153],
      [() => live.set(0, counted(2)).set(1, counted(1)), 156],
    ];
    const end = (shard: number) => {
      const { stats, ledger } = live.get(shard)!;
      totals.end(shard, stats, ledger);
      live.delete(shard);
    };
    for (const [step, expected] of steps) {
      step();
      const now = await counters(totals, live);
      for (const [name, value] of before) expect([name, now.get(name)! >= value]).toEqual([name, true]);
      expect(now.get('spanmill_spans_received_total{"tenant":"a"}')).toBe(expected);
      expect(now.get('spanmill_remote_write_samples_sent_total{"endpoint":"prometheus"}')).toBe(expected);
      expect(now.get('spanmill_stage_seconds_count{"stage":"fold"}')).toBe(expected);
      before = now;
    }
  });

  it('keep no gauge of a host that has ended', () => {
    const totals = new ShardTotals();
    const { stats, ledger } = counted(9);
    totals.end(0, stats, ledger);
    const ended = totals.report(0);
    expect(ended.stats).toMatchObject({
      records: 9,
      bufferedBytes: 0,
      openTickMs: undefined,
      lastBoundaryMs: undefined,
    });
    expect(ended.stats!.tenants[0]).toMatchObject({ spansReceived: 9, activeSeries: 0, rows: 0, pendingEdges: 0 });
    expect(ended.ledger).toMatchObject({ entries: 9, sizeBytes: 0, overLimit: false, committedMs: undefined });
    expect(ended.ledger!.endpoints[0]).toMatchObject({ samplesSent: 9, settledMs: undefined });
    const next = counted(1);
    const { stats: both, ledger: bothLedger } = totals.report(0, next.stats, next.ledger);
    expect(both).toMatchObject({
      records: 10,
      bufferedBytes: next.stats.bufferedBytes,
      openTickMs: next.stats.openTickMs,
    });
    expect(both!.latencies).toMatchObject([{ count: 10, p50Ms: 1, p99Ms: 1, maxMs: 9 }]);
    expect(bothLedger!.endpoints[0]!.settledMs).toBe(next.ledger.endpoints[0]!.settledMs);
    expect(next.ledger.endpoints[0]!.samplesSent).toBe(1);
  });

  it('are nothing before a shard has said anything, also when its host ends then', () => {
    const totals = new ShardTotals();
    totals.end(0, undefined, undefined);
    expect(totals.report(0)).toEqual({ shard: 0, stats: undefined, ledger: undefined });
  });
});
