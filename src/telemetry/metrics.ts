// spanmill's own metrics. Their truth is in plain totals and in the stats that the workers send; a scrape reads them and keeps
// nothing. Never one label value per span, series or request: tenants beyond the first 1,000 share one.
// Long because half of it is one table, which is easier to read whole.

import { Counter, collectDefaultMetrics, Gauge, Registry, Summary } from 'prom-client';
import type { EmbeddedLogStats, KafkaLogStats, Lag, PartitionStats } from '../log/index.ts';
import type { ReceiverEvents, RefusalReason } from '../receivers/index.ts';
import type { EndpointStats, LedgerStats, ShardStats, TenantStats } from '../shard/index.ts';
import { VERSION } from '../version.ts';
import type { Definition, Reading, Source } from './definition.ts';
import type { StageSummary } from './latency.ts';
import { REMOTE_STORAGE } from './remote-storage.ts';

export const MAX_TENANT_LABELS = 1_000;
export const OTHER_TENANTS = '_other';

/** What a scrape sees: the newest stats of each shard and ledger, and of the log. */
export interface OwnMetricsView {
  shards: readonly ShardStats[];
  ledgers: readonly LedgerStats[];
  log?: EmbeddedLogStats | undefined;
  kafka?: (KafkaLogStats & { lag: ReadonlyMap<number, Lag> }) | undefined;
  /** Records that the log deleted before they were folded. */
  lostRecords?: number | undefined;
  /** Sampled traces that were seen in several shards. */
  splitTraces?: number | undefined;
  /** Undecodable records by reason. */
  undecodable?: ReadonlyMap<string, number> | undefined;
  /** How reading the per-tenant file goes. */
  overrides?: { failures: number; lastSuccessMs: number } | undefined;
  /** Of the stages that run on the main thread. */
  latencies?: readonly StageSummary[] | undefined;
  nowMs: number;
}

/** What the receivers of this process have taken in and refused since its start. */
export interface ReceiverTotals {
  requests: number;
  spans: number;
  records: number;
  wireBytes: number;
  bodyBytes: number;
  oddIdSpans: number;
  aborted: number;
  refused: Record<RefusalReason, number>;
}

export interface OwnMetrics {
  /** For the receivers. */
  readonly receiverEvents: ReceiverEvents;
  receiverTotals(): ReceiverTotals;
  /** Replaces what the next scrape sees. */
  update(view: OwnMetricsView): void;
  /** Prometheus text format 0.0.4, of `view` if it is given. */
  expose(view?: OwnMetricsView): Promise<{ contentType: string; body: string }>;
}

