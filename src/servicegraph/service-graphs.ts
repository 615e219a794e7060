// The service graph: pairs client and server spans of one call into an edge, infers databases and uninstrumented peers, and counts
// requests, failures and both latencies per edge. Hot file: `process` runs for every span.

import type { ServiceGraphsSettings, TenantSettings } from '../config/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import {
  ABSENT,
  type AttributeSymbols,
  compileFilter,
  constantLabels,
  filterKeys,
  KIND_CLIENT,
  KIND_CONSUMER,
  KIND_PRODUCER,
  KIND_SERVER,
  kindName,
  type Processor,
  type ProcessorContext,
  type ProcessorSpec,
  type SpanFilter,
  SpanWeight,
  STATUS_ERROR,
  weightKeys,
} from '../processors/index.ts';
import {
  EMPTY_SYMBOL,
  type HistogramPart,
  INVALID_LABELS,
  makeSchema,
  type Part,
  type PartSpec,
  type RowTable,
  type Section,
} from '../registry/index.ts';
import { DroppedSides } from './dropped-sides.ts';
import { compileEdgeLabels, type EdgeLabels } from './edge-labels.ts';
import { allEdges, EdgeLoader, edgeChanges } from './edge-sections.ts';
import { CONNECTION_TYPES, DATABASE, EdgeStore, FAILED, KEY_INTS, MESSAGING, NONE, PLAIN, ROOT, VIRTUAL } from './edge-store.ts';

const NAME = 'service-graphs';
/** Where a database client span says whom it talks to, before the database's own name. */
const SERVER_NAME_KEYS = ['peer.service', 'server.address', 'network.peer.address'] as const;
const PEER_PORT_KEY = 'network.peer.port';

const REQUESTS = 'traces_service_graph_request_total';
const FAILURES = 'traces_service_graph_request_failed_total';
const SERVER_SECONDS = 'traces_service_graph_request_server_seconds';
const CLIENT_SECONDS = 'traces_service_graph_request_client_seconds';
const MESSAGING_SECONDS = 'traces_service_graph_request_messaging_system_seconds';
const CONNECTION_INFO = 'traces_service_graph_connection_info';

interface Parts {
  requests: boolean;
  latency: boolean;
  connectionInfo: boolean;
}

export function serviceGraphsSpec(settings: TenantSettings): ProcessorSpec | undefined {
  const on = new Set<string>(settings.processors);
  const all = on.has(NAME);
  const parts: Parts = {
    requests: all || on.has('service-graphs-request'),
    latency: all || on.has('service-graphs-latency'),
    connectionInfo: on.has('service-graphs-connection-info'),
  };
  if (!parts.requests && !parts.latency && !parts.connectionInfo) return undefined;
  const { serviceGraphs: graph } = settings;
  const keys = [
    ...graph.dimensions,
    ...(graph.enableVirtualNodeLabel ? ['virtual_node'] : []),
    ...graph.peerAttributes,
    ...graph.databaseNameAttributes,
    ...SERVER_NAME_KEYS,
    PEER_PORT_KEY,
    ...filterKeys(graph.filterPolicies),
    ...weightKeys(graph.spanMultiplierKey),
  ];
  return { name: NAME, keys, create: (context) => new ServiceGraphs(context, parts) };
}

export class ServiceGraphs implements Processor {
  readonly name = NAME;
  readonly store: EdgeStore;
  private readonly context: ProcessorContext;
  private readonly symbols: AttributeSymbols;
  private readonly settings: ServiceGraphsSettings;
  private readonly table: RowTable;
  private readonly labels: EdgeLabels;
  private readonly filter: SpanFilter | undefined;
  private readonly weight: SpanWeight | undefined;
  private readonly dropped: DroppedSides | undefined;
  private readonly peerSlots: Int32Array;
  private readonly databaseSlots: Int32Array;
  private readonly serverNameSlots: Int32Array;
  private readonly portSlot: number;
  private readonly dimensionSlots: Int32Array;
  private readonly bounds: Float64Array;
  private readonly parts: Record<'requests' | 'failures' | 'server' | 'client' | 'messaging' | 'info', { part: Part; bit: number } | undefined>;
  private loader: EdgeLoader | undefined;

