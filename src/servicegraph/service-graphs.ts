// The service graph: pairs client and server spans of one call into an edge, infers databases and uninstrumented peers, and counts
// requests, failures and both latencies per edge. Hot file: `process` runs for every span. Long, as an edge's whole life is here.

import { utf8 } from '../bytes/index.ts';
import type { ServiceGraphsSettings, TenantSettings } from '../config/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import {
  ABSENT,
  type AttributeSymbols,
  compileFilter,
  constantLabels,
  filterKeys,
  histogramSpec,
  KIND_CLIENT,
  KIND_CONSUMER,
  KIND_PRODUCER,
  KIND_SERVER,
  kindName,
  otelConstantLabels,
  otelInstanceLabel,
  type Processor,
  type ProcessorContext,
  type ProcessorSpec,
  type SpanFilter,
  SpanWeight,
  STATUS_ERROR,
  weightKeys,
} from '../processors/index.ts';
import {
  BucketIndex,
  EMPTY_SYMBOL,
  type HistogramPart,
  hasNative,
  INVALID_LABELS,
  type LabelRules,
  makeSchema,
  type Part,
  type PartSpec,
  type PartWithNative,
  type RowTable,
  type Section,
} from '../registry/index.ts';
import { DroppedSides } from './dropped-sides.ts';
import { compileEdgeLabels, type EdgeLabel, type EdgeLabels } from './edge-labels.ts';
import { allEdges, EdgeLoader, edgeChanges } from './edge-sections.ts';
import {
  CONNECTION_TYPES,
  DATABASE,
  EdgeStore,
  FAILED,
  KEY_INTS,
  MESSAGING,
  NONE,
  PLAIN,
  ROOT,
  VIRTUAL,
} from './edge-store.ts';

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

// What `emit` reads a label from.
const VALUE = 0;
const CLIENT = 1;
const SERVER = 2;
const CONNECTION = 3;
const FAILURE = 4;
const OPERATIONS: Record<EdgeLabel['kind'], number> = {
  value: VALUE,
  client: CLIENT,
  server: SERVER,
  connection: CONNECTION,
  failed: FAILURE,
};

// Symbols of fixed texts: the connection types come first, by their numbers.
const USER = 4;
const CLIENT_SIDE = 5;
const SERVER_SIDE = 6;
const UNKNOWN_PEER = 7;
const TRUE = 8;
const FALSE = 9;
const FIXED_SYMBOLS = 10;

/** The collector's instrumentation scope. */
const SCOPE = 'traces_service_graph';

/** Entries of the table of addresses with ports; a power of two. */
const PORTS = 1024;

/** A part of the table as `emit` needs it; of a gauge only the bit is of use. */
interface BoundPart {
  bit: number;
  column: number;
  exemplarBase: number;
  native: PartWithNative | undefined;
}

function boundPart(part: Part, index: number): BoundPart {
  return {
    bit: 1 << index,
    column: 'column' in part ? part.column : NONE,
    exemplarBase: part.kind === 'histogram' ? part.exemplarBase : NONE,
    native: hasNative(part) ? part : undefined,
  };
}

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
    ...(settings.naming === 'otel' ? [] : [...SERVER_NAME_KEYS, PEER_PORT_KEY]),
    ...filterKeys(graph.filterPolicies),
    ...weightKeys(graph.spanMultiplierKey),
  ];
  return { name: NAME, keys, create: (context) => new ServiceGraphs(context, parts) };
}

export class ServiceGraphs implements Processor {
  readonly name = NAME;
  readonly store: EdgeStore;
  /** Does it work as the collector's connector does? */
  private readonly isOtel: boolean;
  private readonly context: ProcessorContext;
  private readonly symbols: AttributeSymbols;
  private readonly settings: ServiceGraphsSettings;
  private readonly table: RowTable;
  private readonly labels: EdgeLabels;
  private readonly rules: LabelRules | undefined;
  private readonly filter: SpanFilter | undefined;
  private readonly weight: SpanWeight | undefined;
  private readonly dropped: DroppedSides | undefined;
  private readonly peerSlots: Int32Array;
  private readonly databaseSlots: Int32Array;
  private readonly serverNameSlots: Int32Array;
  private readonly portSlot: number;
  private readonly dimensionSlots: Int32Array;
  private readonly buckets: BucketIndex;
  private readonly parts: Record<'requests' | 'failures' | 'server' | 'client' | 'messaging', BoundPart | undefined>;
  /** Bits of the parts that every edge has, and of the failures. */
  private readonly always: number;
  private readonly failuresBit: number;
  /** The labels' sources as numbers, and the index of a value's beside it. */
  private readonly operations: Uint8Array;
  private readonly operands: Int32Array;
  private readonly fixedSymbols = new Int32Array(FIXED_SYMBOLS).fill(NONE);
  private fixedGeneration = -1;
  private readonly queued = new Float64Array(1);
  /** Address and port → symbol of both: three numbers an entry. Spares text for what repeats. */
  private readonly ports = new Int32Array(3 * PORTS).fill(NONE);
  private portsGeneration = -1;
  private loader: EdgeLoader | undefined;

