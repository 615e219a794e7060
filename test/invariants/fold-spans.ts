// Random spans for the lives of a fold: calls whose halves come apart, late or twice, with attributes of any kind. The pools say from
// what; the plain one has what most tests need, the rich one what any option looks at.

import type { AnyValue, Attributes, Group, Request, Span } from '../fold/model.ts';
import type { Below } from '../otlp/noisy-encoder.ts';

export interface SpanPools {
  services: AnyValue[];
  /** A `#` in one becomes a number. */
  names: string[];
  kinds: number[];
  statuses: number[];
  states: string[];
  keys: string[];
  values: AnyValue[];
  /** Of these keys the values are ratios. */
  ratioKeys: string[];
  ratios: AnyValue[];
  resourceKeys: string[];
  /** One span in so many has events; 0 = none. */
  eventsEvery: number;
  /** One span in so many has the ids of one of the last. */
  repeatEvery: number;
  /** One span in so many ends just inside or outside this distance from its request, either side; 0 = none. */
  atSlackEvery: number;
  slackMs: number;
}

export const PLAIN_POOLS: SpanPools = {
  services: ['web', 'api', 'db', '', 'naïve'],
  names: ['GET /', 'POST /cart', '', 'query', 'x\u0000y'],
  kinds: [1, 2, 2, 3, 3, 4, 5, 0],
  statuses: [0, 1, 2, 2],
  states: ['ot=th:8', 'ot=th:c;rv:80000000000000', 'x=1', 'ot=bad'],
  keys: ['http.method', 'peer.service', 'db.system', 'db.name', 'team', 'ratio', 'server.address', 'virtual_node'],
  values: ['GET', 'a', 'b', 'orders', '', 7n, 2.5, true],
  ratioKeys: ['ratio'],
  ratios: [0.5, 0.1, 1, -1],
  resourceKeys: [],
  eventsEvery: 0,
  repeatEvery: 4,
  atSlackEvery: 0,
  slackMs: 0,
};

const NOT_TEXT: AnyValue = { bytes: Uint8Array.of(0x61, 0xff, 0x62) };

/** Keys that dimensions, filters, mappings and exclusions are made of. */
export const KEYS = [
  ...['http.method', 'team', 'odd key', '9digit', 'naïve', 'a..b', 'say "hi"'],
  ...['service', 'span_name', 'status.code', 'job', 'instance', '__name__', 'le'],
  ...['client', 'server', 'connection.type', 'virtual_node', 'client_team'],
  ...['peer.service', 'db.namespace', 'db.name', 'db.system', 'db.system.name', 'messaging.system'],
  ...['server.address', 'network.peer.address', 'network.peer.port', 'host.id', 'k8s.node.name', 'ratio', 'count'],
];

export const RICH_POOLS: SpanPools = {
  services: [...PLAIN_POOLS.services, 'web', 'api', 7n, ['x', 1n], NOT_TEXT],
  names: [...PLAIN_POOLS.names, 'GET /users/#', 'ünïcode', 'a name that is rather long', 'twenty-three bytes and ü'],
  kinds: [...PLAIN_POOLS.kinds, 2, 3, 3, 6, -1],
  statuses: [...PLAIN_POOLS.statuses, 3],
  states: [
    ...['ot=th:8', 'ot=th:8', 'ot=th:c', 'ot=th:c;rv:80000000000000', 'ot=rv:ffffffffffffff;th:5', 'ot=th:55555'],
    ...['x=1,ot=th:a;p:8', ' ot=th:4 ', 'ot=th:0', 'ot=th:', 'ot=th:8;', 'ot=th:8;rv:1', 'ot=', 'ot=th:8,ot=th:0'],
    ...['x=ot=th:8', `ot=th:8;x:${'y'.repeat(250)}`],
  ],
  keys: [...KEYS, ''],
  values: [
    ...[
      'GET',
      'GET',
      'a',
      'a',
      'b',
      'orders',
      '',
      'ünïcode',
      'a value that is rather long',
      '\u0000',
      '\u0001',
      'true',
    ],
    // Cut at 24 bytes it is no text.
    'twenty-three bytes and ü',
    ...[0n, 7n, -12n, 9007199254740993n, 2.5, 2, -0, 1e21, 1.5e-7, Number.NaN, Number.POSITIVE_INFINITY, true, false],
    ...[null, NOT_TEXT, Uint8Array.of(1, 2), [], ['x', 1n, true, 2.5, ['nested']]],
    {
      entries: [
        ['k1', 'v1'],
        ['k2', 7n],
      ] satisfies Attributes,
    },
  ],
  ratioKeys: ['ratio', 'count'],
  // Not +Inf: a weight of 0 counts as none, where the rule would count a span as nothing.
  ratios: [0.5, 0.1, 0.25, 1, 2.5, 3, 0, -1, 0n, 7n, 'GET', '0.5', Number.NaN],
  resourceKeys: [...KEYS, ''],
  eventsEvery: 6,
  repeatEvery: 4,
  atSlackEvery: 15,
  slackMs: 30_000,
};

