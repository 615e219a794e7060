// What a record holds, told apart by other means than those that made it: the transcoders, the fold, and the definitions of the formats.
import { describe, expect, it } from 'vitest';
import { resolveReference } from '../../src/config/index.ts';
import { Fold } from '../../src/fold/index.ts';
import { createLoad } from '../../src/generate/index.ts';
import { ENCODINGS, type KafkaEncoding } from '../../src/generate/kafka/names.ts';
import { type KafkaRecord, keyPartition, type RecordOptions, recordMaker } from '../../src/generate/kafka/records.ts';
import { detectEncoding } from '../../src/otlp/foreign/index.ts';
import { readPushBytes } from '../../src/otlp/index.ts';
import { TenantImage } from '../../src/registry/index.ts';
import { viewSeries } from '../../src/simulate/series-view.ts';
import { requestsOf, wireName } from './kafka-reader.ts';
import { callsOf, countCalls, countEdges, edgesOf } from './model.ts';
import { encodeRequest, readRequest } from './otlp.ts';

const START = 1_767_225_600_000_000_000n;
const PARTITIONS = 5;

function requests(spans: number, seed = 7): Uint8Array[] {
  const load = createLoad({ seed, startUnixNano: START, ratePerSecond: 500, spans });
  const made: Uint8Array[] = [];
  for (let request = load.nextRequest(); request !== undefined; request = load.nextRequest()) made.push(request.bytes);
  return made;
}

function recordsOf(of: readonly Uint8Array[], options: Partial<RecordOptions> & Pick<RecordOptions, 'encoding'>) {
  const make = recordMaker({ isKeyed: true, tenant: '', partitions: PARTITIONS, ...options });
  return of.flatMap((request) => make(request));
}

/** Every series, and the sums of seconds apart: the order of addition moves their last bits. */
function metricsOf(pushed: Iterable<Uint8Array>): { series: string[]; sums: Map<string, number> } {
  const settings = resolveReference(undefined, { processors: ['span-metrics', 'service-graphs'] }, 't');
  const nowMs = Number(START / 1_000_000n) + 30_000;
  const fold = new Fold({ settingsOf: () => settings, originMs: nowMs });
  for (const bytes of pushed) fold.push('t', nowMs, nowMs, bytes, false);
  fold.advance(nowMs + 60_000);
  const image = new TenantImage();
  image.nextBoundary();
  for (const section of fold.collect(nowMs + 60_000)) if (section.meta['holder'] === 'rows') image.apply(section);
  const series: string[] = [];
  const sums = new Map<string, number>();
  for (const { labels, value } of viewSeries(image, {})) {
    const name = labels['__name__']!;
    // How many bytes a span has is a matter of its encoding.
    if (name.endsWith('size_total')) continue;
    if (name.endsWith('_sum')) sums.set(JSON.stringify(labels), Number(value));
    else series.push(`${JSON.stringify(labels)} ${value}`);
  }
  return { series: series.sort(), sums };
}

/** The same spans with their times as Zipkin's two forms keep them. */
function inMicros(request: Uint8Array, encoding: KafkaEncoding): Uint8Array {
  const round = (nano: bigint) => ((nano + 500n) / 1000n) * 1000n;
  const cut = (nano: bigint) => (nano / 1000n) * 1000n;
  return encodeRequest(request, (start, end) => {
    const duration = encoding === 'zipkin_json' ? round(end - start) || 1000n : cut(end - start);
    return [round(start), round(start) + duration];
  });
}

function expectSame(found: ReturnType<typeof metricsOf>, expected: ReturnType<typeof metricsOf>): void {
  expect(found.series).toEqual(expected.series);
  expect([...found.sums.keys()].sort()).toEqual([...expected.sums.keys()].sort());
  for (const [labels, sum] of expected.sums)
    expect(Math.abs(found.sums.get(labels)! - sum)).toBeLessThanOrEqual(sum * 1e-12);
}