  constructor(context: ProcessorContext, on: Parts) {
    this.context = context;
    this.symbols = context.symbols;
    const { settings, plan, registry, tenant } = context;
    const graph = settings.serviceGraphs;
    this.settings = graph;
    this.isOtel = settings.naming === 'otel';
    this.labels = compileEdgeLabels(graph, settings.maxLabelNameLength, this.isOtel);
    this.store = new EdgeStore(this.labels.width);
    registry.symbolHolders.push(this.store);
    // The collector's counters are named with their suffix to begin with, its histograms get one.
    const withUnit = (metric: string) =>
      this.isOtel && !settings.otel.suffixes ? metric.replace(/_seconds$/, '') : metric;
    const serverSeconds = withUnit(SERVER_SECONDS);
    const clientSeconds = withUnit(CLIENT_SECONDS);
    const histogram = (metric: string): PartSpec => histogramSpec(settings, metric, graph.histogramBuckets);
    const specs: PartSpec[] = [
      ...(on.requests
        ? ([
            { kind: 'counter', metric: REQUESTS },
            { kind: 'counter', metric: FAILURES },
          ] as const)
        : []),
      ...(on.latency ? [histogram(serverSeconds), histogram(clientSeconds)] : []),
      ...(on.latency && graph.enableMessagingSystemLatencyHistogram ? [histogram(MESSAGING_SECONDS)] : []),
      ...(on.connectionInfo ? ([{ kind: 'gauge', metric: CONNECTION_INFO }] as const) : []),
    ];
    const constant = this.isOtel ? otelConstantLabels(tenant, settings, SCOPE) : constantLabels(tenant, settings);
    const schema = makeSchema(NAME, this.labels.names, specs, constant, settings.traceIdLabelName);
    this.table = registry.table(this.isOtel ? { ...schema, instanceLabel: otelInstanceLabel(settings.otel) } : schema);
    this.rules = registry.labelRules(this.table.schema);
    const { parts } = this.table.schema;
    const find = (metric: string): BoundPart | undefined => {
      const index = parts.findIndex((part) => part.metric === metric);
      return index < 0 ? undefined : boundPart(parts[index]!, index);
    };
    this.parts = {
      requests: find(REQUESTS),
      failures: find(FAILURES),
      server: find(serverSeconds),
      client: find(clientSeconds),
      messaging: find(MESSAGING_SECONDS),
    };
    const bit = (part: BoundPart | undefined) => part?.bit ?? 0;
    this.always =
      bit(this.parts.requests) | bit(this.parts.server) | bit(this.parts.client) | bit(find(CONNECTION_INFO));
    this.failuresBit = bit(this.parts.failures);
    const latency = parts.find((part): part is HistogramPart => part.kind === 'histogram');
    this.buckets = new BucketIndex(latency?.bounds ?? []);
    const { sources } = this.labels;
    this.operations = Uint8Array.from(sources, ({ kind }) => OPERATIONS[kind]);
    this.operands = Int32Array.from(sources, (source) => (source.kind === 'value' ? source.index : NONE));
    this.filter = compileFilter(graph.filterPolicies, context);
    this.dropped = this.filter ? new DroppedSides(graph.maxItems) : undefined;
    this.weight = SpanWeight.from(graph.spanMultiplierKey, graph.enableTracestateSpanMultiplier, context);
    const slots = (keys: readonly string[]) => Int32Array.from(keys, (key) => plan.slotOf(key));
    this.peerSlots = slots(graph.peerAttributes);
    this.databaseSlots = slots(graph.databaseNameAttributes);
    this.serverNameSlots = slots(this.isOtel ? [] : SERVER_NAME_KEYS);
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

  /** Edges that wait go on waiting; of their dimensions those stay that are still configured. Dropped sides stay remembered. */
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
    if (predecessor.dropped) this.dropped?.adopt(predecessor.dropped);
  }