  constructor(context: ProcessorContext, on: Parts) {
    this.context = context;
    this.symbols = context.symbols;
    const { settings, plan, registry, tenant } = context;
    const graph = settings.serviceGraphs;
    this.settings = graph;
    this.labels = compileEdgeLabels(graph, settings.maxLabelNameLength);
    this.store = new EdgeStore(this.labels.width);
    registry.symbolHolders.push(this.store);
    const histogram = (metric: string): PartSpec => ({ kind: 'histogram', metric, bounds: graph.histogramBuckets });
    const specs: PartSpec[] = [
      ...(on.requests ? ([{ kind: 'counter', metric: REQUESTS }, { kind: 'counter', metric: FAILURES }] as const) : []),
      ...(on.latency ? [histogram(SERVER_SECONDS), histogram(CLIENT_SECONDS)] : []),
      ...(on.latency && graph.enableMessagingSystemLatencyHistogram ? [histogram(MESSAGING_SECONDS)] : []),
      ...(on.connectionInfo ? ([{ kind: 'gauge', metric: CONNECTION_INFO }] as const) : []),
    ];
    this.table = registry.table(makeSchema(NAME, this.labels.names, specs, constantLabels(tenant, settings), settings.traceIdLabelName));
    const find = (metric: string) => {
      const index = this.table.schema.parts.findIndex((part) => part.metric === metric);
      return index < 0 ? undefined : { part: this.table.schema.parts[index]!, bit: 1 << index };
    };
    this.parts = {
      requests: find(REQUESTS),
      failures: find(FAILURES),
      server: find(SERVER_SECONDS),
      client: find(CLIENT_SECONDS),
      messaging: find(MESSAGING_SECONDS),
      info: find(CONNECTION_INFO),
    };
    this.bounds = Float64Array.from(this.parts.server?.part.kind === 'histogram' ? this.parts.server.part.bounds : []);
    this.filter = compileFilter(graph.filterPolicies, context);
    this.dropped = this.filter ? new DroppedSides(graph.maxItems) : undefined;
    this.weight = SpanWeight.from(graph.spanMultiplierKey, graph.enableTracestateSpanMultiplier, context);
    const slots = (keys: readonly string[]) => Int32Array.from(keys, (key) => plan.slotOf(key));
    this.peerSlots = slots(graph.peerAttributes);
    this.databaseSlots = slots(graph.databaseNameAttributes);
    this.serverNameSlots = slots(SERVER_NAME_KEYS);
    this.portSlot = plan.slotOf(PEER_PORT_KEY);
    this.dimensionSlots = slots(this.labels.dimensions.map((d) => d.key));
  }

  get pendingEdges(): number {
    return this.store.count;
  }

  get hasPending(): boolean {
    return this.store.count > 0 || (this.dropped?.size ?? 0) > 0;
  }