describe('the records of a load lead to the metrics of its OTLP requests', () => {
  const made = requests(3_000);
  const expected = metricsOf(made);

  it('which has all kinds of edges, statuses and kinds', () => {
    const text = expected.series.join('\n');
    for (const part of [
      'messaging_system',
      'database',
      'virtual_node',
      'STATUS_CODE_OK',
      'STATUS_CODE_ERROR',
      'SPAN_KIND_INTERNAL',
    ])
      expect(text).toContain(part);
  });

  it.each(ENCODINGS.flatMap((encoding) => [true, false].map((isKeyed) => [encoding, isKeyed] as const)))(
    'in %s, keyed: %s',
    (encoding, isKeyed) => {
      const records = recordsOf(made, { encoding, isKeyed });
      const back = records.flatMap(({ value }) => requestsOf(encoding, value));
      expectSame(
        metricsOf(back),
        encoding.startsWith('zipkin') ? metricsOf(made.map((request) => inMicros(request, encoding))) : expected,
      );
    },
  );

  it('whose latencies Zipkin moves by less than 1 µs a span', () => {
    for (const encoding of ['zipkin_proto', 'zipkin_json'] as const) {
      const back = recordsOf(made, { encoding }).flatMap(({ value }) => requestsOf(encoding, value));
      const durations = (of: readonly Uint8Array[]) =>
        new Map(
          of.flatMap((bytes) => readRequest(bytes)).map((span) => [span.spanId, Number(span.endNano - span.startNano)]),
        );
      const [there, here] = [durations(back), durations(made)];
      expect(there.size).toBe(here.size);
      for (const [id, nano] of here) expect(Math.abs(there.get(id)! - nano)).toBeLessThan(1000);
    }
  });
});

describe.each(ENCODINGS)('a record in %s', (encoding) => {
  const made = requests(1_000);
  const spans = (records: readonly KafkaRecord[]) =>
    records.flatMap(({ value }) => requestsOf(encoding, value).flatMap((bytes) => readRequest(bytes)));

  it('is told to be what it is', () => {
    for (const { value } of recordsOf(made, { encoding })) expect(detectEncoding(value)).toBe(wireName(encoding));
  });

  it('has all that the spans have', () => {
    const byId = new Map(made.flatMap((bytes) => readRequest(bytes)).map((span) => [span.spanId, span]));
    const found = spans(recordsOf(made, { encoding }));
    expect(found.length).toBe(1_000);
    for (const span of found) {
      const { attributes, startNano, endNano, resource, attributeCount, events, links, ...same } = byId.get(
        span.spanId,
      )!;
      expect(span).toMatchObject({ ...same });
      expect(span.links).toBe(links);
      expect(span.events.map(({ name }) => name)).toEqual(events.map(({ name }) => name));
      // Lists become texts in Jaeger and Zipkin; Zipkin brings attributes of the endpoints back under more names.
      for (const [key, value] of attributes) {
        const isList = key === 'app.experiment.variants' && !encoding.startsWith('otlp') && encoding !== 'push-bytes';
        const expected = isList ? JSON.stringify(value.split('|')) : value;
        expect([key, span.attributes.get(key)]).toEqual([key, expected]);
      }
      // Semantic conventions don't know this one where Zipkin's translator looks for resource attributes.
      for (const [key, value] of resource) expect(span.resource.get(key) ?? span.attributes.get(key)).toBe(value);
      if (encoding.startsWith('zipkin')) continue;
      expect([startNano, endNano, events]).toEqual([span.startNano, span.endNano, span.events]);
      expect(span.attributeCount).toBe(attributeCount);
    }
  });

  it('carries the tenant, and keeps a trace in one partition', () => {
    const records = recordsOf(made, { encoding, tenant: 'shop' });
    const partitionOf = new Map<string, number>();
    for (const record of records) {
      if (encoding === 'push-bytes') expect(record).toMatchObject({ key: 'shop', headers: {} });
      else expect(record.headers).toEqual({ 'X-Scope-OrgID': 'shop' });
      for (const { traceId } of spans([record])) {
        expect(partitionOf.get(traceId) ?? record.partition).toBe(record.partition);
        partitionOf.set(traceId, record.partition);
        if (encoding !== 'push-bytes') expect(record.key).toBe(traceId);
      }
    }
    expect(new Set(partitionOf.values()).size).toBe(PARTITIONS);
  });

  it('goes to the next partition without a key', () => {
    const records = recordsOf(made, { encoding, isKeyed: false });
    expect(records.map(({ partition }) => partition)).toEqual(records.map((_, i) => i % PARTITIONS));
    const key = encoding === 'push-bytes' ? 'single-tenant' : null;
    expect(records.every((record) => record.key === key && Object.keys(record.headers).length === 0)).toBe(true);
    if (!encoding.startsWith('jaeger')) expect(records.length).toBe(made.length);
  });
});

