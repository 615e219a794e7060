import * as http from 'node:http';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { LogError } from '../../src/log/port.ts';
import { transcodeRequestObject } from '../../src/otlp/json/index.ts';
import { partitionOf } from '../../src/otlp/split/index.ts';
import { isTenantId } from '../../src/receivers/index.ts';
import { decodeAs, flatten, type Plain } from '../otlp/split/reference.ts';
import { createFakeSink, JSON_TYPE, open, PROTOBUF, post, startReceiver, statusOf, stopAll, until } from './harness.ts';

afterEach(stopAll);

const span = (name: string, trace = 'ab'.repeat(16)) => ({ traceId: trace, spanId: '01'.repeat(8), name });
const requestOf = (...spans: object[]) => ({ resourceSpans: [{ resource: {}, scopeSpans: [{ spans }] }] });
const BODY = transcodeRequestObject(requestOf(span('a'), span('b')));
const JSON_BODY = JSON.stringify(requestOf(span('a'), span('b')));

describe('a request that is fine', () => {
  test('in protobuf is appended as it is and answered with an empty message', async () => {
    const { port, sink, told } = await startReceiver();
    const answer = await post(port, { body: BODY });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/x-protobuf');
    expect(answer.body).toHaveLength(0);
    expect(sink.records).toHaveLength(1);
    expect(sink.records[0]).toMatchObject({ partition: 0, tenant: 'single-tenant', encoding: 'otlp' });
    expect(Buffer.from(sink.records[0]!.bytes)).toEqual(Buffer.from(BODY));
    expect(told.received).toEqual([
      {
        tenant: 'single-tenant',
        format: 'protobuf',
        compression: 'identity',
        wireBytes: BODY.length,
        bodyBytes: BODY.length,
        spans: 2,
        records: 1,
        durationMs: 0,
      },
    ]);
  });

  test('in JSON is appended as protobuf and answered in JSON', async () => {
    const { port, sink, told } = await startReceiver();
    const answer = await post(port, {
      headers: { 'content-type': 'Application/JSON; charset=utf-8' },
      body: JSON_BODY,
    });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.body.toString()).toBe('{"partialSuccess":{}}');
    expect(Buffer.from(sink.records[0]!.bytes)).toEqual(Buffer.from(BODY));
    expect(told.received[0]).toMatchObject({ format: 'json', wireBytes: JSON_BODY.length, spans: 2 });
  });

  test('with a query and parameters of its content type is served all the same', async () => {
    const { port } = await startReceiver();
    const headers = { 'content-type': 'application/x-protobuf;charset=utf-8' };
    expect((await post(port, { path: '/v1/traces?x=1', headers, body: BODY })).status).toBe(200);
  });

  test.each([
    ['gzip', zlib.gzipSync],
    ['x-gzip', zlib.gzipSync],
    ['GZIP', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['zstd', zlib.zstdCompressSync],
    ['identity', (bytes: Uint8Array) => Buffer.from(bytes)],
  ])('may be compressed with %s (%#)', async (encoding, compress) => {
    const { port, sink, told } = await startReceiver();
    const body = compress(BODY);
    const answer = await post(port, { headers: { ...PROTOBUF, 'content-encoding': encoding }, body });
    expect(answer.status).toBe(200);
    expect(Buffer.from(sink.records[0]!.bytes)).toEqual(Buffer.from(BODY));
    expect(told.received[0]).toMatchObject({ wireBytes: body.length, bodyBytes: BODY.length });
  });

  test.each(['gzip', 'deflate', 'zstd', 'identity'])(
    'may come in many small pieces of %s, and be large',
    async (encoding) => {
      const { port, sink } = await startReceiver();
      const bytes = transcodeRequestObject(
        requestOf(...Array.from({ length: 5000 }, (_, i) => span(`${i} ${Math.sin(i)}`))),
      );
      const compress = {
        gzip: zlib.gzipSync,
        deflate: zlib.deflateSync,
        zstd: zlib.zstdCompressSync,
        identity: (b: Uint8Array) => Buffer.from(b),
      };
      const body = compress[encoding as keyof typeof compress](bytes);
      const { request, answer } = open(port, { headers: { ...PROTOBUF, 'content-encoding': encoding } });
      for (let i = 0; i < 50; i++) request.write(body.subarray(i, i + 1));
      for (let i = 50; i < body.length; i += 4096) request.write(body.subarray(i, i + 4096));
      request.end();
      expect((await answer).status).toBe(200);
      expect(Buffer.from(sink.records[0]!.bytes).equals(bytes)).toBe(true);
    },
  );

  test('may be made of several gzip members', async () => {
    const { port, names } = await startReceiver();
    const body = Buffer.concat([zlib.gzipSync(BODY), zlib.gzipSync(transcodeRequestObject(requestOf(span('c'))))]);
    expect((await post(port, { headers: { ...PROTOBUF, 'content-encoding': 'gzip' }, body })).status).toBe(200);
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  test.each([
    ['an empty body', PROTOBUF, ''],
    ['an empty JSON request', JSON_TYPE, '{}'],
    ['resources without spans', JSON_TYPE, '{"resourceSpans":[{"scopeSpans":[{}]}]}'],
  ])('with %s is acknowledged and nothing is appended', async (_, headers, body) => {
    const { port, sink } = await startReceiver();
    sink.gate = () => Promise.reject(new Error('must not be called'));
    expect((await post(port, { headers, body })).status).toBe(200);
    expect(sink.records).toEqual([]);
  });

  test('is split by trace, in one append', async () => {
    const sink = createFakeSink(4);
    const { port, told } = await startReceiver({ sink });
    let appends = 0;
    sink.gate = async () => void appends++;
    const traces = Array.from({ length: 20 }, (_, i) =>
      Buffer.alloc(16, i)
        .fill(i * 7, 9)
        .toString('hex'),
    );
    const body = JSON.stringify(requestOf(...traces.flatMap((trace) => [span('x', trace), span('y', trace)])));
    expect((await post(port, { headers: { ...JSON_TYPE, 'x-scope-orgid': 'team-a' }, body })).status).toBe(200);
    expect(appends).toBe(1);
    expect(sink.records.length).toBeGreaterThan(1);
    expect(told.received[0]).toMatchObject({ spans: 40, records: sink.records.length });
    for (const record of sink.records) {
      expect(record.tenant).toBe('team-a');
      for (const flat of flatten(record.bytes)) {
        expect(partitionOf('team-a', Buffer.from(flat.span.traceId!, 'base64'), 4)).toBe(record.partition);
      }
    }
    expect(sink.records.flatMap((record) => flatten(record.bytes))).toHaveLength(40);
  });

  test('may hold spans with odd ids: they are appended and counted', async () => {
    const { port, names, told } = await startReceiver();
    const spans = [span('ok'), span('short', 'abcd'), span('zero', '00'.repeat(16)), { name: 'none' }];
    const headers = { ...JSON_TYPE, 'x-scope-orgid': 't' };
    expect((await post(port, { headers, body: JSON.stringify(requestOf(...spans)) })).status).toBe(200);
    expect(names()).toEqual(['ok', 'short', 'zero', 'none']);
    expect(told.oddIds).toEqual([[3, 't']]);
  });

  test('may wait for 100 Continue', async () => {
    const { port, names } = await startReceiver();
    const { request, answer } = open(port, {
      headers: { ...PROTOBUF, expect: '100-continue', 'content-length': BODY.length },
    });
    await new Promise((resolve) => request.once('continue', resolve).flushHeaders());
    request.end(BODY);
    expect((await answer).status).toBe(200);
    expect(names()).toEqual(['a', 'b']);
  });

  test('leaves the connection open for the next', async () => {
    const { port, names } = await startReceiver();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    for (const [body, status] of [
      [BODY, 200],
      ['\x08', 400],
      [BODY, 200],
    ] as const) {
      const { request, answer } = open(port, { headers: PROTOBUF, agent });
      request.on('socket', (socket) => sockets.add(socket));
      request.end(body);
      expect((await answer).status).toBe(status);
    }
    agent.destroy();
    expect(sockets.size).toBe(1);
    expect(names()).toEqual(['a', 'b', 'a', 'b']);
  });
});

describe('acknowledged means durable', () => {
  test('there is no answer before the append has resolved', async () => {
    const { port, sink, told } = await startReceiver();
    let release = () => {};
    let entered = false;
    sink.gate = () => {
      entered = true;
      return new Promise((resolve) => {
        release = resolve;
      });
    };
    let answered = false;
    const answer = post(port, { body: BODY }).then((value) => {
      answered = true;
      return value;
    });
    await until(() => entered);
    // A whole exchange on another connection goes by meanwhile.
    expect((await post(port, { body: '' })).status).toBe(200);
    expect(answered).toBe(false);
    expect(told.received).toHaveLength(1);
    release();
    expect((await answer).status).toBe(200);
    expect(told.received).toHaveLength(2);
  });

  test.each([
    ['disk_full', new LogError('disk_full', 'no space'), 503, 14, '5'],
    ['log_closed', new LogError('log_closed', 'closed'), 503, 14, '5'],
    ['internal', new LogError('log_damaged', 'damaged: secret path'), 500, 13, undefined],
    ['internal', new TypeError('secret path'), 500, 13, undefined],
  ])('an append that fails with %s (%#) acknowledges nothing', async (reason, error, status, code, retryAfter) => {
    const { port, sink, told, lines } = await startReceiver();
    sink.gate = () => Promise.reject(error);
    for (const headers of [PROTOBUF, JSON_TYPE]) {
      const answer = await post(port, { headers, body: headers === PROTOBUF ? BODY : JSON_BODY });
      expect(answer.status).toBe(status);
      expect(answer.headers['content-type']).toBe(headers['content-type']);
      expect(answer.headers['retry-after']).toBe(retryAfter);
      expect(statusOf(answer).code).toBe(code);
      expect(answer.body.toString()).not.toContain('secret');
    }
    expect(told.received).toEqual([]);
    expect(told.refused).toEqual([
      [reason, status],
      [reason, status],
    ]);
    expect(sink.records).toEqual([]);
    expect(lines).toHaveLength(1);
    sink.gate = async () => {};
    expect((await post(port, { body: BODY })).status).toBe(200);
  });

  test('a sink that throws at once is a failed append as well', async () => {
    const { port, sink } = await startReceiver();
    sink.append = () => {
      throw new LogError('disk_full', 'no space');
    };
    expect((await post(port, { body: BODY })).status).toBe(503);
  });
});

describe('a request that is refused', () => {
  test.each([
    ['not_found', 404, 5, { path: '/' }],
    ['not_found', 404, 5, { path: '/v1/metrics' }],
    ['not_found', 404, 5, { path: '/v1/traces/' }],
    ['method', 405, 12, { method: 'GET' }],
    ['method', 405, 12, { method: 'PUT' }],
    ['method', 405, 12, { method: 'OPTIONS' }],
    ['content_type', 415, 3, { headers: {} }],
    ['content_type', 415, 3, { headers: { 'content-type': 'text/plain' } }],
    ['content_type', 415, 3, { headers: { 'content-type': 'application/x-protobufs' } }],
    ['content_encoding', 415, 3, { headers: { ...PROTOBUF, 'content-encoding': 'br' } }],
    ['content_encoding', 415, 3, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip, gzip' } }],
    ['bad_tenant', 400, 3, { headers: { ...PROTOBUF, 'x-scope-orgid': '..' } }],
    ['bad_tenant', 400, 3, { headers: { ...JSON_TYPE, 'x-scope-orgid': 'a|b' } }],
    ['bad_tenant', 400, 3, { headers: { ...JSON_TYPE, 'x-scope-orgid': '' } }],
    ['bad_protobuf', 400, 3, { body: 'hello' }],
    ['bad_protobuf', 400, 3, { body: BODY.subarray(0, BODY.length - 1) }],
    ['bad_protobuf', 400, 3, { body: JSON_BODY }],
    ['bad_json', 400, 3, { headers: JSON_TYPE, body: '{"resourceSpans":' }],
    ['bad_json', 400, 3, { headers: JSON_TYPE, body: '' }],
    ['bad_json', 400, 3, { headers: JSON_TYPE, body: BODY }],
    [
      'bad_json',
      400,
      3,
      { headers: JSON_TYPE, body: '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x"}]}]}]}' },
    ],
    ['bad_encoding', 400, 3, { headers: { ...PROTOBUF, 'content-encoding': 'gzip' }, body: BODY }],
    ['bad_encoding', 400, 3, { headers: { ...JSON_TYPE, 'content-encoding': 'zstd' }, body: JSON_BODY }],
    ['bad_encoding', 400, 3, { headers: { ...PROTOBUF, 'content-encoding': 'deflate' }, body: 'xyz' }],
  ])('%s with %d (%#)', async (reason, status, code, sent) => {
    const { port, told, sink, lines } = await startReceiver();
    const headers = 'headers' in sent ? sent.headers : PROTOBUF;
    const hasBody = !('method' in sent) || sent.method === 'PUT';
    const answer = await post(port, { ...sent, headers, ...(hasBody && !('body' in sent) ? { body: BODY } : {}) });
    expect(answer.status).toBe(status);
    const contentType =
      'content-type' in headers && headers['content-type'] === 'application/x-protobuf'
        ? headers['content-type']
        : 'application/json';
    expect(answer.headers['content-type']).toBe(contentType);
    expect(statusOf(answer).code).toBe(code);
    expect(statusOf(answer).message).not.toBe('');
    expect(answer.headers.allow).toBe(status === 405 ? 'POST' : undefined);
    expect(told.refused).toEqual([[reason, status]]);
    expect(sink.records).toEqual([]);
    // The client's faults don't fill the log.
    expect(lines).toEqual([]);
  });

  test('because it names no tenant gets 401', async () => {
    const { port, told } = await startReceiver({ tenantOf: () => undefined });
    const answer = await post(port, { headers: JSON_TYPE, body: JSON_BODY });
    expect(answer.status).toBe(401);
    expect(statusOf(answer)).toEqual({ code: 16, message: 'no org id' });
    expect(told.refused).toEqual([['no_tenant', 401]]);
  });

  test('because of one field is told which, in either format', async () => {
    const { port } = await startReceiver();
    const json = await post(port, {
      headers: JSON_TYPE,
      body: '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x"}]}]}]}',
    });
    const path = 'resourceSpans[0].scopeSpans[0].spans[0].traceId';
    expect(statusOf(json)).toEqual({
      code: 3,
      message: `${path}: not hex`,
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.BadRequest',
          fieldViolations: [{ field: path, description: `${path}: not hex` }],
        },
      ],
    });
    const protobuf = statusOf(await post(port, { body: BODY.subarray(0, BODY.length - 1) }));
    expect(protobuf.message).toMatch(/^ExportTraceServiceRequest\.resource_spans: \d+ bytes cut off at byte 1$/);
    const [any] = protobuf.details as { typeUrl: string; value: string }[];
    expect(any!.typeUrl).toBe('type.googleapis.com/google.rpc.BadRequest');
    const violations = decodeAs('BadRequest', Buffer.from(any!.value, 'base64'))['fieldViolations'] as Plain[];
    expect(violations[0]!['field']).toBe('ExportTraceServiceRequest.resource_spans');
  });

  test.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['deflate', zlib.deflateRawSync],
    ['zstd', zlib.zstdCompressSync],
  ])('because its %s data is cut off or has something after it (%#)', async (encoding, compress) => {
    const { port, sink, told } = await startReceiver();
    const headers = { ...PROTOBUF, 'content-encoding': encoding };
    const whole = compress(BODY);
    const refused = [
      whole.subarray(0, 3),
      whole.subarray(0, whole.length - 1),
      Buffer.concat([whole, Buffer.from('junk')]),
    ];
    // Node's decoder stops after the first frame: what is in the second must not be lost in silence.
    if (encoding !== 'gzip') refused.push(Buffer.concat([whole, whole]));
    for (const body of refused) expect((await post(port, { headers, body })).status).toBe(400);
    // And the same when the rest arrives later.
    const { request, answer } = open(port, { headers });
    request.write(whole);
    setImmediate(() => request.end('junk'));
    expect((await answer).status).toBe(400);
    expect(sink.records).toEqual([]);
    expect(new Set(told.refused.map(([reason]) => reason))).toEqual(new Set(['bad_encoding']));
  });

  test('random bodies are refused with 400 or are readable, and the receiver goes on', async () => {
    const { port, sink } = await startReceiver();
    const agent = new http.Agent({ keepAlive: true });
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 100 }),
        fc.constantFrom('application/json', 'application/x-protobuf'),
        fc.constantFrom('identity', 'gzip', 'deflate', 'zstd'),
        async (body, type, encoding) => {
          const answer = await post(port, {
            headers: { 'content-type': type, 'content-encoding': encoding },
            body,
            agent,
          });
          expect([200, 400]).toContain(answer.status);
        },
      ),
      { numRuns: 200 },
    );
    agent.destroy();
    for (const record of sink.records) flatten(record.bytes);
    expect((await post(port, { body: BODY })).status).toBe(200);
  });
});

