// One edge: what each of its halves says of it, its labels, and what it changes once it is complete.

import type { TenantSettings } from '../../../src/config/index.ts';
import {
  CONNECTION_INFO,
  edgeAttributes,
  edgeDimensions,
  edgeLabelName,
  FAILURES,
  latencyNames,
  MESSAGING_SECONDS,
  REQUESTS,
  serviceGraphsTable,
} from './graph-table.ts';
import { observe, type State } from './metrics.ts';
import { otelText } from './otel-names.ts';
import { type Attributes, first, type Span } from './request.ts';
import { secondsOf } from './span-metrics.ts';
import { type ByteText, compact, cut, type Labels, type Pair, valueText } from './text.ts';
import { weightOf } from './weights.ts';

export interface Edge {
  key: string;
  /** Services; empty: not known (yet). */
  client: ByteText;
  server: ByteText;
  type: string;
  /** Of the last span. */
  kind: number;
  isRoot: boolean;
  peer: ByteText;
  hasFailed: boolean;
  weight: number;
  /** Hex. */
  trace: string;
  clientSeconds: number;
  serverSeconds: number;
  clientEndNs: bigint;
  serverStartNs: bigint;
  /** Dimensions by the name they are stored under. */
  values: Map<string, ByteText>;
  deadlineSeconds: number;
}

export function blankEdge(key: string, deadlineSeconds: number): Edge {
  return {
    key,
    client: '',
    server: '',
    type: '',
    kind: 0,
    isRoot: false,
    peer: '',
    hasFailed: false,
    weight: 1,
    trace: '',
    clientSeconds: 0,
    serverSeconds: 0,
    clientEndNs: 0n,
    serverStartNs: 0n,
    values: new Map(),
    deadlineSeconds,
  };
}

export function isComplete({ client, server }: Edge): boolean {
  return client !== '' && server !== '';
}

/** Whose half waits: the server's as soon as it has a name, else the client's. */
export function sideOf({ server }: Edge): 'client' | 'server' {
  return server === '' ? 'client' : 'server';
}

/** In the nearest of these places that has the key; undefined: none has it. */
function lookUp({ naming }: TenantSettings, places: Attributes[], key: string): ByteText | undefined {
  const found = places.map((attributes) => first(attributes, key)).find((value) => value !== undefined);
  return found === undefined ? undefined : naming === 'otel' ? otelText(found) : valueText(found);
}

export function updateClient(settings: TenantSettings, edge: Edge, resource: Attributes, span: Span): void {
  const { maxLabelValueLength: length } = settings;
  const both = [resource, span.attributes];
  edge.trace = span.trace;
  edge.type = span.kind === 4 ? 'messaging_system' : '';
  edge.client = cut(lookUp(settings, [resource], 'service.name')!, length);
  edge.clientSeconds = secondsOf(span);
  edge.clientEndNs = span.endNs;
  updateEither(settings, edge, resource, span, 'client');
  const database = settings.serviceGraphs.databaseNameAttributes
    .map((key) => lookUp(settings, both, key))
    .find((value) => value !== undefined);
  if (database === undefined) return;
  edge.type = 'database';
  edge.serverSeconds = secondsOf(span);
  edge.server = cut(databaseName(settings, both) ?? database, length);
}

/** What the client says of whom it talks to; undefined: nothing, or nobody asks (the collector). */
function databaseName(settings: TenantSettings, places: Attributes[]): ByteText | undefined {
  if (settings.naming === 'otel') return undefined;
  const address = lookUp(settings, places, 'network.peer.address');
  const port = lookUp(settings, places, 'network.peer.port');
  return (
    lookUp(settings, places, 'peer.service') ??
    lookUp(settings, places, 'server.address') ??
    (address === undefined || port === undefined ? address : `${address}:${port}`)
  );
}

export function updateServer(settings: TenantSettings, edge: Edge, resource: Attributes, span: Span): void {
  if (span.parent === '') {
    edge.isRoot = true;
    edge.trace = span.trace;
  }
  edge.type = span.kind === 5 ? 'messaging_system' : '';
  edge.server = cut(lookUp(settings, [resource], 'service.name')!, settings.maxLabelValueLength);
  edge.serverSeconds = secondsOf(span);
  edge.serverStartNs = span.startNs;
  updateEither(settings, edge, resource, span, 'server');
}

function updateEither(
  settings: TenantSettings,
  edge: Edge,
  resource: Attributes,
  span: Span,
  side: 'client' | 'server',
): void {
  edge.kind = span.kind;
  if (span.status?.code === 2) edge.hasFailed = true;
  const { serviceGraphs } = settings;
  edge.weight = weightOf(serviceGraphs, resource, span);
  for (const name of edgeAttributes(settings)) {
    const value = lookUp(settings, [resource, span.attributes], name);
    if (value !== undefined) edge.values.set(serviceGraphs.enableClientServerPrefix ? `${side}_${name}` : name, value);
  }
  // The span's own attributes only; the first that is there counts, even an empty one.
  const peers = serviceGraphs.peerAttributes.map((key) => lookUp(settings, [span.attributes], key));
  const peer = peers.find((value) => value !== undefined);
  if (peer !== undefined) edge.peer = peer;
}

export function edgeLabels(settings: TenantSettings, edge: Edge): Labels {
  const { client, server, type, values, hasFailed } = edge;
  const dimensions = edgeDimensions(settings).map(
    (name): Pair => [edgeLabelName(settings, name), values.get(name) ?? ''],
  );
  const failed: Pair[] = settings.naming === 'otel' ? [['failed', String(hasFailed)]] : [];
  return compact(
    [['client', client], ['server', server], ['connection_type', type], ...failed, ...dimensions],
    settings,
  );
}

/** In the order in which a limit sees them. */
export function edgeChanges(
  settings: TenantSettings,
  edge: Edge,
  nowMs: number,
): [metric: string, change: (state: State) => void][] {
  const { weight, hasFailed, serverSeconds, clientSeconds } = edge;
  // Trace ids have 16 bytes; of a longer one an edge keeps as many.
  const trace = edge.trace.slice(0, 32);
  const queued = Number(edge.serverStartNs - edge.clientEndNs) / 1e9;
  const add = (state: State) => {
    state.value += weight;
  };
  const seconds = (value: number) => (state: State) => observe(state, { value, weight, trace, nowMs });
  const { server, client } = latencyNames(settings);
  const changes: Record<string, ((state: State) => void) | undefined> = {
    [REQUESTS]: add,
    [FAILURES]: hasFailed ? add : undefined,
    [server]: seconds(serverSeconds),
    [client]: seconds(clientSeconds),
    [MESSAGING_SECONDS]: edge.type === 'messaging_system' && queued > 0 ? seconds(queued) : undefined,
    [CONNECTION_INFO]: () => undefined,
  };
  return serviceGraphsTable('', settings)!.metrics.flatMap(({ name }) =>
    changes[name] === undefined ? [] : [[name, changes[name]]],
  );
}
