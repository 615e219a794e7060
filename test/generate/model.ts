// A plain, independent account of decoded spans: calls by label set, and a service graph that pairs halves in the order in which they
// come, as the pairing rules say for default settings. Time plays no part: leftovers expire at the end.
import type { CallCount, EdgeCount } from '../../src/generate/index.ts';
import type { ReadSpan } from './otlp.ts';

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const CODES = ['UNSET', 'OK', 'ERROR'];

export const callKey = (call: Omit<CallCount, 'count'>) =>
  `${call.service}|${call.span_name}|${call.span_kind}|${call.status_code}`;
export const edgeKey = (edge: Pick<EdgeCount, 'client' | 'server' | 'connection_type'>) =>
  `${edge.client}|${edge.server}|${edge.connection_type}`;

export function countCalls(spans: Iterable<ReadSpan>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const span of spans) {
    const key = `${span.service}|${span.name}|SPAN_KIND_${KINDS[span.kind]}|STATUS_CODE_${CODES[span.status]}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

interface Half {
  client?: string;
  server?: string;
  type: string;
  peer: string;
  isRoot: boolean;
  hasFailed: boolean;
}

const PEERS = ['peer.service', 'db.name', 'db.system', 'db.system.name'];
const DATABASES = ['db.namespace', 'db.name', 'db.system', 'db.system.name'];

/** Counts as `count/failed` by edge; `expired` is what made no edge. */
export function countEdges(spans: Iterable<ReadSpan>): { edges: Map<string, string>; expired: number } {
  const open = new Map<string, Half>();
  const tally = new Map<string, [number, number]>();
  const emit = (half: Half) => {
    const key = edgeKey({ client: half.client!, server: half.server!, connection_type: half.type as '' });
    const [count, failed] = tally.get(key) ?? [0, 0];
    tally.set(key, [count + 1, failed + (half.hasFailed ? 1 : 0)]);
  };
  for (const span of spans) {
    const isClient = span.kind === 3 || span.kind === 4;
    if (!isClient && span.kind !== 2 && span.kind !== 5) continue;
    const key = `${span.traceId}/${isClient ? span.spanId : span.parentId}`;
    const half = open.get(key) ?? { type: '', peer: '', isRoot: false, hasFailed: false };
    half.hasFailed ||= span.status === 2;
    half.type = span.kind >= 4 ? 'messaging_system' : '';
    const peer = PEERS.find((name) => span.attributes.has(name));
    if (peer !== undefined) half.peer = span.attributes.get(peer)!;
    if (isClient) {
      half.client = span.service;
      const store = DATABASES.find((name) => span.attributes.has(name));
      if (store !== undefined) {
        half.type = 'database';
        const port = span.attributes.get('network.peer.port');
        const address = span.attributes.get('network.peer.address');
        half.server =
          span.attributes.get('peer.service') ??
          span.attributes.get('server.address') ??
          (address === undefined ? span.attributes.get(store)! : port === undefined ? address : `${address}:${port}`);
      }
    } else {
      half.server = span.service;
      half.isRoot = span.parentId === '';
    }
    if (half.client !== undefined && half.server !== undefined) {
      open.delete(key);
      emit(half);
    } else open.set(key, half);
  }
  let expired = 0;
  for (const half of open.values()) {
    half.type = 'virtual_node';
    if (half.client === undefined && half.isRoot) emit({ ...half, client: half.peer || 'user' });
    else if (half.client !== undefined && half.peer !== '') emit({ ...half, server: half.peer });
    else expired++;
  }
  return { edges: new Map([...tally].map(([key, [count, failed]]) => [key, `${count}/${failed}`])), expired };
}

export const callsOf = (calls: readonly CallCount[]) => new Map(calls.map((call) => [callKey(call), call.count]));
export const edgesOf = (edges: readonly EdgeCount[]) =>
  new Map(edges.map((edge) => [edgeKey(edge), `${edge.count}/${edge.failed}`]));