  process(batch: SpanBatch, nowMs: number): void {
    const { store, symbols, filter } = this;
    for (let i = 0; i < batch.count; i++) {
      if (batch.kept[i] === 0) continue;
      const kind = batch.kind[i]!;
      const client = kind === KIND_CLIENT || kind === KIND_PRODUCER;
      if (!client && kind !== KIND_SERVER && kind !== KIND_CONSUMER) continue;
      const service = symbols.service(batch.resource[i]!);
      if (service === ABSENT) continue;
      if (client) store.setKey(batch, i, batch.idStart[i]!, batch.idLength[i]!);
      else store.setKey(batch, i, batch.parentStart[i]!, batch.parentLength[i]!);
      if (filter !== undefined && !filter.accepts(batch, i)) {
        this.drop(client, !client && batch.parentLength[i] === 0, nowMs);
        continue;
      }
      let edge = store.find();
      const found = edge !== NONE;
      if (!found) {
        if (this.dropped?.has(DroppedSides.key(!client, store.key))) {
          this.context.counters.droppedEdges++;
          continue;
        }
        edge = store.make();
      }
      if (client) this.updateClient(edge, batch, i, service);
      else this.updateServer(edge, batch, i, service);
      if (store.client[edge]! > EMPTY_SYMBOL && store.server[edge]! > EMPTY_SYMBOL) {
        if (found) store.remove(edge);
        else this.context.counters.edges++;
        this.emit(edge, nowMs);
        if (!found) store.discard(edge);
      } else if (found) {
        store.touch(edge);
      } else if (store.count >= this.settings.maxItems) {
        this.context.counters.droppedSpans++;
        store.discard(edge);
      } else {
        store.store(edge, Math.floor((nowMs + this.settings.waitMs) / 1000));
        this.context.counters.edges++;
      }
    }
  }

  /** Pops edges whose deadline is past, oldest first: each becomes a virtual edge or is counted as expired. */
  expire(nowMs: number): void {
    const { store } = this;
    const nowSeconds = Math.floor(nowMs / 1000);
    while (store.oldest !== NONE && store.deadlineSeconds[store.oldest]! <= nowSeconds) {
      const edge = store.oldest;
      store.remove(edge);
      this.conclude(edge, nowMs);
    }
    this.dropped?.expire(nowMs);
  }

  /** Edges that wait go on waiting; of their dimensions those stay that are still configured. */
  adopt(predecessor: Processor): void {
    if (!(predecessor instanceof ServiceGraphs)) return;
    const { store, labels } = this;
    const from = predecessor.store;
    const moved = labels.stored.map((name) => predecessor.labels.stored.indexOf(name));
    for (const old of from.all()) {
      store.key.set(from.keys.subarray(old * KEY_INTS, (old + 1) * KEY_INTS));
      const edge = store.make();
      store.copyFrom(from, old, edge);
      moved.forEach((index, d) => {
        store.values[edge * store.dimensions + d] = index < 0 ? NONE : from.values[old * from.dimensions + index]!;
      });
      store.adopt(edge, from, old);
    }
    store.nextSequence = from.nextSequence;
    store.ended = from.ended;
  }

  changes(): Section[] {
    const { symbols } = this.context.registry;
    return [edgeChanges(this.store, symbols), ...(this.dropped ? [this.dropped.changes()] : [])];
  }

  everything(): Section[] {
    const { symbols } = this.context.registry;
    return [allEdges(this.store, symbols), ...(this.dropped ? [this.dropped.everything()] : [])];
  }

  load(section: Section): void {
    if (section.meta['holder'] === 'dropped-sides') {
      this.dropped?.load(section);
      return;
    }
    this.loader ??= new EdgeLoader(this.store, this.context.registry.symbols);
    this.loader.load(section);
  }

  loaded(): void {
    this.loader = undefined;
  }

  private updateClient(edge: number, batch: SpanBatch, i: number, service: number): void {
    const { store } = this;
    const producer = batch.kind[i] === KIND_PRODUCER;
    store.setTraceId(edge, batch, i);
    store.connection[edge] = producer ? MESSAGING : PLAIN;
    store.client[edge] = service;
    store.clientSeconds[edge] = batch.seconds[i]!;
    store.clientEndLow[edge] = batch.endLow[i]!;
    store.clientEndHigh[edge] = batch.endHigh[i]!;
    this.updateCommon(edge, batch, i, true);
    this.inferDatabase(edge, batch, i);
  }

  private updateServer(edge: number, batch: SpanBatch, i: number, service: number): void {
    const { store } = this;
    if (batch.parentLength[i] === 0) {
      store.flags[edge] = store.flags[edge]! | ROOT;
      store.setTraceId(edge, batch, i);
    }
    store.connection[edge] = batch.kind[i] === KIND_CONSUMER ? MESSAGING : PLAIN;
    store.server[edge] = service;
    store.serverSeconds[edge] = batch.seconds[i]!;
    store.serverStartLow[edge] = batch.startLow[i]!;
    store.serverStartHigh[edge] = batch.startHigh[i]!;
    this.updateCommon(edge, batch, i, false);
  }