  /** Edges that wait for nobody any more. */
  retire(): void {
    const { store, context } = this;
    for (const edge of store.all()) context.counters.expire(kindName(store.kind[edge]!));
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
    store.weight[edge] = this.weight === undefined ? 1 : this.weight.of(batch, i);
    for (let d = 0; d < dimensionSlots.length; d++) {
      const symbol = symbols.value(batch, i, dimensionSlots[d]!);
      if (symbol === ABSENT) continue;
      const { client: clientIndex, server: serverIndex } = this.labels.dimensions[d]!;
      store.values[edge * store.dimensions + (client ? clientIndex : serverIndex)] = symbol;
    }
    // The first key that is there decides, even with an empty value; with none of them the old peer stays.
    for (let p = 0; p < peerSlots.length; p++) {
      const peer = symbols.ofSpan(batch, i, peerSlots[p]!);
      if (peer === ABSENT) continue;
      store.peer[edge] = peer;
      break;
    }
  }

  /** A client span with a database attribute closes its edge by itself: the database is the server. */
  private inferDatabase(edge: number, batch: SpanBatch, i: number): void {
    const { store, symbols, databaseSlots, serverNameSlots } = this;
    let database = ABSENT;
    for (let d = 0; d < databaseSlots.length && database === ABSENT; d++)
      database = symbols.value(batch, i, databaseSlots[d]!);
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
    const { ports } = this;
    const { symbols, generation } = this.context.registry;
    if (this.portsGeneration !== generation) {
      this.portsGeneration = generation;
      ports.fill(NONE);
    }
    const at = 3 * ((Math.imul(address, 0x9e3779b1) ^ Math.imul(port, 0x85ebca6b)) >>> 22);
    if (ports[at] !== address || ports[at + 1] !== port) {
      ports[at] = address;
      ports[at + 1] = port;
      ports[at + 2] = this.symbols.text(Buffer.concat([symbols.bytes(address), Buffer.from(':'), symbols.bytes(port)]));
    }
    return ports[at + 2]!;
  }

