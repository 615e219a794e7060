// Span metrics and the service graph in the plainest way: objects, Maps, one rule after the other, nothing shared with the code under
// test. Covers the default settings with dimensions; no filters, weights or limits but that of waiting edges.

import { encode } from '../otlp/otlp-proto.ts';
import { type Attributes, type PlainRequest, type PlainSpan, spanMessage, type Value } from './spans.ts';

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const CODES = ['UNSET', 'OK', 'ERROR'];
const LATENCY = Array.from({ length: 14 }, (_, i) => 0.002 * 2 ** i);
const GRAPH = Array.from({ length: 8 }, (_, i) => 0.1 * 2 ** i);
const PEERS = ['peer.service', 'db.name', 'db.system', 'db.system.name'];
const DATABASES = ['db.namespace', 'db.name', 'db.system', 'db.system.name'];

export interface ModelOptions {
  dimensions: string[];
  graphDimensions: string[];
  slackMs: number;
  waitMs: number;
  maxItems: number;
  originMs: number;
}

interface Edge {
  key: string;
  client?: string;
  server?: string;
  type: string;
  kind: number;
  isRoot: boolean;
  peer: string;
  failed: boolean;
  clientSeconds: number;
  serverSeconds: number;
  values: Map<string, string>;
  deadline: number;
}

function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return '';
  // Short doubles only in these tests: their text has no exponent.
  return String(value);
}

function first(attributes: Attributes, key: string): string | undefined {
  const found = attributes.find(([name]) => name === key);
  return found && textOf(found[1]);
}

export class Model {
  /** `name{label="value",…}` with labels in order → value. */
  readonly series = new Map<string, number>();
  readonly counts = {
    spansReceived: 0,
    outside: 0,
    spansCounted: 0,
    edgesMade: 0,
    edgesCompleted: 0,
    edgesExpired: 0,
    edgesRefused: 0,
    skippedPushes: 0,
  };
  readonly expired = new Map<string, number>();
  private readonly options: ModelOptions;
  private edges: Edge[] = [];
  private tickMs: number;

  constructor(options: ModelOptions) {
    this.options = options;
    this.tickMs = options.originMs;
  }

  get pending(): number {
    return this.edges.length;
  }

  push(nowMs: number, recordMs: number, request: PlainRequest, skip: boolean): void {
    this.counts.spansReceived += request.reduce((sum, { spans }) => sum + spans.length, 0);
    if (skip) {
      this.counts.skippedPushes++;
      return;
    }
    const low = BigInt(recordMs - this.options.slackMs) * 1_000_000n;
    const high = BigInt(recordMs + this.options.slackMs) * 1_000_000n;
    for (const { resource, spans } of request) {
      for (const span of spans) {
        if (span.endNs < low || span.endNs > high) {
          this.counts.outside++;
          continue;
        }
        this.countSpan(resource, span);
        this.pair(resource, span, nowMs);
      }
    }
  }

  advance(tMs: number): void {
    while (this.tickMs + 2_000 <= tMs) {
      this.tickMs += 2_000;
      this.expire(this.tickMs);
    }
  }

  private countSpan(resource: Attributes, span: PlainSpan): void {
    const labels: Record<string, string> = {
      service: first(resource, 'service.name') ?? '',
      span_name: span.name,
      span_kind: `SPAN_KIND_${KINDS[span.kind]}`,
      status_code: `STATUS_CODE_${CODES[span.status?.code ?? 0]}`,
    };
    for (const key of this.options.dimensions) {
      labels[key.replaceAll('.', '_')] = first(resource, key) ?? first(span.attributes, key) ?? '';
    }
    this.counts.spansCounted++;
    this.add('traces_spanmetrics_calls_total', labels, 1);
    this.observe('traces_spanmetrics_latency', labels, LATENCY, secondsOf(span));
    this.add('traces_spanmetrics_size_total', labels, encode('Span', spanMessage(span)).length);
  }