describe('browsers', () => {
  const preflight = (origin: string) => ({
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type, x-scope-orgid',
    },
  });

  test('may not send from anywhere by default', async () => {
    const { port } = await startReceiver();
    const answer = await post(port, preflight('https://app.example.com'));
    expect(answer.status).toBe(405);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  test('may send from the origins that are allowed', async () => {
    const { port } = await startReceiver({ allowedOrigins: ['https://app.example.com', 'https://*.example.org'] });
    for (const origin of ['https://app.example.com', 'https://a.b.example.org']) {
      const answer = await post(port, preflight(origin));
      expect(answer.status).toBe(204);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'content-type, x-scope-orgid',
        vary: 'Origin',
      });
      const sent = await post(port, { headers: { ...JSON_TYPE, origin }, body: JSON_BODY });
      expect(sent.status).toBe(200);
      expect(sent.headers['access-control-allow-origin']).toBe(origin);
    }
    for (const origin of [
      'https://evil.com',
      'https://app.example.com.evil.com',
      'http://app.example.com',
      'https://appXexample.com',
    ]) {
      const answer = await post(port, preflight(origin));
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe('POST, OPTIONS');
      expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  test('can read why they were refused', async () => {
    const { port } = await startReceiver({ allowedOrigins: ['*'] });
    const answer = await post(port, { headers: { ...JSON_TYPE, origin: 'https://x' }, body: '{' });
    expect(answer.status).toBe(400);
    expect(answer.headers['access-control-allow-origin']).toBe('https://x');
  });
});

test('a tenant id is 1 to 150 harmless characters', () => {
  for (const id of ['a', "A-z_0.9!*'()", '...', 'x'.repeat(150)]) expect(isTenantId(id)).toBe(true);
  for (const id of ['', '.', '..', 'x'.repeat(151), 'a/b', 'a b', 'ä', 'a\n', 'a|b', 'a\0'])
    expect(isTenantId(id)).toBe(false);
});

test('a callback that throws harms neither the process nor the next request', async () => {
  const refused = () => {
    throw new Error('from a callback');
  };
  const { port, lines, receiver } = await startReceiver({ events: { refused } });
  await post(port, { path: '/', body: BODY }).catch(() => {});
  expect(lines).toHaveLength(1);
  expect((await post(port, { body: BODY })).status).toBe(200);
  await receiver.stop(30_000);
});