  /** The spans of an edge that will not be completed: whom the one side names, stands in for the other. */
  private conclude(edge: number, nowMs: number): void {
    const { store } = this;
    store.connection[edge] = VIRTUAL;
    if (this.isOtel) {
      this.concludeOtel(edge, nowMs);
      return;
    }
    const hasClient = store.client[edge]! > EMPTY_SYMBOL;
    const hasServer = store.server[edge]! > EMPTY_SYMBOL;
    const peer = store.peer[edge]!;
    if (!hasClient && store.flags[edge]! & ROOT) {
      store.client[edge] = peer === EMPTY_SYMBOL ? this.fixedSymbol(USER, 'user') : peer;
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

  /** The collector's rule: a root is called by the user, and a peer that nothing names is unknown. */
  private concludeOtel(edge: number, nowMs: number): void {
    const { store } = this;
    const hasClient = store.client[edge]! > EMPTY_SYMBOL;
    const hasServer = store.server[edge]! > EMPTY_SYMBOL;
    const peer = store.peer[edge]!;
    const isOn = this.peerSlots.length > 0;
    if (isOn && !hasClient && store.flags[edge]! & ROOT) {
      store.client[edge] = this.fixedSymbol(USER, 'user');
      this.markVirtual(edge, 'client');
    } else if (isOn && hasClient && !hasServer) {
      store.server[edge] = peer === EMPTY_SYMBOL ? this.fixedSymbol(UNKNOWN_PEER, 'unknown') : peer;
      this.markVirtual(edge, 'server');
    } else {
      this.context.counters.expire(kindName(store.kind[edge]!));
      return;
    }
    this.emit(edge, nowMs);
  }

  private markVirtual(edge: number, side: 'client' | 'server'): void {
    if (this.labels.virtualNode < 0) return;
    this.store.values[edge * this.store.dimensions + this.labels.virtualNode] = this.fixedSymbol(
      side === 'client' ? CLIENT_SIDE : SERVER_SIDE,
      side,
    );
  }

  /** A filtered span: its side is remembered, and a half that already waits for it is let go. */
  private drop(client: boolean, root: boolean, nowMs: number): void {
    const { store, dropped, context } = this;
    context.counters.discard('service_graphs_filtered', NAME);
    if (root || dropped === undefined) return;
    const waiting = store.find();
    if (waiting !== NONE) {
      // An edge is its server's half as soon as that has a name, else its client's.
      const isServers = store.server[waiting]! > EMPTY_SYMBOL;
      if (client === isServers) {
        store.remove(waiting);
        context.counters.droppedEdges++;
      }
    }
    // Added up: new sides begin at 0 where filters come anew.
    const before = dropped.overflows;
    dropped.add(DroppedSides.key(client, store.key), nowMs + this.settings.waitMs);
    context.counters.droppedSideOverflow += dropped.overflows - before;
  }

  private emit(edge: number, nowMs: number): void {
    const { store, table, operations, operands, parts, context } = this;
    const { key } = table;
    const failed = (store.flags[edge]! & FAILED) !== 0;
    for (let l = 0; l < operations.length; l++) {
      let symbol: number;
      switch (operations[l]) {
        case CLIENT:
          symbol = store.client[edge]!;
          break;
        case SERVER:
          symbol = store.server[edge]!;
          break;
        case CONNECTION:
          symbol = this.connectionSymbol(store.connection[edge]!);
          break;
        case FAILURE:
          symbol = failed ? this.fixedSymbol(TRUE, 'true') : this.fixedSymbol(FALSE, 'false');
          break;
        default:
          symbol = store.values[edge * store.dimensions + operands[l]!]!;
      }
      key[l] = Math.max(symbol, EMPTY_SYMBOL);
    }
    if (this.rules !== undefined) this.rules.apply(key);
    const queued = parts.messaging !== undefined && store.connection[edge] === MESSAGING ? this.queueSeconds(edge) : 0;
    const wanted = this.always | (failed ? this.failuresBit : 0) | (queued > 0 ? parts.messaging!.bit : 0);
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
    if (parts.requests) this.count(row, refused, parts.requests, edge);
    if (failed && parts.failures) this.count(row, refused, parts.failures, edge);
    if (parts.server) this.observe(row, refused, parts.server, edge, store.serverSeconds, edge, nowMs);
    if (parts.client) this.observe(row, refused, parts.client, edge, store.clientSeconds, edge, nowMs);
    if (queued > 0) {
      this.queued[0] = queued;
      this.observe(row, refused, parts.messaging!, edge, this.queued, 0, nowMs);
    }
  }

  private count(row: number, refused: number, { column, bit }: BoundPart, edge: number): void {
    const { table } = this;
    const at = (refused & bit ? table.overflowRow : row) * table.schema.width + column;
    table.values[at] = table.values[at]! + this.store.weight[edge]!;
  }

  /** The seconds are column[index]: see BucketIndex.of. */
  private observe(
    row: number,
    refused: number,
    part: BoundPart,
    edge: number,
    column: Float64Array,
    index: number,
    nowMs: number,
  ): void {
    const { table, store } = this;
    const target = refused & part.bit ? table.overflowRow : row;
    const bucket = this.buckets.of(column, index);
    const seconds = column[index]!;
    const weight = store.weight[edge]!;
    if (part.native !== undefined) {
      this.observeNative(target, part.native, bucket, edge, column, index, nowMs);
      return;
    }
    const { values } = table;
    const at = target * table.schema.width + part.column;
    values[at] = values[at]! + seconds * weight;
    values[at + 1 + bucket] = values[at + 1 + bucket]! + weight;
    const slot = part.exemplarBase + bucket;
    if (store.traceLengths[edge] === 16)
      table.exemplars.setId(target, slot, column, index, store.traceIdsView, edge * 16);
    else table.exemplars.set(target, slot, seconds, store.traceIds, edge * 16, store.traceLengths[edge]!);
  }

  private observeNative(
    row: number,
    part: PartWithNative,
    bucket: number,
    edge: number,
    column: Float64Array,
    index: number,
    nowMs: number,
  ): void {
    const { natives, exemplars } = this.table;
    const { traceIds, traceIdsView, traceLengths, weight } = this.store;
    const start = edge * 16;
    const length = traceLengths[edge]!;
    // A native histogram counts whole observations.
    const times = Math.ceil(weight[edge]!);
    natives!.observe(row, part, bucket, column, index, times, nowMs);
    if (part.kind === 'native') natives!.exemplify(row, part, column, index, times, nowMs, traceIds, start, length);
    else exemplars.setAny(row, part.exemplarBase + bucket, column, index, traceIds, traceIdsView, start, length);
  }

  /** From the producer's end to the consumer's start; 0 or less where they overlap or one is not known. */
  private queueSeconds(edge: number): number {
    const { store } = this;
    const high = store.serverStartHigh[edge]! - store.clientEndHigh[edge]!;
    const low = store.serverStartLow[edge]! - store.clientEndLow[edge]!;
    return (high * 4294967296 + low) / 1e9;
  }

  private connectionSymbol(connection: number): number {
    return connection === PLAIN ? EMPTY_SYMBOL : this.fixedSymbol(connection, CONNECTION_TYPES[connection]!);
  }

  /** The symbol of a text that is always the same, kept under a number of its own until symbols are renumbered. */
  private fixedSymbol(index: number, text: string): number {
    const { registry } = this.context;
    if (this.fixedGeneration !== registry.generation) {
      this.fixedGeneration = registry.generation;
      this.fixedSymbols.fill(NONE);
    }
    let symbol = this.fixedSymbols[index]!;
    if (symbol === NONE) {
      symbol = this.symbols.text(utf8(text));
      this.fixedSymbols[index] = symbol;
    }
    return symbol;
  }
}