  private updateCommon(edge: number, batch: SpanBatch, i: number, client: boolean): void {
    const { store, symbols, peerSlots, dimensionSlots } = this;
    store.kind[edge] = batch.kind[i]!;
    if (batch.status[i] === STATUS_ERROR) store.flags[edge] = store.flags[edge]! | FAILED;
    if (this.weight !== undefined) store.weight[edge] = this.weight.of(batch, i);
    for (let d = 0; d < dimensionSlots.length; d++) {
      const symbol = symbols.value(batch, i, dimensionSlots[d]!);
      if (symbol === ABSENT) continue;
      const { client: clientIndex, server: serverIndex } = this.labels.dimensions[d]!;
      store.values[edge * store.dimensions + (client ? clientIndex : serverIndex)] = symbol;
    }
    // The first key that is there decides, even with an empty value; with none of them the old peer stays.
    const base = i * batch.slots;
    for (let p = 0; p < peerSlots.length; p++) {
      if (batch.slotStart[base + peerSlots[p]!]! < 0) continue;
      store.peer[edge] = symbols.spanValue(batch, i, peerSlots[p]!);
      break;
    }
  }

  /** A client span with a database attribute closes its edge by itself: the database is the server. */
  private inferDatabase(edge: number, batch: SpanBatch, i: number): void {
    const { store, symbols, databaseSlots, serverNameSlots } = this;
    let database = ABSENT;
    for (let d = 0; d < databaseSlots.length && database === ABSENT; d++) database = symbols.value(batch, i, databaseSlots[d]!);
    if (database === ABSENT) return;
    store.connection[edge] = DATABASE;
    store.serverSeconds[edge] = batch.seconds[i]!;
    let name = ABSENT;
    for (let n = 0; n < serverNameSlots.length && name === ABSENT; n++) {
      name = symbols.value(batch, i, serverNameSlots[n]!);
      if (name !== ABSENT && n === 2) {
        const port = symbols.value(batch, i, this.portSlot);
        if (port !== ABSENT) name = this.withPort(name, port);
      }
    }
    store.server[edge] = name === ABSENT ? database : name;
  }

  private withPort(address: number, port: number): number {
    const { symbols } = this.context.registry;
    return this.symbols.text(Buffer.concat([symbols.bytes(address), Buffer.from(':'), symbols.bytes(port)]));
  }

  /** The spans of an edge that will not be completed: whom the one side names, stands in for the other. */
  private conclude(edge: number, nowMs: number): void {
    const { store } = this;
    store.connection[edge] = VIRTUAL;
    const hasClient = store.client[edge]! > EMPTY_SYMBOL;
    const hasServer = store.server[edge]! > EMPTY_SYMBOL;
    const peer = store.peer[edge]!;
    if (!hasClient && store.flags[edge]! & ROOT) {
      store.client[edge] = peer === EMPTY_SYMBOL ? this.context.registry.symbols.internText('user') : peer;
      this.markVirtual(edge, 'client');
      this.emit(edge, nowMs);
    } else if (hasClient && !hasServer && peer !== EMPTY_SYMBOL) {
      store.server[edge] = peer;
      this.markVirtual(edge, 'server');
      this.emit(edge, nowMs);
    } else {
      this.context.counters.expire(kindName(store.kind[edge]!));
    }
  }

  private markVirtual(edge: number, side: 'client' | 'server'): void {
    if (this.labels.virtualNode < 0) return;
    this.store.values[edge * this.store.dimensions + this.labels.virtualNode] = this.context.registry.symbols.internText(side);
  }