describe('the unit of a record', () => {
  const made = requests(1_000);

  it('is a span in Jaeger, a trace of one resource in OTLP and Zipkin', () => {
    expect(recordsOf(made, { encoding: 'jaeger_proto' }).length).toBe(1_000);
    const pieces = made.flatMap((bytes) => [
      ...new Set(readRequest(bytes).map((span) => `${span.traceId} ${span.resource.get('service.instance.id')}`)),
    ]);
    for (const encoding of ['otlp_proto', 'otlp_json', 'zipkin_proto', 'zipkin_json'] as const)
      expect(recordsOf(made, { encoding }).length).toBe(pieces.length);
  });

  it('is all traces of a request and partition in push-bytes, each a request with its id', () => {
    const records = recordsOf(made, { encoding: 'push-bytes' });
    expect(records.length).toBeLessThan(made.length * PARTITIONS);
    for (const { value } of records) {
      const { traces, skipMetrics } = readPushBytes(value);
      expect(skipMetrics).toBe(false);
      const ids = traces.map(({ start, end }) => [
        ...new Set(readRequest(value.subarray(start, end)).map((s) => s.traceId)),
      ]);
      expect(ids.every((of) => of.length === 1)).toBe(true);
      // Field 3, after all of field 2.
      const tail = Buffer.from(value.subarray(traces.at(-1)!.end)).toString('hex');
      expect(tail).toBe(ids.map(([id]) => `1a10${id}`).join(''));
    }
  });
});

describe('OTLP protobuf', () => {
  it('has its fields descending, and an empty parent and status', () => {
    const [record] = recordsOf(requests(40), { encoding: 'otlp_proto', isKeyed: false });
    // Walked by hand: resource spans, in it a schema URL and scope spans, in it a span.
    const { value } = record!;
    const tags: number[][] = [];
    const walk = (bytes: Uint8Array, path: readonly number[]): void => {
      const here: number[] = [];
      let at = 0;
      const varint = () => {
        let result = 0;
        for (let scale = 1; ; scale *= 128) {
          const byte = bytes[at++]!;
          result += (byte & 127) * scale;
          if (byte < 128) return result;
        }
      };
      while (at < bytes.length) {
        const tag = varint();
        here.push(tag >> 3);
        const type = tag & 7;
        const size = type === 1 ? 8 : type === 5 ? 4 : varint();
        if (tag >> 3 === path[0]) walk(bytes.subarray(at, at + size), path.slice(1));
        if (type !== 0) at += size;
      }
      tags.push(here);
    };
    walk(value, [1, 2, 2]);
    for (const here of tags) expect(here).toEqual([...here].sort((a, b) => b - a));
    const spans = tags.filter((here) => here[0] === 16);
    expect(spans.length).toBeGreaterThan(10);
    for (const here of spans) expect(here).toEqual(expect.arrayContaining([16, 15, 9, 8, 7, 6, 5, 4, 2, 1]));
  });
});

describe('the partition of a key', () => {
  // FNV-1a of these texts, 32 bits: 0xe40c292c and 0xbf9cf968 (the test vectors of its authors).
  it('is that of the collector: FNV-1a, signed, without the sign', () => {
    expect(keyPartition('a', 1_000)).toBe(Math.abs((0xe40c292c | 0) % 1_000));
    expect(keyPartition('foobar', 7)).toBe(Math.abs((0xbf9cf968 | 0) % 7));
  });
});

describe('the account of a load', () => {
  it.each(ENCODINGS)('is that of its records in %s', (encoding) => {
    const load = createLoad({ seed: 3, startUnixNano: START, ratePerSecond: 500, spans: 4_000 });
    const make = recordMaker({ encoding, isKeyed: true, tenant: '', partitions: PARTITIONS });
    const spans = [];
    for (let request = load.nextRequest(); request !== undefined; request = load.nextRequest()) {
      for (const { value } of make(request.bytes))
        spans.push(...requestsOf(encoding, value).flatMap((bytes) => readRequest(bytes)));
      load.account.settle(request, 'acknowledged');
    }
    const result = load.account.result();
    expect(countCalls(spans)).toEqual(callsOf(result.calls));
    expect(countEdges(spans).edges).toEqual(edgesOf(result.edges));
  });
});