  private pair(resource: Attributes, span: PlainSpan, nowMs: number): void {
    const isClient = span.kind === 3 || span.kind === 4;
    const isServer = span.kind === 2 || span.kind === 5;
    const service = first(resource, 'service.name');
    if ((!isClient && !isServer) || service === undefined) return;
    const key = `${span.trace}/${isClient ? span.id : span.parent}`;
    const known = this.edges.find((edge) => edge.key === key);
    const edge: Edge = known ?? {
      key,
      type: '',
      kind: 0,
      isRoot: false,
      peer: '',
      failed: false,
      clientSeconds: 0,
      serverSeconds: 0,
      values: new Map(),
      deadline: Math.floor((nowMs + this.options.waitMs) / 1000),
    };
    edge.kind = span.kind;
    edge.type = span.kind === 4 || span.kind === 5 ? 'messaging_system' : '';
    if (span.status?.code === 2) edge.failed = true;
    for (const name of this.options.graphDimensions) {
      const value = first(resource, name) ?? first(span.attributes, name);
      if (value !== undefined) edge.values.set(name, value);
    }
    const peer = PEERS.find((name) => first(span.attributes, name) !== undefined);
    if (peer !== undefined) edge.peer = first(span.attributes, peer)!;
    if (isClient) {
      edge.client = service;
      edge.clientSeconds = secondsOf(span);
      this.database(edge, resource, span);
    } else {
      edge.server = service;
      edge.serverSeconds = secondsOf(span);
      if (span.parent === '') edge.isRoot = true;
    }
    const isComplete = (edge.client ?? '') !== '' && (edge.server ?? '') !== '';
    if (known) {
      if (!isComplete) return;
      this.edges = this.edges.filter((one) => one !== edge);
      this.emit(edge);
    } else if (isComplete) {
      this.counts.edgesMade++;
      this.emit(edge);
    } else if (this.edges.length >= this.options.maxItems) {
      this.counts.edgesRefused++;
    } else {
      this.counts.edgesMade++;
      this.edges.push(edge);
    }
  }

  private database(edge: Edge, resource: Attributes, span: PlainSpan): void {
    const look = (name: string) => first(resource, name) ?? first(span.attributes, name);
    const database = DATABASES.map(look).find((value) => value !== undefined);
    if (database === undefined) return;
    edge.type = 'database';
    edge.serverSeconds = secondsOf(span);
    const peer = look('peer.service') ?? look('server.address');
    const address = look('network.peer.address');
    const port = look('network.peer.port');
    edge.server = peer ?? (address === undefined ? database : port === undefined ? address : `${address}:${port}`);
  }

  private expire(nowMs: number): void {
    while (this.edges.length > 0 && this.edges[0]!.deadline <= Math.floor(nowMs / 1000)) {
      const edge = this.edges.shift()!;
      edge.type = 'virtual_node';
      if ((edge.client ?? '') === '' && edge.isRoot) {
        edge.client = edge.peer === '' ? 'user' : edge.peer;
        this.emit(edge);
      } else if ((edge.client ?? '') !== '' && (edge.server ?? '') === '' && edge.peer !== '') {
        edge.server = edge.peer;
        this.emit(edge);
      } else {
        this.counts.edgesExpired++;
        const kind = `SPAN_KIND_${KINDS[edge.kind]}`;
        this.expired.set(kind, (this.expired.get(kind) ?? 0) + 1);
      }
    }
  }

  private emit(edge: Edge): void {
    const labels: Record<string, string> = {
      client: edge.client ?? '',
      server: edge.server ?? '',
      connection_type: edge.type,
    };
    for (const name of this.options.graphDimensions) labels[name.replaceAll('.', '_')] = edge.values.get(name) ?? '';
    this.counts.edgesCompleted++;
    this.add('traces_service_graph_request_total', labels, 1);
    if (edge.failed) this.add('traces_service_graph_request_failed_total', labels, 1);
    this.observe('traces_service_graph_request_server_seconds', labels, GRAPH, edge.serverSeconds);
    this.observe('traces_service_graph_request_client_seconds', labels, GRAPH, edge.clientSeconds);
  }

  private add(name: string, labels: Record<string, string>, value: number): void {
    const key = seriesKey(name, labels);
    this.series.set(key, (this.series.get(key) ?? 0) + value);
  }

  private observe(metric: string, labels: Record<string, string>, bounds: number[], seconds: number): void {
    for (const bound of [...bounds, Number.POSITIVE_INFINITY]) {
      const le = bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound);
      this.add(`${metric}_bucket`, { ...labels, le }, seconds <= bound ? 1 : 0);
    }
    this.add(`${metric}_sum`, labels, seconds);
    this.add(`${metric}_count`, labels, 1);
  }
}

function secondsOf(span: PlainSpan): number {
  return span.endNs > span.startNs ? Number(span.endNs - span.startNs) / 1e9 : 0;
}

export function seriesKey(name: string, labels: Record<string, string>): string {
  const pairs = Object.entries(labels)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}${JSON.stringify(pairs)}`;
}
