// What the counters must be: a slow fold over plain objects, written from the rules and sharing no code with the engine. It is
// given which records belong to which tick, and nothing else that the engine decided.
import type { TenantSettings } from '../../../src/config/index.ts';
import type { Entry } from '../../../src/ledger/index.ts';
import type { SimLog } from './sim-log.ts';
import { CLIENT, CONSUMER, PRODUCER, SERVER, type SpanSpec } from './spans.ts';

const TICK_MS = 1_000;
const EXPIRY_MS = 2_000;
const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];

interface Edge {
  client: string;
  server: string;
  peer: string;
  connection: string;
  clientSeconds: number;
  serverSeconds: number;
  failed: boolean;
  isRoot: boolean;
  deadlineSeconds: number;
}

export interface TenantTotals {
  /** Sum of increases by series, over all its lives. */
  series: Map<string, number>;
  outsideSlack: number;
  expiredEdges: number;
  pending: Map<string, Edge>;
}

export class Oracle {
  readonly tenants = new Map<string, TenantTotals>();
  private readonly log: SimLog;
  private advancedMs = 0;
  /** Of edges: no test changes them in a run, and all tenants have the same. */
  private bounds: readonly number[] = [];
  private mode: TenantSettings['histogramMode'] = 'classic';

  constructor(log: SimLog) {
    this.log = log;
  }

  /** Takes the records of an entry's ticks in. */
  fold(entry: Entry, from: ReadonlyMap<number, number>, settingsOf: (tenant: string) => TenantSettings): void {
    const { endsMs, nextOffsets, partitions } = entry.ticks;
    const next = new Map(from);
    endsMs.forEach((endMs, tick) => {
      let isOpen = false;
      partitions.forEach((partition, place) => {
        const end = nextOffsets[tick * partitions.length + place]!;
        for (let offset = next.get(partition) ?? 0; offset < end; offset++) {
          if (!isOpen) this.advance(endMs - TICK_MS);
          isOpen = true;
          const { tenant, spans, stampMs } = this.log.partitions[partition]![offset]!;
          this.record(tenant, spans, stampMs, endMs, settingsOf(tenant));
        }
        next.set(partition, end);
      });
      this.advance(endMs);
    });
  }

  private record(
    tenant: string,
    spans: readonly SpanSpec[],
    stampMs: number,
    endMs: number,
    settings: TenantSettings,
  ): void {
    this.bounds = settings.serviceGraphs.histogramBuckets;
    this.mode = settings.histogramMode;
    const totals = this.totals(tenant);
    const nowMs = Math.min(Math.max(stampMs, endMs - TICK_MS), endMs - 1);
    for (const span of spans) {
      if (Math.abs(span.endMs - Math.min(stampMs, endMs)) > settings.slackMs) totals.outsideSlack++;
      else {
        spanMetrics(totals, span, settings);
        if (settings.processors.includes('service-graphs')) this.half(totals, span, nowMs, settings);
      }
    }
  }

  private half(totals: TenantTotals, span: SpanSpec, nowMs: number, settings: TenantSettings): void {
    const isClient = span.kind === CLIENT || span.kind === PRODUCER;
    if (!isClient && span.kind !== SERVER && span.kind !== CONSUMER) return;
    const graphs = settings.serviceGraphs;
    const key = `${span.trace} ${isClient ? span.id : span.parent}`;
    const known = totals.pending.get(key);
    const edge = known ?? blankEdge();
    const seconds = (span.endMs - span.startMs) / 1_000;
    edge.connection = span.kind === PRODUCER || span.kind === CONSUMER ? 'messaging_system' : '';
    if (span.failed) edge.failed = true;
    const peerKey = graphs.peerAttributes.find((name) => name in span.attributes);
    if (peerKey !== undefined) edge.peer = span.attributes[peerKey]!;
    if (isClient) {
      edge.client = span.service;
      edge.clientSeconds = seconds;
      const databaseKey = graphs.databaseNameAttributes.find((name) => name in span.attributes);
      if (databaseKey !== undefined) {
        edge.connection = 'database';
        edge.serverSeconds = seconds;
        edge.server =
          span.attributes['peer.service'] ?? span.attributes['server.address'] ?? span.attributes[databaseKey]!;
      }
    } else {
      if (span.parent === '') edge.isRoot = true;
      edge.server = span.service;
      edge.serverSeconds = seconds;
    }
    if (edge.client !== '' && edge.server !== '') {
      totals.pending.delete(key);
      this.complete(totals, edge);
    } else if (!known) {
      edge.deadlineSeconds = Math.floor((nowMs + graphs.waitMs) / 1_000);
      totals.pending.set(key, edge);
    }
  }

