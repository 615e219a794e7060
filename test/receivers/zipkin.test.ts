import * as http from 'node:http';
import * as zlib from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { LogError } from '../../src/log/index.ts';
import { createZipkinReceiver, type ZipkinReceiver, type ZipkinReceiverOptions } from '../../src/receivers/index.ts';
import { type Zipkin, zipkinJson, zipkinProto } from '../otlp/foreign/encoders.ts';
import { flatten } from '../otlp/split/reference.ts';
import {
  type Answer,
  admission,
  createFakeSink,
  type FakeSink,
  JSON_TYPE,
  open,
  PROTOBUF,
  type Sent,
  until,
} from './harness.ts';

const running = new Set<ZipkinReceiver>();

async function start(options: Partial<ZipkinReceiverOptions> & { sink?: FakeSink } = {}) {
  const sink = options.sink ?? createFakeSink();
  const told: unknown[][] = [];
  const lines: string[] = [];
  const line = (details: object, message: string) => void lines.push(`${message} ${JSON.stringify(details)}`);
  const receiver = createZipkinReceiver({
    host: '127.0.0.1',
    port: 0,
    admission,
    tenantOf: (headers) => (headers['x-scope-orgid'] as string | undefined) ?? 'single-tenant',
    now: () => 0,
    events: {
      received: (info) => void told.push(['received', info]),
      refused: (reason, status) => void told.push(['refused', reason, status]),
      oddIds: (spans, tenant) => void told.push(['oddIds', spans, tenant]),
      aborted: () => void told.push(['aborted']),
    },
    logger: { warn: line, error: line },
    ...options,
    sink,
  });
  running.add(receiver);
  const { port } = await receiver.start();
  const post = (sent: Sent): Promise<Answer> => {
    const { request, answer } = open(port, { path: '/api/v2/spans', headers: JSON_TYPE, ...sent });
    request.end(sent.body);
    return answer;
  };
  return { receiver, sink, port, told, lines, post };
}

afterEach(async () => {
  for (const receiver of running) await receiver.stop(0);
  running.clear();
});

const span = (trace: number, name = 'get'): Zipkin => ({
  traceId: trace.toString(16).padStart(16, '0'),
  id: '20e1c3b5a9b8f001',
  name,
  timestamp: 1_760_000_000_000_000,
  duration: 1000,
  localEndpoint: { serviceName: 'cart' },
});
const body = zipkinJson([span(1)]);
const names = (sink: FakeSink) => sink.records.flatMap(({ bytes }) => flatten(bytes).map(({ span }) => span.name));