/** Few, so that dimensions meet attributes. */
export const EDGE_KEYS = ['http.method', 'team', 'peer.service', 'virtual_node', 'client_team', 'connection.type'];

/** Halves of few calls, which come again and again. */
export const EDGE_POOLS: SpanPools = {
  ...RICH_POOLS,
  kinds: [2, 3, 4, 5],
  keys: [...EDGE_KEYS, ...EDGE_KEYS, 'db.name', 'ratio'],
  repeatEvery: 2,
};

/** Makes requests one after the other; what a later one pairs with or repeats comes from those before. */
export function requestMaker(below: Below, pools: SpanPools): (nowMs: number) => Request {
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  /** Client halves that have no server half yet: trace and span id. */
  const open: { trace: string; id: string }[] = [];
  /** Spans to repeat: the same ids again, in the same or the other role. */
  const recent: Span[] = [];
  let serial = 0;
  const newId = (bytes: number) => {
    serial++;
    const length = below(5) === 0 ? below(30) : bytes;
    if (length === 0) return '';
    const digits = (serial * 0x9e3779b1).toString(16);
    return digits.padStart(length * 2, '0').slice(-length * 2);
  };

  const attributes = (keys: readonly string[]): Attributes => {
    const out: Attributes = [];
    for (let n = below(4); n > 0; n--) {
      const key = pick(keys);
      out.push([key, pools.ratioKeys.includes(key) ? pick(pools.ratios) : pick(pools.values)]);
    }
    return out;
  };

  const oneSpan = (nowMs: number): Span => {
    const kind = pick(pools.kinds);
    const late = below(20) === 0 ? 40_000 : below(3_000);
    const usualNs = BigInt(nowMs - late) * 1_000_000n + BigInt(below(1_000_000));
    const isAtSlack = pools.atSlackEvery > 0 && below(pools.atSlackEvery) === 0;
    const endNs = isAtSlack
      ? BigInt(nowMs + pick([-1, 1]) * pools.slackMs) * 1_000_000n + pick([-1n, 0n, 1n])
      : usualNs;
    const tookNs = BigInt(below(10) === 0 ? 0 : below(2 ** 31)) * BigInt(below(3));
    const span: Span = {
      name: pick(pools.names).replaceAll('#', () => String(below(6))),
      kind,
      trace: newId(16),
      id: newId(8),
      parent: below(3) === 0 ? '' : newId(8),
      startNs: endNs - tookNs,
      endNs,
      state: below(12) === 0 ? pick(pools.states) : '',
      attributes: attributes(pools.keys),
      ...(below(2) === 0 ? { status: { code: pick(pools.statuses), message: pick(['', 'no']) } } : {}),
    };
    if (pools.eventsEvery > 0 && below(pools.eventsEvery) === 0)
      span.events = Array.from({ length: below(4) }, () => attributes(pools.keys));
    if (recent.length > 0 && below(pools.repeatEvery) === 0) {
      const { trace, id, parent } = pick(recent);
      Object.assign(span, { trace, id, parent });
    }
    recent.push(span);
    if (recent.length > 12) recent.shift();
    if ((kind === 3 || kind === 4) && below(3) > 0) open.push({ trace: span.trace, id: span.id });
    if ((kind === 2 || kind === 5) && open.length > 0 && below(3) > 0) {
      const [half] = open.splice(below(open.length), 1);
      span.trace = half!.trace;
      span.parent = half!.id;
    }
    return span;
  };

  return (nowMs) =>
    Array.from({ length: 1 + below(2) }, (): Group => {
      const resource: Attributes = [];
      if (below(12) > 0) resource.push(['service.name', pick(pools.services)]);
      if (below(3) === 0) resource.push(['service.namespace', pick(['shop', ''])]);
      if (below(3) === 0) resource.push(['service.instance.id', pick(['i1', 'i2'])]);
      if (below(3) === 0) resource.push(['team', pick(['red', 'blue'])]);
      if (below(5) === 0) resource.push(['host.id', pick(['h1', 'h2'])]);
      if (pools.resourceKeys.length > 0 && below(3) === 0) resource.push(...attributes(pools.resourceKeys));
      return { resource, spans: Array.from({ length: below(7) }, () => oneSpan(nowMs)) };
    });
}
