import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REFUSAL_REASONS } from '../../src/receivers/index.ts';
import { createOwnMetrics, MAX_TENANT_LABELS, type OwnMetricsView } from '../../src/telemetry/index.ts';
import { endpointStats, ledgerStats, NOW_MS, shardStats, tenantStats } from '../api/support.ts';
import { type Family, parseText } from './prometheus-text.ts';

const view = (over: Partial<OwnMetricsView> = {}): OwnMetricsView => ({
  shards: [shardStats()],
  ledgers: [ledgerStats()],
  nowMs: NOW_MS,
  ...over,
});

async function scrape(over: Partial<OwnMetricsView> = {}): Promise<Map<string, Family>> {
  return parseText((await createOwnMetrics().expose(view(over))).body);
}

function value(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number | undefined {
  const sample = [...families.values()]
    .flatMap(({ samples }) => samples)
    .find((s) => s.name === name && JSON.stringify(s.labels) === JSON.stringify(labels));
  return sample?.value;
}

describe('the own metrics', () => {
  it('are Prometheus text in which every sample stands below the type of its family', async () => {
    const { contentType, body } = await createOwnMetrics().expose(view());
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    const families = parseText(body);
    for (const [name, { samples }] of families) {
      for (const sample of samples) expect(sample.name.startsWith(name)).toBe(true);
    }
    expect(families.size).toBeGreaterThan(50);
  });

  it('are counters exactly where the name ends in _total', async () => {
    const own = [...(await scrape())].filter(([name]) => name.startsWith('spanmill_'));
    for (const [name, { type }] of own) expect([name, type === 'counter']).toEqual([name, name.endsWith('_total')]);
  });

  it('never have two samples with the same name and labels', async () => {
    const shards = [shardStats(), shardStats()];
    const samples = [...(await scrape({ shards })).values()].flatMap((family) => family.samples);
    const keys = samples.map(({ name, labels }) => name + JSON.stringify(labels));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('count what the receiver tells, with every refusal reason there from the start', async () => {
    const metrics = createOwnMetrics();
    const events = metrics.receiverEvents;
    const info = { tenant: 'a', format: 'json', compression: 'gzip', durationMs: 1 } as const;
    events.received?.({ ...info, wireBytes: 10, bodyBytes: 100, spans: 7, records: 2 });
    events.received?.({ ...info, wireBytes: 5, bodyBytes: 50, spans: 3, records: 1 });
    events.refused?.('bad_json', 400);
    events.oddIds?.(4, 'a');
    events.aborted?.();
    const families = parseText((await metrics.expose(view())).body);
    expect(value(families, 'spanmill_receiver_requests_total')).toBe(2);
    expect(value(families, 'spanmill_receiver_spans_total')).toBe(10);
    expect(value(families, 'spanmill_receiver_records_total')).toBe(3);
    expect(value(families, 'spanmill_receiver_wire_bytes_total')).toBe(15);
    expect(value(families, 'spanmill_receiver_body_bytes_total')).toBe(150);
    expect(value(families, 'spanmill_receiver_odd_id_spans_total')).toBe(4);
    expect(value(families, 'spanmill_receiver_aborted_total')).toBe(1);
    const refused = families.get('spanmill_receiver_refused_total')!.samples;
    expect(refused.map(({ labels }) => labels['reason'])).toEqual([...REFUSAL_REASONS]);
    expect(refused.filter((sample) => sample.value > 0)).toMatchObject([{ labels: { reason: 'bad_json' }, value: 1 }]);
    expect(metrics.receiverTotals()).toMatchObject({ requests: 2, spans: 10, aborted: 1, refused: { bad_json: 1 } });
  });

  it('hand out totals that later events leave alone', () => {
    const metrics = createOwnMetrics();
    const before = metrics.receiverTotals();
    metrics.receiverEvents.refused?.('internal', 500);
    expect(before.refused.internal).toBe(0);
    expect(metrics.receiverTotals().refused.internal).toBe(1);
  });

  it('share nothing between two instances', async () => {
    const [one, two] = [createOwnMetrics(), createOwnMetrics()];
    one.receiverEvents.aborted?.();
    expect(value(parseText((await two.expose(view())).body), 'spanmill_receiver_aborted_total')).toBe(0);
  });

  it('sum shards that speak of the same tenant and keep reasons and processors apart', async () => {
    const shard = (spansReceived: number, late: number) =>
      shardStats({
        tenants: [
          tenantStats({
            tenant: 'team-a',
            spansReceived,
            discarded: [
              ['outside_metrics_ingestion_slack all', late],
              ['span_metrics_filtered span-metrics', 1],
            ],
          }),
        ],
      });
    const families = await scrape({ shards: [shard(10, 2), shard(30, 5)] });
    expect(value(families, 'spanmill_spans_received_total', { tenant: 'team-a' })).toBe(40);
    const discarded = (reason: string, processor: string) =>
      value(families, 'spanmill_spans_discarded_total', { tenant: 'team-a', reason, processor });
    expect(discarded('outside_metrics_ingestion_slack', 'all')).toBe(7);
    expect(discarded('span_metrics_filtered', 'span-metrics')).toBe(2);
  });

  it('sum what the rules over labels did, by label and by reason', async () => {
    const shard = (n: number) =>
      shardStats({
        tenants: [
          tenantStats({
            tenant: 'team-a',
            labels: {
              namesSanitized: n,
              patternsDetected: 2 * n,
              patternsEvicted: 3 * n,
              namesSkipped: { too_few_tokens: 4 * n, too_many_tokens: 5 * n },
              valuesLimited: [
                ['span_name', 6 * n],
                [`only_${n}`, n],
              ],
            },
          }),
        ],
      });
    const families = await scrape({ shards: [shard(1), shard(10)] });
    const of = (name: string, more = {}) => value(families, `spanmill_${name}_total`, { tenant: 'team-a', ...more });
    expect(of('span_names_sanitized')).toBe(11);
    expect(of('span_name_patterns_detected')).toBe(22);
    expect(of('span_name_patterns_evicted')).toBe(33);
    expect(of('span_names_skipped', { reason: 'too_few_tokens' })).toBe(44);
    expect(of('span_names_skipped', { reason: 'too_many_tokens' })).toBe(55);
    expect(of('label_values_limited', { label_name: 'span_name' })).toBe(66);
    expect(of('label_values_limited', { label_name: 'only_10' })).toBe(10);
  });

  it('give a scrape the newest view and no memory of the one before', async () => {
    const metrics = createOwnMetrics();
    metrics.update(view({ shards: [shardStats({ records: 5, tenants: [tenantStats({ tenant: 'gone' })] })] }));
    expect(value(parseText((await metrics.expose()).body), 'spanmill_records_folded_total')).toBe(5);
    const next = parseText((await metrics.expose(view({ shards: [shardStats({ records: 8 })] }))).body);
    expect(value(next, 'spanmill_records_folded_total')).toBe(8);
    expect(value(next, 'spanmill_spans_received_total', { tenant: 'gone' })).toBeUndefined();
  });

  it('do not mix the views of two scrapes at the same time', async () => {
    const metrics = createOwnMetrics();
    const views = [1, 2].map((n) => view({ shards: [shardStats({ records: n, bufferedBytes: n })] }));
    const texts = await Promise.all(views.map((v) => metrics.expose(v)));
    const pairs = texts.map(({ body }) => {
      const families = parseText(body);
      return [value(families, 'spanmill_records_folded_total'), value(families, 'spanmill_buffered_bytes')];
    });
    expect(pairs).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('leave out what is not known yet instead of saying 0', async () => {
    const unknown = { committedMs: undefined, endpoints: [endpointStats({ settledMs: 0 })] };
    const families = await scrape({ ledgers: [ledgerStats(unknown)] });
    for (const name of ['spanmill_boundary_timestamp_seconds', 'spanmill_boundary_lag_seconds']) {
      expect(families.get(name)!.samples).toEqual([]);
    }
    expect(families.get('spanmill_remote_write_settled_timestamp_seconds')!.samples).toEqual([]);
    expect(families.get('spanmill_log_records_total')!.samples).toEqual([]);
  });

  it('take the boundary and the settlement of the shard that is furthest behind', async () => {
    const at = (ms: number) => ledgerStats({ committedMs: ms, endpoints: [endpointStats({ settledMs: ms - 15_000 })] });
    const families = await scrape({ ledgers: [at(NOW_MS - 7_000), at(NOW_MS - 22_000)] });
    expect(value(families, 'spanmill_boundary_lag_seconds')).toBe(22);
    expect(value(families, 'spanmill_boundary_timestamp_seconds')).toBe((NOW_MS - 22_000) / 1_000);
    const endpoint = { endpoint: 'prometheus' };
    expect(value(families, 'spanmill_remote_write_settled_timestamp_seconds', endpoint)).toBe(
      (NOW_MS - 37_000) / 1_000,
    );
    expect(value(families, 'spanmill_remote_write_samples_sent_total', endpoint)).toBe(2 * 168_900);
  });

  it('say for Prometheus what waits and what is sent: the alert of 3.x on how far an endpoint is behind takes one from the other', async () => {
    const at = (ms: number) => ledgerStats({ committedMs: ms, endpoints: [endpointStats({ settledMs: ms - 15_000 })] });
    const families = await scrape({ ledgers: [at(NOW_MS - 7_000), at(NOW_MS - 22_000)] });
    const endpoint = { remote_name: 'prometheus', url: 'http://127.0.0.1:9090/api/v1/write' };
    const newest = (what: string) => value(families, `prometheus_remote_storage_${what}_seconds`, endpoint)!;
    expect(newest('queue_highest_timestamp')).toBe((NOW_MS - 7_000) / 1_000);
    expect(newest('queue_highest_timestamp') - newest('queue_highest_sent_timestamp')).toBe(30);
    const none = await scrape({ ledgers: [ledgerStats({ committedMs: undefined, endpoints: [endpointStats()] })] });
    expect(none.get('prometheus_remote_storage_queue_highest_timestamp_seconds')!.samples).toEqual([]);
  });

  it('show stage latencies as a summary: the slowest percentiles, the sums of all', async () => {
    const fold = (count: number, p99Ms: number) => ({
      stage: 'fold' as const,
      count,
      sumMs: 100,
      p50Ms: 1,
      p99Ms,
      maxMs: 50,
    });
    const families = await scrape({
      shards: [shardStats({ latencies: [fold(10, 20)] }), shardStats({ latencies: [fold(5, 40)] })],
      latencies: [{ stage: 'receive', count: 3, sumMs: 9, p50Ms: 2, p99Ms: 4, maxMs: 5 }],
    });
    expect(families.get('spanmill_stage_seconds')!.type).toBe('summary');
    expect(value(families, 'spanmill_stage_seconds', { stage: 'fold', quantile: '0.99' })).toBe(0.04);
    expect(value(families, 'spanmill_stage_seconds', { stage: 'receive', quantile: '1' })).toBe(0.005);
    expect(value(families, 'spanmill_stage_seconds_count', { stage: 'fold' })).toBe(15);
    expect(value(families, 'spanmill_stage_seconds_sum', { stage: 'fold' })).toBe(0.2);
  });

  it('name undecodable records by reason, and as unknown where only their number is known', async () => {
    const known = await scrape({ undecodable: new Map([['truncated', 3]]) });
    expect(value(known, 'spanmill_records_undecodable_total', { reason: 'truncated' })).toBe(3);
    const unknown = await scrape({ shards: [shardStats({ undecodable: 2 })] });
    expect(value(unknown, 'spanmill_records_undecodable_total', { reason: 'unknown' })).toBe(2);
  });

  it('give tenants beyond the first thousand one label, and never move one that has a name', async () => {
    const metrics = createOwnMetrics();
    const tenants = (n: number, spansReceived: number) =>
      Array.from({ length: n }, (_, i) => tenantStats({ tenant: `t${i}`, spansReceived }));
    await metrics.expose(view({ shards: [shardStats({ tenants: tenants(MAX_TENANT_LABELS, 1) })] }));
    const reversed = tenants(MAX_TENANT_LABELS + 20, 2).reverse();
    const families = parseText((await metrics.expose(view({ shards: [shardStats({ tenants: reversed })] }))).body);
    const { samples } = families.get('spanmill_spans_received_total')!;
    expect(samples).toHaveLength(MAX_TENANT_LABELS + 1);
    expect(value(families, 'spanmill_spans_received_total', { tenant: '_other' })).toBe(40);
    expect(value(families, 'spanmill_spans_received_total', { tenant: 't0' })).toBe(2);
    expect(value(families, 'spanmill_tenants')).toBe(MAX_TENANT_LABELS + 20);
  });

  it('escape label values', async () => {
    const tenant = 'a"b\\c\nd';
    const families = await scrape({ shards: [shardStats({ tenants: [tenantStats({ tenant })] })] });
    expect(value(families, 'spanmill_active_series', { tenant })).toBe(4_120);
  });
});

describe('docs/reference/metrics.md', () => {
  const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z0-9_]+)` \| (\w+) \| ([^|]*) \| (.+) \|$/gm)];

  it('lists exactly the metrics that exist, with their types', async () => {
    const listed = rows.map(([, name, type]) => `${name} ${type}`);
    const existing = [...(await scrape())].map(([name, { type }]) => `${name} ${type}`);
    expect(listed.sort()).toEqual(existing.sort());
  });

  it('names the labels that the samples of spanmill have', async () => {
    const partitions = [{ partition: 0, start: 0, end: 1, segments: 1, sizeBytes: 1, queuedBytes: 0 }];
    const counters = { groups: 1, records: 1, bytes: 1, failedGroups: 0, repairs: 0, deletedSegments: 0, tornBytes: 0 };
    const log = { partitions, ...counters, openFiles: 1, consumers: 1 };
    const kafka = {
      skipped: { tombstone: 1 },
      records: 1,
      fetchedBytes: 1,
      commits: 1,
      refusedCommits: 0,
      rebalances: 1,
    };
    const labels = {
      namesSanitized: 1,
      patternsDetected: 1,
      patternsEvicted: 0,
      namesSkipped: { too_few_tokens: 0, too_many_tokens: 0 },
      valuesLimited: [['span_name', 1]] as [string, number][],
    };
    const families = await scrape({
      shards: [shardStats({ tenants: [tenantStats({ labels })] })],
      log,
      kafka: {
        ...kafka,
        appendedRecords: 1,
        failedAppends: 0,
        deadLetters: 1,
        lostDeadLetters: 0,
        lag: new Map([[0, { records: 3, seconds: 1 }]]),
      } as unknown as NonNullable<OwnMetricsView['kafka']>,
      lostRecords: 0,
      splitTraces: 0,
      overrides: { failures: 0, lastSuccessMs: 1 },
      undecodable: new Map([['truncated', 1]]),
    });
    for (const [, name, , labels] of rows.filter(([, name]) => name!.startsWith('spanmill_'))) {
      const { samples } = families.get(name!)!;
      expect([name, samples.length > 0]).toEqual([name, true]);
      const existing = [...new Set(samples.flatMap((sample) => Object.keys(sample.labels)))];
      expect([name, [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort()]).toEqual([
        name,
        existing.sort(),
      ]);
    }
  });
});