describe('a Zipkin receiver', () => {
  it.each([
    ['JSON', JSON_TYPE, body],
    ['JSON with a charset', { 'content-type': 'application/json; charset=utf-8' }, body],
    ['JSON without a type', {}, body],
    ['protobuf', PROTOBUF, zipkinProto([span(1)])],
  ])('answers %s with an empty 202 and appends it as OTLP', async (_, headers, bytes) => {
    const { post, sink, told } = await start();
    const answer = await post({ headers, body: bytes });
    expect([answer.status, answer.body.length]).toEqual([202, 0]);
    expect(sink.records.map(({ tenant, encoding, partition }) => [tenant, encoding, partition])).toEqual([
      ['single-tenant', 'otlp', 0],
    ]);
    expect(names(sink)).toEqual(['get']);
    expect(told).toEqual([
      ['received', expect.objectContaining({ spans: 1, records: 1, bodyBytes: bytes.length, wireBytes: bytes.length })],
    ]);
  });

  it.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['zstd', zlib.zstdCompressSync],
  ])('decompresses %s', async (encoding, compress) => {
    const { post, sink } = await start();
    const answer = await post({ headers: { ...JSON_TYPE, 'content-encoding': encoding }, body: compress(body) });
    expect(answer.status).toBe(202);
    expect(names(sink)).toEqual(['get']);
  });

  it('keeps each trace whole in one partition and takes the tenant from the request', async () => {
    const { post, sink } = await start({ sink: createFakeSink(8) });
    const spans = Array.from({ length: 60 }, (_, i) => span(1 + (i % 20), `${i}`));
    expect((await post({ headers: { ...JSON_TYPE, 'x-scope-orgid': 'a' }, body: zipkinJson(spans) })).status).toBe(202);
    const partitionsOf = new Map<unknown, Set<number>>();
    for (const { bytes, partition, tenant } of sink.records) {
      expect(tenant).toBe('a');
      for (const { span } of flatten(bytes)) {
        partitionsOf.set(span['traceId'], (partitionsOf.get(span['traceId']) ?? new Set()).add(partition));
      }
    }
    expect(partitionsOf.size).toBe(20);
    expect([...partitionsOf.values()].every(({ size }) => size === 1)).toBe(true);
    expect(sink.records.length).toBeGreaterThan(1);
    expect(names(sink)).toHaveLength(60);
  });

  it('answers only when the log has everything', async () => {
    const { post, sink } = await start();
    let release = () => {};
    const entered = new Promise<void>((resolve) => {
      sink.gate = () => {
        resolve();
        return new Promise((go) => {
          release = go;
        });
      };
    });
    let answered = false;
    const answer = post({ body }).then((result) => {
      answered = true;
      return result;
    });
    await entered;
    await new Promise(setImmediate);
    expect(answered).toBe(false);
    release();
    expect((await answer).status).toBe(202);
  });

  it('takes no spans for spans, and appends nothing', async () => {
    const { post, sink } = await start();
    expect((await post({ body: '[]' })).status).toBe(202);
    expect((await post({ body: '' })).status).toBe(202);
    expect(sink.records).toEqual([]);
  });

  it.each<[string, Sent, number, string, string]>([
    ['another path', { path: '/api/v2/traces' }, 404, 'not_found', 'there is only /api/v2/spans here'],
    ['the old path', { path: '/api/v1/spans' }, 404, 'not_found', 'there is no v1 here, only /api/v2/spans'],
    ['another method', { method: 'PUT' }, 405, 'method', 'PUT is not allowed, only POST'],
    ['thrift', { headers: { 'content-type': 'application/x-thrift' } }, 415, 'content_type', 'unsupported media type'],
    [
      'an unknown compression',
      { headers: { ...JSON_TYPE, 'content-encoding': 'br' } },
      415,
      'content_encoding',
      'unsupported',
    ],
    ['an impossible tenant', { headers: { ...JSON_TYPE, 'x-scope-orgid': 'a/b' } }, 400, 'bad_tenant', 'the org id'],
    ['broken JSON', { body: '[' }, 400, 'bad_json', 'zipkin_json: body: not JSON'],
    ['a bad id', { body: '[{"traceId":"xy","id":"1"}]' }, 400, 'bad_json', 'zipkin_json: [0].traceId: not hex'],
    ['JSON said to be protobuf', { headers: PROTOBUF, body: '[]' }, 400, 'bad_protobuf', 'zipkin_proto: byte 1: '],
    ['broken gzip', { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } }, 400, 'bad_encoding', 'the gzip data'],
    ['too much', { body: Buffer.alloc(2000, 32) }, 413, 'too_large', 'the body is larger than 1000 bytes'],
  ])('refuses %s in plain text', async (_, sent, status, reason, text) => {
    const { post, sink, told, lines } = await start({ maxBodyBytes: 1000 });
    const answer = await post({ body, ...sent });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(answer.body.toString().startsWith(text)).toBe(true);
    expect(told).toEqual([['refused', reason, status]]);
    expect([sink.records, lines]).toEqual([[], []]);
  });

  it('refuses a body that decompresses to too much', async () => {
    const { post } = await start({ maxBodyBytes: 1000 });
    const bomb = zlib.gzipSync(Buffer.alloc(1_000_000, 32));
    expect((await post({ headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: bomb })).status).toBe(413);
  });

  it('refuses who names no tenant where one is needed', async () => {
    const { post } = await start({ tenantOf: () => undefined });
    expect((await post({ body })).status).toBe(401);
  });

  it.each([
    ['disk_full', 503, 'the log has no room'],
    ['log_closed', 503, 'the log is closed'],
    ['log_unavailable', 503, 'the log is out of reach'],
    ['record_too_large', 413, 'the spans make a record that is too large for the log'],
  ] as const)('says what it can do about %s', async (code, status, text) => {
    const { post, sink } = await start();
    sink.gate = () => Promise.reject(new LogError(code, 'inside'));
    const answer = await post({ body });
    expect([answer.status, answer.body.toString()]).toEqual([status, text]);
    expect(answer.headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  });

  it('says nothing of what went wrong inside, but logs it, once in a while', async () => {
    const { post, sink, lines } = await start();
    sink.gate = () => Promise.reject(new Error('secret'));
    for (let i = 0; i < 2; i++) {
      const answer = await post({ body });
      expect([answer.status, answer.body.toString()]).toEqual([500, 'internal error']);
    }
    expect(lines).toHaveLength(1);
  });

  it('refuses more bytes than it may hold', async () => {
    const { post, sink } = await start({ maxInFlightBytes: body.length + 1 });
    let release = () => {};
    const entered = new Promise<void>((resolve) => {
      sink.gate = () => {
        resolve();
        return new Promise((go) => {
          release = go;
        });
      };
    });
    const first = post({ body });
    await entered;
    const second = await post({ body });
    expect([second.status, second.headers['retry-after']]).toEqual([503, '1']);
    release();
    expect((await first).status).toBe(202);
    sink.gate = async () => {};
    expect((await post({ body })).status).toBe(202);
  });

  it('counts spans without a valid id, and keeps them', async () => {
    const { post, sink, told } = await start();
    await post({ body: zipkinJson([{ ...span(0), name: 'odd' }]) });
    expect(names(sink)).toEqual(['odd']);
    expect(told[0]).toEqual(['oddIds', 1, 'single-tenant']);
  });

  it('lets browsers of configured origins in', async () => {
    const { post } = await start({ allowedOrigins: ['https://*.example.com'] });
    const origin = 'https://shop.example.com';
    const preflight = await post({ method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, origin]);
    const answer = await post({ headers: { ...JSON_TYPE, origin }, body });
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([202, origin]);
  });

  it('hears of a client that went away', async () => {
    let headRead = false;
    const { port, told, sink } = await start({
      tenantOf: () => {
        headRead = true;
        return 'a';
      },
    });
    const { request } = open(port, { path: '/api/v2/spans', headers: { ...JSON_TYPE, 'content-length': 1000 } });
    request.write(body);
    await until(() => headRead);
    request.destroy();
    await until(() => told.length > 0);
    expect(told).toEqual([['aborted']]);
    expect(sink.records).toEqual([]);
  });

  it('finishes what it has begun when it stops, and takes nothing new', async () => {
    const { receiver, post, sink, port } = await start();
    let release = () => {};
    const entered = new Promise<void>((resolve) => {
      sink.gate = () => {
        resolve();
        return new Promise((go) => {
          release = go;
        });
      };
    });
    const answer = post({ body });
    await entered;
    const stopped = receiver.stop(10_000);
    release();
    expect((await answer).status).toBe(202);
    await stopped;
    await receiver.stop(0);
    await expect(
      new Promise((resolve, reject) => {
        http.get({ host: '127.0.0.1', port }, resolve).on('error', reject);
      }),
    ).rejects.toThrow(/ECONNREFUSED/);
  });
});
