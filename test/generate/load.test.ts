import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createLoad, type Load, type LoadOptions, type LoadRequest } from '../../src/generate/index.ts';
import { callsOf, countCalls, countEdges, edgesOf } from './model.ts';
import { isCanonical, type ReadSpan, readRequest } from './otlp.ts';

const START = 1_767_225_600_000_000_000n;

function drain(load: Load): LoadRequest[] {
  const requests: LoadRequest[] = [];
  for (let request = load.nextRequest(); request !== undefined; request = load.nextRequest()) requests.push(request);
  return requests;
}

function make(options: Partial<LoadOptions> = {}) {
  const load = createLoad({ seed: 1, startUnixNano: START, ratePerSecond: 500, spans: 20_000, ...options });
  const requests = drain(load);
  return { load, requests };
}

function hash(requests: readonly LoadRequest[]): string {
  const sha = createHash('sha256');
  for (const request of requests) sha.update(request.bytes);
  return sha.digest('hex');
}

describe('the bytes of a load', () => {
  const { load, requests } = make();
  const spans = requests.map((request) => readRequest(request.bytes));
  const all = spans.flat();

  it('are pinned for a seed and a start', () => {
    expect(hash(requests)).toBe('dc8b9369cf064fe985b71564008efe87dc4cd214e51ea13cece588d5284c9c0a');
  });

  it('are the same a second time, and others for another seed, start or rate', () => {
    const small = { spans: 3000 };
    const first = hash(make(small).requests);
    expect(hash(make(small).requests)).toBe(first);
    expect(hash(make({ ...small, seed: 2 }).requests)).not.toBe(first);
    expect(hash(make({ ...small, startUnixNano: START + 1n }).requests)).not.toBe(first);
    expect(hash(make({ ...small, ratePerSecond: 501 }).requests)).not.toBe(first);
  });

  it('tell the same story at another start, under other ids', () => {
    const [here, there] = [make({ spans: 3000 }), make({ spans: 3000, startUnixNano: START + 987_654_321n })];
    const read = (made: typeof here) => made.requests.flatMap((request) => readRequest(request.bytes));
    const [a, b] = [read(here), read(there)];
    expect(b.map((span) => span.name)).toEqual(a.map((span) => span.name));
    expect(b.map((span) => span.endNano - 987_654_321n)).toEqual(a.map((span) => span.endNano));
    expect(new Set([...a, ...b].map((span) => span.spanId)).size).toBe(6000);
  });

  it('are canonical protobuf: fields ascending, lengths the shortest', () => {
    expect(requests.every((request) => isCanonical(request.bytes))).toBe(true);
  });

  it('hold exactly the spans that were asked for, and say so per request', () => {
    expect(all.length).toBe(20_000);
    expect(requests.map((request) => request.spans)).toEqual(spans.map((list) => list.length));
    for (const [i, list] of spans.entries()) {
      const ends = list.map((span) => span.endNano).sort((a, b) => (a < b ? -1 : 1));
      expect(requests[i]!.firstEndUnixNano).toBe(ends[0]);
      expect(requests[i]!.newestEndUnixNano).toBe(ends.at(-1));
    }
  });

  it('have ids that are unique and never zero', () => {
    expect(new Set(all.map((span) => span.spanId)).size).toBe(all.length);
    expect(all.every((span) => /^(?!0+$)[0-9a-f]{16}$/.test(span.spanId))).toBe(true);
    expect(all.every((span) => /^(?!0+$)[0-9a-f]{32}$/.test(span.traceId))).toBe(true);
  });

  it('have spans that end after they start and last no longer than a few seconds, and events inside them', () => {
    const longest = all.reduce(
      (most, span) => (span.endNano - span.startNano > most ? span.endNano - span.startNano : most),
      0n,
    );
    expect(all.every((span) => span.endNano > span.startNano && span.startNano >= START)).toBe(true);
    expect(longest < 5_000_000_000n).toBe(true);
    const events = all.flatMap((span) => span.events.map((event) => ({ event, span })));
    expect(events.length).toBeGreaterThan(20);
    expect(events.every(({ event, span }) => event.time >= span.startNano && event.time <= span.endNano)).toBe(true);
  });

  it('follow the rate', () => {
    const roots = all.filter((span) => span.parentId === '').map((span) => span.startNano);
    const newest = roots.reduce((a, b) => (a > b ? a : b));
    expect(Number(newest - START) / 1e9).toBeGreaterThan(39.5);
    expect(Number(newest - START) / 1e9).toBeLessThan(40);
  });

  it('show every kind, status, and sort of peer', () => {
    expect(new Set(all.map((span) => span.kind))).toEqual(new Set([1, 2, 3, 4, 5]));
    expect(new Set(all.map((span) => span.status))).toEqual(new Set([0, 1, 2]));
    expect(new Set(all.map((span) => span.service)).size).toBeGreaterThanOrEqual(12);
    expect(all.some((span) => span.links > 0)).toBe(true);
    expect(all.some((span) => span.message !== '')).toBe(true);
    const names = load.account.result();
    expect(names.spans).toBe(0);
  });

  it('weigh about 950 bytes a span, with about 15 attributes on it and 20 on its resource', () => {
    const size = requests.reduce((sum, request) => sum + request.bytes.length, 0) / all.length;
    expect(size).toBeGreaterThan(900);
    expect(size).toBeLessThan(1000);
    const attributes = all.reduce((sum, span) => sum + span.attributeCount, 0) / all.length;
    expect(attributes).toBeGreaterThan(14);
    expect(attributes).toBeLessThan(16);
    expect(all.every((span) => span.attributes.size === span.attributeCount)).toBe(true);
    expect(all.every((span) => span.resource.size >= 15 && span.resource.size <= 21)).toBe(true);
  });

  it('have no digit left unwritten', () => {
    const texts = all.flatMap((span) => [...span.attributes.values(), ...span.resource.values()]);
    expect(texts.filter((value) => /##|~~|\*\*|undefined|NaN/.test(value))).toEqual([]);
  });
});

describe('requests', () => {
  it('mix traces, and one trace in ten is cut over two of them', () => {
    const { requests } = make({ spans: 60_000 });
    const requestsOf = new Map<string, Set<number>>();
    let mixed = 0;
    for (const [i, request] of requests.entries()) {
      const traces = new Set(readRequest(request.bytes).map((span) => span.traceId));
      if (traces.size > 1) mixed++;
      for (const trace of traces) requestsOf.set(trace, (requestsOf.get(trace) ?? new Set()).add(i));
    }
    const cut = [...requestsOf.values()].filter((set) => set.size > 1).length / requestsOf.size;
    expect(cut).toBeGreaterThan(0.085);
    expect(cut).toBeLessThan(0.115);
    expect(Math.max(...[...requestsOf.values()].map((set) => set.size))).toBe(2);
    expect(mixed / requests.length).toBeGreaterThan(0.8);
    const sizes = requests.map((request) => request.spans);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(110);
    const mean = sizes.reduce((a, b) => a + b) / sizes.length;
    expect(mean).toBeGreaterThan(20);
    expect(mean).toBeLessThan(50);
  });

  it('deliver some parents before and some after their children', () => {
    const seen = new Map<string, number>();
    let at = 0;
    const all: ReadSpan[] = make().requests.flatMap((request) => readRequest(request.bytes));
    for (const span of all) seen.set(span.spanId, at++);
    const orders = all
      .filter((span) => seen.has(span.parentId))
      .map((span) => seen.get(span.parentId)! < seen.get(span.spanId)!);
    expect(orders.filter(Boolean).length).toBeGreaterThan(1000);
    expect(orders.filter((isFirst) => !isFirst).length).toBeGreaterThan(1000);
  });

  it('come from one service each when services export for themselves', () => {
    const { requests } = make({ batching: 'sdk' });
    for (const request of requests) {
      expect(new Set(readRequest(request.bytes).map((span) => span.service)).size).toBe(1);
      expect(request.spans).toBeLessThanOrEqual(50);
    }
  });

  it('hold spans whose ends are near each other, also at a low rate', () => {
    for (const ratePerSecond of [5, 500, 20_000]) {
      for (const request of make({ ratePerSecond, spans: 5000 }).requests) {
        expect(request.newestEndUnixNano - request.firstEndUnixNano < 6_000_000_000n).toBe(true);
      }
    }
  });

  it('keep everything but their times when these are moved', () => {
    const { load, requests } = make({ spans: 2000 });
    const request = requests[3]!;
    const before = readRequest(request.bytes);
    const end = request.newestEndUnixNano;
    load.shift(request, 5_000_000_123n);
    expect(request.newestEndUnixNano).toBe(end + 5_000_000_123n);
    const moved = before.map((span) => ({
      ...span,
      startNano: span.startNano + 5_000_000_123n,
      endNano: span.endNano + 5_000_000_123n,
      events: span.events.map((event) => ({ ...event, time: event.time + 5_000_000_123n })),
    }));
    expect(readRequest(request.bytes)).toEqual(moved);
  });
});

describe('the account', () => {
  for (const batching of ['gateway', 'sdk'] as const) {
    it(`equals an independent count of the bytes (${batching})`, () => {
      const { load, requests } = make({ batching, seed: 7 });
      for (const request of requests) load.account.settle(request, 'acknowledged');
      const spans = requests.flatMap((request) => readRequest(request.bytes));
      const result = load.account.result();
      const { edges, expired } = countEdges(spans);
      expect(callsOf(result.calls)).toEqual(countCalls(spans));
      expect(edgesOf(result.edges)).toEqual(edges);
      expect(expired).toBeGreaterThan(0);
      expect(result.spans).toBe(20_000);
      expect(result.traces).toBe(new Set(spans.map((span) => span.traceId)).size);
      expect(result.unknown).toEqual([]);
      expect(result.uncertain_edges).toBe(0);
      expect(new Set(result.edges.map((edge) => edge.connection_type))).toEqual(
        new Set(['', 'messaging_system', 'database', 'virtual_node']),
      );
      expect(result.edges.filter((edge) => edge.failed > 0).length).toBeGreaterThan(20);
      const keys = result.calls.map(
        (call) => `${call.service}\0${call.span_name}\0${call.span_kind}\0${call.status_code}`,
      );
      expect(keys).toEqual([...keys].sort());
    });
  }

  it('leaves out what was refused or never sent', () => {
    const { load, requests } = make();
    const kept = requests.filter((_, i) => i % 3 === 0);
    for (const [i, request] of requests.entries()) {
      load.account.settle(request, i % 3 === 0 ? 'acknowledged' : i % 3 === 1 ? 'refused' : 'unsent');
    }
    const spans = kept.flatMap((request) => readRequest(request.bytes));
    const result = load.account.result();
    expect(callsOf(result.calls)).toEqual(countCalls(spans));
    expect(edgesOf(result.edges)).toEqual(countEdges(spans).edges);
    expect(result.spans + result.refused.spans + result.unsent.spans).toBe(20_000);
  });

  it('bounds the truth where outcomes are unknown, whichever of them were counted', () => {
    const { load, requests } = make({ batching: 'sdk', spans: 6000 });
    const isUnknown = (i: number) => i % 5 === 2;
    for (const [i, request] of requests.entries())
      load.account.settle(request, isUnknown(i) ? 'unknown' : 'acknowledged', 'ECONNRESET');
    const result = load.account.result();
    const doubt = new Map<string, [number, number]>();
    for (const { key, count, failed } of result.unknown.flatMap((entry) => toRows(entry.edges))) {
      const [a, b] = doubt.get(key) ?? [0, 0];
      doubt.set(key, [a + count, b + failed]);
    }
    const certain = new Map(toRows(result.edges).map((row) => [row.key, row]));
    for (let which = 0; which < 4; which++) {
      const counted = requests.filter((_, i) => !isUnknown(i) || (i >> which) % 2 === 0);
      const { edges } = countEdges(counted.flatMap((request) => readRequest(request.bytes)));
      for (const key of new Set([...certain.keys(), ...edges.keys()])) {
        const [count, failed] = (edges.get(key) ?? '0/0').split('/').map(Number) as [number, number];
        const least = certain.get(key) ?? { count: 0, failed: 0 };
        const [more, moreFailed] = doubt.get(key) ?? [0, 0];
        expect(count).toBeGreaterThanOrEqual(least.count);
        expect(count).toBeLessThanOrEqual(least.count + more);
        expect(failed).toBeGreaterThanOrEqual(least.failed);
        expect(failed).toBeLessThanOrEqual(least.failed + moreFailed);
      }
    }
    expect(result.uncertain_edges).toBe([...doubt.values()].reduce((sum, [count]) => sum + count, 0));
    const unknownSpans = requests.filter((_, i) => isUnknown(i)).flatMap((request) => readRequest(request.bytes));
    expect(result.unknown.reduce((sum, entry) => sum + entry.spans, 0)).toBe(unknownSpans.length);
    expect(result.spans).toBe(6000 - unknownSpans.length);
  });

  it('lists edges apart whose halves came so far apart that the first may have expired', () => {
    const { load, requests } = make();
    for (const [i, request] of requests.entries()) {
      const sentAtMs = i % 2 === 0 ? 1000 : 20_000;
      load.account.settle(request, 'acknowledged', '', { sentAtMs, answeredAtMs: sentAtMs + 5 });
    }
    const result = load.account.result();
    const late = result.late_edges.reduce((sum, edge) => sum + edge.count, 0);
    expect(late).toBeGreaterThan(0);
    expect(result.uncertain_edges).toBe(late);
    const all = countEdges(requests.flatMap((request) => readRequest(request.bytes))).edges;
    const sum = (texts: Iterable<string>) => [...texts].reduce((total, text) => total + Number(text.split('/')[0]), 0);
    expect(sum(edgesOf(result.edges).values()) + late).toBe(sum(all.values()));
  });

  it('keeps a trace only until all its requests have an outcome', () => {
    const load = createLoad({ seed: 3, startUnixNano: START, ratePerSecond: 500 });
    let most = 0;
    for (let i = 0; i < 2000; i++) {
      load.account.settle(load.nextRequest()!, 'acknowledged');
      most = Math.max(most, load.account.openTraces);
    }
    expect(most).toBeLessThan(20);
    load.stop();
    for (const request of drain(load)) load.account.settle(request, 'unsent');
    expect(load.account.openTraces).toBe(0);
  });

  it('stays bounded when every answer is lost', () => {
    const { load, requests } = make({ spans: 60_000 });
    for (const request of requests) load.account.settle(request, 'unknown', 'ECONNRESET');
    const { unknown } = load.account.result();
    expect(requests.length).toBeGreaterThan(1000);
    expect(unknown.length).toBe(1000);
    expect(unknown.reduce((sum, entry) => sum + entry.requests, 0)).toBe(requests.length);
    expect(unknown.reduce((sum, entry) => sum + entry.spans, 0)).toBe(60_000);
  });

  it('takes one outcome for each request', () => {
    const { load, requests } = make({ spans: 100 });
    load.account.settle(requests[0]!, 'acknowledged');
    expect(() => load.account.settle(requests[0]!, 'acknowledged')).toThrow(/has its outcome/);
  });
});

function toRows(
  edges: readonly { client: string; server: string; connection_type: string; count: number; failed: number }[],
) {
  return edges.map(({ client, server, connection_type, count, failed }) => ({
    key: `${client}|${server}|${connection_type}`,
    count,
    failed,
  }));
}