  /** A filtered span: its side is remembered, and a half that already waits for it is let go. */
  private drop(client: boolean, root: boolean, nowMs: number): void {
    const { store, dropped, context } = this;
    context.counters.discard('service_graphs_filtered', NAME);
    if (root || dropped === undefined) return;
    const waiting = store.find();
    if (waiting !== NONE) {
      const otherSideWaits = client ? store.server[waiting] !== NONE : store.client[waiting] !== NONE;
      if (otherSideWaits) {
        store.remove(waiting);
        context.counters.droppedEdges++;
      }
    }
    dropped.add(DroppedSides.key(client, store.key), nowMs + this.settings.waitMs);
    context.counters.droppedSideOverflow = dropped.overflows;
  }

  private emit(edge: number, nowMs: number): void {
    const { store, table, labels, parts, context } = this;
    for (let l = 0; l < labels.sources.length; l++) {
      const source = labels.sources[l]!;
      table.key[l] = Math.max(
        source.kind === 'value'
          ? store.values[edge * store.dimensions + source.index]!
          : source.kind === 'client'
            ? store.client[edge]!
            : source.kind === 'server'
              ? store.server[edge]!
              : this.connectionSymbol(store.connection[edge]!),
        EMPTY_SYMBOL,
      );
    }
    const failed = (store.flags[edge]! & FAILED) !== 0;
    const queued = parts.messaging !== undefined && store.connection[edge] === MESSAGING ? this.queueSeconds(edge) : 0;
    const wanted =
      (parts.requests?.bit ?? 0) |
      (failed ? (parts.failures?.bit ?? 0) : 0) |
      (parts.server?.bit ?? 0) |
      (parts.client?.bit ?? 0) |
      (queued > 0 ? parts.messaging!.bit : 0) |
      (parts.info?.bit ?? 0);
    let row = table.find();
    let refused = 0;
    if (row < 0) {
      row = table.admit(nowMs, wanted);
      refused = table.refused;
      if (row === INVALID_LABELS) {
        context.counters.discard('invalid_utf8', NAME);
        return;
      }
    } else if ((table.admitted[row]! & wanted) !== wanted) {
      table.settle(row, wanted, nowMs);
      refused = table.refused;
    }
    context.counters.completedEdges++;
    table.touch(row, nowMs);
    const weight = store.weight[edge]!;
    if (parts.requests) this.count(row, refused, parts.requests, weight);
    if (failed && parts.failures) this.count(row, refused, parts.failures, weight);
    if (parts.server) this.observe(row, refused, parts.server, edge, store.serverSeconds[edge]!, weight);
    if (parts.client) this.observe(row, refused, parts.client, edge, store.clientSeconds[edge]!, weight);
    if (queued > 0) this.observe(row, refused, parts.messaging!, edge, queued, weight);
  }

  private count(row: number, refused: number, { part, bit }: { part: Part; bit: number }, weight: number): void {
    if (part.kind === 'counter') this.table.add(refused & bit ? this.table.overflowRow : row, part, weight);
  }

  private observe(row: number, refused: number, { part, bit }: { part: Part; bit: number }, edge: number, seconds: number, weight: number): void {
    const { table, store, bounds } = this;
    const target = refused & bit ? table.overflowRow : row;
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++;
    const histogram = part as HistogramPart;
    table.observe(target, histogram, bucket, seconds, weight);
    table.exemplars.set(target, histogram.exemplarBase + bucket, seconds, store.traceIds, edge * 16, store.traceLengths[edge]!);
  }

  /** From the producer's end to the consumer's start; 0 or less where they overlap or one is not known. */
  private queueSeconds(edge: number): number {
    const { store } = this;
    const high = store.serverStartHigh[edge]! - store.clientEndHigh[edge]!;
    const low = store.serverStartLow[edge]! - store.clientEndLow[edge]!;
    return (high * 4294967296 + low) / 1e9;
  }

  private connectionSymbol(connection: number): number {
    const text = CONNECTION_TYPES[connection]!;
    return text === '' ? EMPTY_SYMBOL : this.context.registry.symbols.internText(text);
  }
}