/** Has its own registry: two of them in one process share nothing. */
export function createOwnMetrics(): OwnMetrics {
  const registry = new Registry();
  const receiver = newTotals();
  const tenants = new TenantLabels();
  let view: OwnMetricsView = { shards: [], ledgers: [], nowMs: 0 };
  collectDefaultMetrics({ register: registry });
  const source = (): Source => ({ ...view, receiver, tenantLabel: (tenant) => tenants.of(tenant) });
  for (const definition of DEFINITIONS) register(registry, definition, source);
  registerStages(registry, source);
  return {
    receiverEvents: {
      received({ spans, records, wireBytes, bodyBytes }) {
        receiver.requests++;
        receiver.spans += spans;
        receiver.records += records;
        receiver.wireBytes += wireBytes;
        receiver.bodyBytes += bodyBytes;
      },
      refused(reason) {
        receiver.refused[reason]++;
      },
      oddIds(spans) {
        receiver.oddIdSpans += spans;
      },
      aborted() {
        receiver.aborted++;
      },
    },
    receiverTotals: () => ({ ...receiver, refused: { ...receiver.refused } }),
    update(next) {
      view = next;
    },
    async expose(next) {
      if (next) view = next;
      // Every value is read before the first await inside: two scrapes at once don't mix their views.
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

// The type follows from the name, as the Prometheus conventions have it: what ends in _total only goes up.
const DEFINITIONS: readonly Definition[] = [
  {
    name: 'spanmill_build_info',
    help: 'Always 1; the labels name the versions.',
    labels: ['version', 'node'],
    read: () => [[[VERSION, process.versions.node], 1]],
  },

  one(
    'spanmill_overrides_reload_failures_total',
    'Readings of the per-tenant file that found it missing or not valid.',
    (s) => s.overrides?.failures,
  ),
  one(
    'spanmill_overrides_last_reload_successful_timestamp_seconds',
    'When the per-tenant file was last read and valid.',
    (s) => toSeconds(s.overrides?.lastSuccessMs),
  ),

  one('spanmill_receiver_requests_total', 'Requests that were acknowledged.', (s) => s.receiver.requests),
  one('spanmill_receiver_spans_total', 'Spans in acknowledged requests.', (s) => s.receiver.spans),
  one('spanmill_receiver_records_total', 'Log records that acknowledged requests became.', (s) => s.receiver.records),
  one('spanmill_receiver_wire_bytes_total', 'Bytes of acknowledged requests as sent.', (s) => s.receiver.wireBytes),
  one(
    'spanmill_receiver_body_bytes_total',
    'Bytes of acknowledged requests after decompression.',
    (s) => s.receiver.bodyBytes,
  ),
  one(
    'spanmill_receiver_odd_id_spans_total',
    'Spans taken in whose ids are all zero or of an unusual length.',
    (s) => s.receiver.oddIdSpans,
  ),
  one(
    'spanmill_receiver_aborted_total',
    'Requests that ended before their body was complete, or while it waited to be read.',
    (s) => s.receiver.aborted,
  ),
  {
    name: 'spanmill_receiver_refused_total',
    help: 'Requests that were not acknowledged, by reason.',
    labels: ['reason'],
    read: ({ receiver }) => Object.entries(receiver.refused).map(([reason, count]) => [[reason], count]),
  },

  one('spanmill_log_records_total', 'Records appended to the log.', (s) => s.log?.records),
  one('spanmill_log_bytes_total', 'Bytes appended to the log.', (s) => s.log?.bytes),
  one('spanmill_log_groups_total', 'Groups of appends, each made durable by one fdatasync.', (s) => s.log?.groups),
  one(
    'spanmill_log_failed_groups_total',
    'Groups that could not be written; their requests were not acknowledged.',
    (s) => s.log?.failedGroups,
  ),
  one('spanmill_log_repairs_total', 'Times that a segment was cut back after a failed write.', (s) => s.log?.repairs),
  one('spanmill_log_deleted_segments_total', 'Segments deleted by retention.', (s) => s.log?.deletedSegments),
  one(
    'spanmill_log_torn_bytes',
    'Bytes cut off behind the last good record when the log was opened.',
    (s) => s.log?.tornBytes,
  ),
  perPartition('spanmill_log_start_offset', 'First offset that is still there.', (p) => p.start),
  perPartition('spanmill_log_end_offset', 'Next offset to be written.', (p) => p.end),
  perPartition('spanmill_log_size_bytes', 'Size on disk.', (p) => p.sizeBytes),
  perPartition('spanmill_log_queued_bytes', 'Bytes that wait for their group to be written.', (p) => p.queuedBytes),

  ofLag(
    'spanmill_kafka_lag_records',
    'Records between what was read and the end of the partition.',
    ({ records }) => records,
  ),
  ofLag(
    'spanmill_kafka_lag_seconds',
    'Age of the newest record that was read while there are more; 0 at the end.',
    ({ seconds }) => seconds,
  ),
  one('spanmill_kafka_records_total', 'Records read from the topic.', (s) => s.kafka?.records),
  one('spanmill_kafka_fetched_bytes_total', 'Bytes of fetch answers, as they came.', (s) => s.kafka?.fetchedBytes),
  {
    name: 'spanmill_kafka_skipped_records_total',
    help: 'Records of the topic that were passed over, by reason.',
    labels: ['reason'],
    read: ({ kafka }) => Object.entries(kafka?.skipped ?? {}).map(([reason, count]) => [[reason], count]),
  },
  one('spanmill_kafka_dead_letters_total', 'Records copied to the dead letter topic.', (s) => s.kafka?.deadLetters),
  one(
    'spanmill_kafka_lost_dead_letters_total',
    'Records that could not be copied to the dead letter topic.',
    (s) => s.kafka?.lostDeadLetters,
  ),
  one('spanmill_kafka_commits_total', 'Ledger entries committed in the group.', (s) => s.kafka?.commits),
  one(
    'spanmill_kafka_refused_commits_total',
    'Commits that the group refused: the shards had another owner.',
    (s) => s.kafka?.refusedCommits,
  ),
  one(
    'spanmill_kafka_rebalances_total',
    'Generations of the group that this member was part of.',
    (s) => s.kafka?.rebalances,
  ),
  one('spanmill_kafka_appended_records_total', 'Records written to the topic.', (s) => s.kafka?.appendedRecords),
  one(
    'spanmill_kafka_failed_appends_total',
    'Appends that the brokers did not acknowledge; neither were their requests.',
    (s) => s.kafka?.failedAppends,
  ),
  one(
    'spanmill_split_traces_total',
    'Sampled traces that were seen in several shards: their edges may be missing.',
    (s) => s.splitTraces,
  ),
  one('spanmill_records_lost_total', 'Records that the log deleted before they were folded.', (s) => s.lostRecords),

  perShard(
    'spanmill_records_folded_total',
    'Records read from the log and folded, undecodable ones included.',
    (s) => s.records,
  ),
  {
    name: 'spanmill_records_undecodable_total',
    help: 'Records that could not be decoded, by reason.',
    labels: ['reason'],
    read: ({ undecodable, shards }) =>
      undecodable
        ? [...undecodable].map(([reason, count]) => [[reason], count])
        : shards.map((s) => [['unknown'], s.undecodable]),
  },
  perShard(
    'spanmill_records_future_total',
    'Records stamped more than 10 s ahead; they got the time of the one before.',
    (s) => s.futureRecords,
  ),
  perShard(
    'spanmill_records_held_total',
    'Records of partitions that were not waited for any more, counted in a later tick.',
    (s) => s.heldRecords,
  ),
  perShard('spanmill_records_late_total', 'Records older than the open tick, counted in it.', (s) => s.lateRecords),
  perShard('spanmill_buffered_bytes', 'Bytes read from the log and not yet folded.', (s) => s.bufferedBytes),
  one(
    'spanmill_open_tick_timestamp_seconds',
    'Start of the tick that is being folded; of several shards the earliest.',
    (s) => toSeconds(least(s.shards.map(({ openTickMs }) => openTickMs))),
  ),

  one('spanmill_tenants', 'Tenants seen, those under tenant="_other" included.', (s) => {
    return new Set(s.shards.flatMap((shard) => shard.tenants.map(({ tenant }) => tenant))).size;
  }),
  perTenant('spanmill_spans_received_total', 'Spans decoded.', (t) => t.spansReceived),
  perTenant('spanmill_span_bytes_received_total', 'Bytes of the decoded requests.', (t) => t.bytesReceived),
  {
    name: 'spanmill_spans_discarded_total',
    help: 'Spans that were not counted, by reason and by the processor that left them out (all: before any processor).',
    labels: ['tenant', 'reason', 'processor'],
    read: (s) =>
      s.shards.flatMap(({ tenants }) =>
        tenants.flatMap(({ tenant, discarded }) =>
          discarded.map(([key, count]): Reading => {
            const { reason, processor } = splitDiscardKey(key);
            return [[s.tenantLabel(tenant), reason, processor], count];
          }),
        ),
      ),
  },
  perTenant('spanmill_edges_created_total', 'Edges begun by their first half.', (t) => t.edges),
  perTenant('spanmill_edges_completed_total', 'Edges counted in the service graph.', (t) => t.completedEdges),
  perTenant('spanmill_edges_expired_total', 'Edges whose other half did not come in time.', (t) => t.expiredEdges),
  perTenant('spanmill_pending_edges', 'Edges that wait for their other half.', (t) => t.pendingEdges),
  perTenant('spanmill_active_series', 'Series that are alive.', (t) => t.activeSeries),
  perTenant('spanmill_rows', 'Label sets that are alive; a row holds all series of one label set.', (t) => t.rows),
  perTenant(
    'spanmill_series_limited_total',
    'Series not admitted because of a limit; their values went to the overflow series.',
    (t) => t.seriesLimited,
  ),
  {
    name: 'spanmill_label_values_limited_total',
    help: 'Label values replaced because their label has too many, by label.',
    labels: ['tenant', 'label_name'],
    read: (s) => ofLabels(s, ({ valuesLimited }) => valuesLimited),
  },
  perTenant(
    'spanmill_span_names_sanitized_total',
    'Spans and edges whose span name has a template; in a dry run it is not replaced.',
    (t) => t.labels?.namesSanitized,
  ),
  {
    name: 'spanmill_span_names_skipped_total',
    help: 'Span names that the sanitizer passed over, by reason.',
    labels: ['tenant', 'reason'],
    read: (s) => ofLabels(s, ({ namesSkipped }) => Object.entries(namesSkipped)),
  },
  perTenant(
    'spanmill_span_name_patterns_detected_total',
    'Patterns that the sanitizer found in span names; each begins as one name.',
    (t) => t.labels?.patternsDetected,
  ),
  perTenant(
    'spanmill_span_name_patterns_evicted_total',
    'Patterns that the sanitizer forgot to make room for others.',
    (t) => t.labels?.patternsEvicted,
  ),

  perLedger('spanmill_ledger_entries_total', 'Entries made durable.', (l) => l.entries),
  perLedger('spanmill_ledger_size_bytes', 'Size of the ledgers.', (l) => l.sizeBytes),
  perLedger(
    'spanmill_ledger_over_limit',
    'Ledgers above their size limit: the oldest unsent boundaries are given up.',
    (l) => (l.overLimit ? 1 : 0),
  ),
  one(
    'spanmill_boundary_timestamp_seconds',
    'Time of the newest durable boundary; of several shards the earliest.',
    (s) => toSeconds(newestBoundaryMs(s)),
  ),
  one('spanmill_boundary_lag_seconds', 'Now minus the newest durable boundary.', (s) => {
    const boundaryMs = newestBoundaryMs(s);
    return boundaryMs === undefined ? undefined : (s.nowMs - boundaryMs) / 1_000;
  }),

  perEndpoint('spanmill_remote_write_samples_sent_total', 'Samples that the endpoint took.', (e) => e.samplesSent),
  perEndpoint(
    'spanmill_remote_write_samples_failed_total',
    'Samples that the endpoint refused for good.',
    (e) => e.samplesFailed,
  ),
  perEndpoint(
    'spanmill_remote_write_zero_samples_refused_total',
    'Zero samples that the endpoint refused: they declare the beginning of a series, no count is missing without them.',
    (e) => e.zerosRefused,
  ),
  perEndpoint(
    'spanmill_remote_write_boundaries_sent_total',
    'Boundaries of which the endpoint took something.',
    (e) => e.boundariesSent,
  ),
  perEndpoint(
    'spanmill_remote_write_boundaries_refused_total',
    'Boundaries of which the endpoint took nothing, for good.',
    (e) => e.boundariesRefused,
  ),
  byReason(
    'spanmill_remote_write_samples_not_sent_total',
    'Samples that write_relabel_configs drop, or give the labels of another series or no legal ones; or that became too old.',
    (e) => e.samplesNotSent,
  ),
  byReason(
    'spanmill_remote_write_boundaries_skipped_total',
    'Boundaries not sent: by age, for room in the ledger, as the endpoint is behind, or beyond its window; totals stay right.',
    (e) => e.boundariesSkipped,
  ),
  perEndpoint(
    'spanmill_remote_write_repeats_refused_total',
    'Refused requests of boundaries that may have been sent before a restart.',
    (e) => e.repeatsRefused,
  ),
  perEndpoint(
    'spanmill_remote_write_repeat_samples_refused_total',
    'Samples of these requests: they are stored already, unless the endpoint refuses them anyway.',
    (e) => e.repeatSamplesRefused,
  ),
  perEndpoint('spanmill_remote_write_retries_total', 'Requests that were tried again.', (e) => e.retries),
  {
    name: 'spanmill_remote_write_settled_timestamp_seconds',
    help: 'Newest boundary that needs no more sending; of several shards and tenants the earliest. Where nothing was taken yet: just before the first that waits.',
    labels: ['endpoint'],
    read: ({ ledgers }) => {
      const byName = Map.groupBy(
        ledgers.flatMap(({ endpoints }) => endpoints),
        ({ name }) => name,
      );
      // 0 stands for: nothing to send yet.
      return [...byName].map(([name, stats]) => [
        [name],
        toSeconds(least(stats.map(({ settledMs }) => settledMs || undefined))),
      ]);
    },
  },
  ...REMOTE_STORAGE,
];

function one(name: string, help: string, read: (source: Source) => number | undefined): Definition {
  return { name, help, labels: [], read: (source) => [[[], read(source)]] };
}

function perShard(name: string, help: string, read: (stats: ShardStats) => number): Definition {
  return { name, help, labels: [], read: ({ shards }) => shards.map((stats) => [[], read(stats)]) };
}

function perLedger(name: string, help: string, read: (stats: LedgerStats) => number): Definition {
  return { name, help, labels: [], read: ({ ledgers }) => ledgers.map((stats) => [[], read(stats)]) };
}

function perTenant(name: string, help: string, read: (stats: TenantStats) => number | undefined): Definition {
  const reading =
    (s: Source) =>
    (t: TenantStats): Reading => [[s.tenantLabel(t.tenant)], read(t)];
  return { name, help, labels: ['tenant'], read: (s) => s.shards.flatMap(({ tenants }) => tenants.map(reading(s))) };
}

/** Counts of a tenant's labels by one more label. */
function ofLabels(
  { shards, tenantLabel }: Source,
  read: (stats: NonNullable<TenantStats['labels']>) => Iterable<readonly [string, number]>,
): Reading[] {
  return shards.flatMap(({ tenants }) =>
    tenants.flatMap(({ tenant, labels }): Reading[] =>
      labels ? [...read(labels)].map(([key, count]) => [[tenantLabel(tenant), key], count]) : [],
    ),
  );
}

function ofLag(name: string, help: string, read: (lag: Lag) => number): Definition {
  return {
    name,
    help,
    labels: ['partition'],
    read: ({ kafka }) => [...(kafka?.lag ?? [])].map(([partition, lag]): Reading => [[String(partition)], read(lag)]),
  };
}

function perEndpoint(name: string, help: string, read: (stats: EndpointStats) => number): Definition {
  const reading = (e: EndpointStats): Reading => [[e.name], read(e)];
  return {
    name,
    help,
    labels: ['endpoint'],
    read: ({ ledgers }) => ledgers.flatMap(({ endpoints }) => endpoints.map(reading)),
  };
}

function byReason(name: string, help: string, read: (stats: EndpointStats) => Record<string, number>): Definition {
  const readings = (e: EndpointStats): Reading[] =>
    Object.entries(read(e)).map(([reason, count]) => [[e.name, reason], count]);
  return {
    name,
    help,
    labels: ['endpoint', 'reason'],
    read: ({ ledgers }) => ledgers.flatMap(({ endpoints }) => endpoints.flatMap(readings)),
  };
}

function perPartition(name: string, help: string, read: (stats: PartitionStats) => number): Definition {
  const reading = (p: PartitionStats): Reading => [[String(p.partition)], read(p)];
  return { name, help, labels: ['partition'], read: ({ log }) => log?.partitions.map(reading) ?? [] };
}

/** prom-client asks a metric for its values by `get`; a Counter of its own can't be set to a total that is counted elsewhere. */
function register(registry: Registry, { name, help, labels, read }: Definition, source: () => Source): void {
  const Type = name.endsWith('_total') ? Counter : Gauge;
  const metric = new Type({ name, help, labelNames: labels, registers: [registry] });
  replaceValues(metric, () => sums(labels, read(source())));
}

function replaceValues<V>(metric: { get(): Promise<{ values: V[] }> }, values: () => V[]): void {
  const get = metric.get.bind(metric);
  metric.get = () => {
    const now = values();
    return get().then((object) => ({ ...object, values: now }));
  };
}

function sums(
  names: readonly string[],
  readings: Iterable<Reading>,
): { labels: Record<string, string>; value: number }[] {
  const byLabels = new Map<string, { labels: Record<string, string>; value: number }>();
  for (const [values, value] of readings) {
    if (value === undefined) continue;
    const key = values.join('\u0000');
    const sum = byLabels.get(key);
    if (sum) sum.value += value;
    else byLabels.set(key, { labels: Object.fromEntries(names.map((name, i) => [name, values[i]!])), value });
  }
  return [...byLabels.values()];
}

const STAGES_NAME = 'spanmill_stage_seconds';

/** A summary; where several shards measure one stage, quantiles are those of the slowest, counts and sums are of all. */
function registerStages(registry: Registry, source: () => Source): void {
  const help = "How long spanmill's own stages take; quantile 1 is the longest so far.";
  const metric = new Summary<string>({ name: STAGES_NAME, help, labelNames: ['stage'], registers: [registry] });
  replaceValues(metric, () => mergeStages(stageSummaries(source())).flatMap(stageValues));
}

function stageSummaries({ latencies = [], shards, ledgers }: OwnMetricsView): StageSummary[] {
  return [...latencies, ...shards.flatMap((s) => s.latencies), ...ledgers.flatMap((l) => l.latencies)];
}

function stageValues({ stage, p50Ms, p99Ms, maxMs, sumMs, count }: StageSummary) {
  const value = (labels: Record<string, string>, value: number, metricName: string) => ({
    labels: { stage, ...labels },
    value,
    metricName,
  });
  return [
    value({ quantile: '0.5' }, p50Ms / 1_000, STAGES_NAME),
    value({ quantile: '0.99' }, p99Ms / 1_000, STAGES_NAME),
    value({ quantile: '1' }, maxMs / 1_000, STAGES_NAME),
    value({}, sumMs / 1_000, `${STAGES_NAME}_sum`),
    value({}, count, `${STAGES_NAME}_count`),
  ];
}

/** One summary per stage, in order of appearance: counts and sums are added, of the percentiles the largest is kept. */
export function mergeStages(summaries: readonly StageSummary[]): StageSummary[] {
  const byStage = new Map<string, StageSummary>();
  for (const next of summaries) {
    const sum = byStage.get(next.stage);
    if (!sum) {
      byStage.set(next.stage, { ...next });
      continue;
    }
    sum.count += next.count;
    sum.sumMs += next.sumMs;
    sum.p50Ms = Math.max(sum.p50Ms, next.p50Ms);
    sum.p99Ms = Math.max(sum.p99Ms, next.p99Ms);
    sum.maxMs = Math.max(sum.maxMs, next.maxMs);
  }
  return [...byStage.values()];
}

/** Takes a key of `TenantStats.discarded` apart. */
export function splitDiscardKey(key: string): { reason: string; processor: string } {
  const space = key.indexOf(' ');
  return space < 0
    ? { reason: key, processor: 'all' }
    : { reason: key.slice(0, space), processor: key.slice(space + 1) };
}

/** First come, first named; a name is kept for good, so that no counter moves to another label. */
class TenantLabels {
  private readonly named = new Set<string>();

  of(tenant: string): string {
    if (this.named.has(tenant)) return tenant;
    if (this.named.size >= MAX_TENANT_LABELS) return OTHER_TENANTS;
    this.named.add(tenant);
    return tenant;
  }
}

function newestBoundaryMs({ ledgers }: OwnMetricsView): number | undefined {
  return least(ledgers.map(({ committedMs }) => committedMs));
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function toSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}

function newTotals(): ReceiverTotals {
  // Spelt out, so that a reason that is added there is missed here by the compiler. Every reason is shown from the start, at 0.
  const refused: Record<RefusalReason, number> = {
    not_found: 0,
    method: 0,
    content_type: 0,
    content_encoding: 0,
    no_tenant: 0,
    bad_tenant: 0,
    too_large: 0,
    bad_encoding: 0,
    bad_json: 0,
    bad_protobuf: 0,
    too_complex: 0,
    overloaded: 0,
    worker_lost: 0,
    stopping: 0,
    disk_full: 0,
    log_unavailable: 0,
    log_incompatible: 0,
    log_closed: 0,
    internal: 0,
  };
  return { requests: 0, spans: 0, records: 0, wireBytes: 0, bodyBytes: 0, oddIdSpans: 0, aborted: 0, refused };
}
