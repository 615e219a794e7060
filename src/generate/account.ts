// The account of a load: how many spans of each kind, and how many edges, the receiver has acknowledged, and what it can't be known
// of. A trace is kept only until all its requests have an outcome; then it is folded into totals.
import type { Shop } from './compile.ts';
import { eachEdge, type FoundEdge } from './edges.ts';
import { CONSUMER, PRODUCER } from './shapes.ts';
import type { Delivery, Span, Trace } from './trace.ts';

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const CODES = ['UNSET', 'OK', 'ERROR'];

/** Spelt as the labels of the metrics are. */
export interface CallCount {
  service: string;
  span_name: string;
  span_kind: string;
  status_code: string;
  count: number;
}

export interface EdgeCount {
  client: string;
  server: string;
  connection_type: '' | 'messaging_system' | 'database' | 'virtual_node';
  count: number;
  failed: number;
}

/** Spans that were sent but never answered: each of these calls and edges may or may not have been counted by the receiver. */
export interface UnknownEntry {
  requests: number;
  reason: string;
  spans: number;
  traces: number;
  calls: CallCount[];
  edges: EdgeCount[];
}

export interface LoadResult {
  seed: number;
  /** Acknowledged spans, and traces of which at least one span was acknowledged. */
  spans: number;
  traces: number;
  calls: CallCount[];
  /** Edges of which all halves were acknowledged, near enough in time to meet. */
  edges: EdgeCount[];
  unknown: UnknownEntry[];
  /** Edges that are possible but not certain: those under `unknown` and `late_edges`. */
  uncertain_edges: number;
  /** Both halves acknowledged, but so far apart in time that the first may have expired. */
  late_edges: EdgeCount[];
  refused: { requests: number; spans: number };
  /** Given up at the end without having been sent, or having been turned away only. */
  unsent: { requests: number; spans: number };
}

export type Outcome = 'acknowledged' | 'refused' | 'unknown' | 'unsent';

export interface Timing {
  sentAtMs: number;
  answeredAtMs: number;
}

/** Later unknown requests are added to the last entry: the account stays bounded while every answer is lost. */
const MAX_UNKNOWN_ENTRIES = 1_000;

interface UnknownTally {
  requests: number;
  reason: string;
  spans: number;
  traces: number;
  calls: Float64Array;
  edges: EdgeTally;
}

type EdgeTally = Map<number, { edge: FoundEdge; count: number; failed: number }>;

export class Account {
  readonly #shop: Shop;
  readonly #seed: number;
  readonly #calls: Float64Array;
  readonly #edges: EdgeTally = new Map();
  readonly #late: EdgeTally = new Map();
  readonly #unknown: UnknownTally[] = [];
  readonly #tallyOf = new WeakMap<Delivery, UnknownTally>();
  readonly #open = new Set<Trace>();
  readonly #refused = { requests: 0, spans: 0 };
  readonly #unsent = { requests: 0, spans: 0 };
  #spans = 0;
  #traces = 0;

  constructor(shop: Shop, seed: number) {
    this.#shop = shop;
    this.#seed = seed;
    this.#calls = new Float64Array(shop.shapes.length * CODES.length);
  }

  /** Spans acknowledged so far, and requests of unknown outcome. */
  get spans(): number {
    return this.#spans;
  }

  get unknownRequests(): number {
    return this.#unknown.reduce((sum, entry) => sum + entry.requests, 0);
  }

  /** Traces with spans whose outcome is open: bounded by what is in flight. */
  get openTraces(): number {
    return this.#open.size;
  }