  /** Every two seconds the oldest edges go, up to the first that may still wait. */
  private advance(toMs: number): void {
    for (const [tenant, totals] of this.tenants) {
      for (
        let atMs = (Math.floor(this.advancedMs / EXPIRY_MS) + 1) * EXPIRY_MS;
        atMs <= toMs && totals.pending.size > 0;
        atMs += EXPIRY_MS
      ) {
        for (const [key, edge] of totals.pending) {
          if (edge.deadlineSeconds > atMs / 1_000) break;
          totals.pending.delete(key);
          this.expire(this.totals(tenant), edge);
        }
      }
    }
    this.advancedMs = Math.max(this.advancedMs, toMs);
  }

  private expire(totals: TenantTotals, edge: Edge): void {
    edge.connection = 'virtual_node';
    if (edge.client === '' && edge.isRoot)
      this.complete(totals, { ...edge, client: edge.peer === '' ? 'user' : edge.peer });
    else if (edge.client !== '' && edge.server === '' && edge.peer !== '')
      this.complete(totals, { ...edge, server: edge.peer });
    else totals.expiredEdges++;
  }

  private complete(totals: TenantTotals, edge: Edge): void {
    const labels = { client: edge.client, server: edge.server, connection_type: edge.connection };
    add(totals, 'traces_service_graph_request_total', labels, 1);
    if (edge.failed) add(totals, 'traces_service_graph_request_failed_total', labels, 1);
    const { mode, bounds } = this;
    observe(totals, 'traces_service_graph_request_server_seconds', labels, mode, bounds, edge.serverSeconds);
    observe(totals, 'traces_service_graph_request_client_seconds', labels, mode, bounds, edge.clientSeconds);
  }

  private totals(tenant: string): TenantTotals {
    let totals = this.tenants.get(tenant);
    if (!totals) {
      totals = { series: new Map(), outsideSlack: 0, expiredEdges: 0, pending: new Map() };
      this.tenants.set(tenant, totals);
    }
    return totals;
  }
}

function blankEdge(): Edge {
  return {
    client: '',
    server: '',
    peer: '',
    connection: '',
    clientSeconds: 0,
    serverSeconds: 0,
    failed: false,
    isRoot: false,
    deadlineSeconds: 0,
  };
}

function spanMetrics(totals: TenantTotals, span: SpanSpec, settings: TenantSettings): void {
  const labels: Record<string, string> = {
    service: span.service,
    span_name: span.name,
    span_kind: `SPAN_KIND_${KINDS[span.kind]}`,
    status_code: span.failed ? 'STATUS_CODE_ERROR' : 'STATUS_CODE_UNSET',
  };
  for (const key of settings.spanMetrics.dimensions) labels[key] = span.attributes[key] ?? '';
  add(totals, 'traces_spanmetrics_calls_total', labels, 1);
  observe(
    totals,
    'traces_spanmetrics_latency',
    labels,
    settings.histogramMode,
    settings.spanMetrics.histogramBuckets,
    (span.endMs - span.startMs) / 1_000,
  );
}

function observe(
  totals: TenantTotals,
  name: string,
  labels: Record<string, string>,
  mode: TenantSettings['histogramMode'],
  bounds: readonly number[],
  seconds: number,
): void {
  if (mode !== 'classic') add(totals, name, labels, 1);
  if (mode === 'native') return;
  for (const bound of bounds) add(totals, `${name}_bucket`, { ...labels, le: String(bound) }, seconds <= bound ? 1 : 0);
  add(totals, `${name}_bucket`, { ...labels, le: '+Inf' }, 1);
  add(totals, `${name}_sum`, labels, seconds);
  add(totals, `${name}_count`, labels, 1);
}

function add(totals: TenantTotals, name: string, labels: Record<string, string>, n: number): void {
  const text = Object.entries(labels)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}="${value}"`)
    .join(',');
  const series = `${name}{${text}}`;
  totals.series.set(series, (totals.series.get(series) ?? 0) + n);
}