  /** Gives a request its outcome, once. `reason` says why an unknown one is. */
  settle(spans: readonly Span[], outcome: Outcome, reason: string, timing?: Timing): void {
    const delivery: Delivery = {
      state: outcome === 'acknowledged' || outcome === 'unknown' ? outcome : 'absent',
      sentAtMs: timing?.sentAtMs ?? 0,
      answeredAtMs: timing?.answeredAtMs ?? 0,
    };
    if (outcome === 'acknowledged') {
      this.#spans += spans.length;
      countCalls(this.#calls, spans);
    } else if (outcome === 'unknown') this.#addUnknown(delivery, spans, reason);
    else {
      const tally = outcome === 'refused' ? this.#refused : this.#unsent;
      tally.requests++;
      tally.spans += spans.length;
    }
    for (const span of spans) {
      span.delivery = delivery;
      const { trace } = span;
      if (trace.unsettled === trace.spans.length) this.#open.add(trace);
      if (--trace.unsettled > 0) continue;
      this.#open.delete(trace);
      this.#fold(trace);
    }
  }

  /**
   * The account so far. Traces with spans that have no outcome yet are counted with those they have, and their edges left out: at
   * the end of a load, settle what was never sent as `unsent` first.
   */
  result(): LoadResult {
    const unknown = this.#unknown.map((entry) => ({
      requests: entry.requests,
      reason: entry.reason,
      spans: entry.spans,
      traces: entry.traces,
      calls: this.#callCounts(entry.calls),
      edges: this.#edgeCounts(entry.edges),
    }));
    const late = this.#edgeCounts(this.#late);
    const uncertain = unknown.map((entry) => total(entry.edges)).reduce((sum, edges) => sum + edges, total(late));
    let traces = this.#traces;
    for (const trace of this.#open) if (isSeen(trace)) traces++;
    return {
      seed: this.#seed,
      spans: this.#spans,
      traces,
      calls: this.#callCounts(this.#calls),
      edges: this.#edgeCounts(this.#edges),
      unknown,
      uncertain_edges: uncertain,
      late_edges: late,
      refused: { ...this.#refused },
      unsent: { ...this.#unsent },
    };
  }

  #addUnknown(delivery: Delivery, spans: readonly Span[], reason: string): void {
    let entry = this.#unknown.at(-1);
    if (entry === undefined || this.#unknown.length < MAX_UNKNOWN_ENTRIES) {
      const calls = new Float64Array(this.#calls.length);
      entry = { requests: 0, reason, spans: 0, traces: 0, calls, edges: new Map() };
      this.#unknown.push(entry);
    }
    entry.requests++;
    entry.spans += spans.length;
    entry.traces += new Set(spans.map((span) => span.trace)).size;
    countCalls(entry.calls, spans);
    this.#tallyOf.set(delivery, entry);
  }

  #fold(trace: Trace): void {
    if (isSeen(trace)) this.#traces++;
    eachEdge(trace, (edge) => {
      const unknown = edge.unknown === undefined ? undefined : this.#tallyOf.get(edge.unknown);
      const tally = unknown?.edges ?? (edge.isLate ? this.#late : this.#edges);
      const key = (edge.client?.index ?? 4095) * 4096 + (edge.server?.index ?? 4095);
      const found = tally.get(key);
      if (found === undefined) tally.set(key, { edge, count: 1, failed: edge.hasFailed ? 1 : 0 });
      else {
        found.count++;
        if (edge.hasFailed) found.failed++;
      }
    });
  }

  #callCounts(calls: Float64Array): CallCount[] {
    const counts = new Map<string, CallCount>();
    for (const shape of this.#shop.shapes) {
      for (const [status, code] of CODES.entries()) {
        const count = calls[shape.index * CODES.length + status]!;
        if (count === 0) continue;
        const service = this.#shop.services[shape.service]!.name;
        const span_kind = `SPAN_KIND_${KINDS[shape.kind]}`;
        const status_code = `STATUS_CODE_${code}`;
        const key = [service, shape.name, span_kind, status_code].join('\0');
        const found = counts.get(key);
        if (found === undefined) counts.set(key, { service, span_name: shape.name, span_kind, status_code, count });
        else found.count += count;
      }
    }
    return inOrder(counts);
  }

  #edgeCounts(tally: EdgeTally): EdgeCount[] {
    const counts = new Map<string, EdgeCount>();
    for (const { edge, count, failed } of tally.values()) {
      const named = this.#nameEdge(edge);
      const key = [named.client, named.server, named.connection_type].join('\0');
      const found = counts.get(key);
      if (found === undefined) counts.set(key, { ...named, count, failed });
      else {
        found.count += count;
        found.failed += failed;
      }
    }
    return inOrder(counts);
  }

  #nameEdge({ client, server }: FoundEdge): Pick<EdgeCount, 'client' | 'server' | 'connection_type'> {
    const { services } = this.#shop;
    const clientName = client === undefined ? 'user' : services[client.service]!.name;
    if (server === undefined) {
      const isStore = client!.database !== '';
      const type = isStore ? 'database' : 'virtual_node';
      return { client: clientName, server: isStore ? client!.database : client!.peer, connection_type: type };
    }
    const serverName = services[server.service]!.name;
    if (client === undefined) return { client: clientName, server: serverName, connection_type: 'virtual_node' };
    // Both halves of a message say so; in this shop a message never meets a request.
    const isMessage = client.kind === PRODUCER && server.kind === CONSUMER;
    return { client: clientName, server: serverName, connection_type: isMessage ? 'messaging_system' : '' };
  }
}

function countCalls(calls: Float64Array, spans: readonly Span[]): void {
  for (const { shape, outcome } of spans) {
    const at = shape.index * CODES.length + shape.outcomes[outcome]!.status;
    calls[at] = calls[at]! + 1;
  }
}

const isSeen = (trace: Trace) => trace.spans.some((span) => span.delivery?.state === 'acknowledged');
const total = (edges: readonly EdgeCount[]) => edges.reduce((sum, edge) => sum + edge.count, 0);

/** By code units, whatever the locale; a joined key sorts like its parts because none holds a zero character. */
function inOrder<T>(counts: ReadonlyMap<string, T>): T[] {
  return [...counts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}
