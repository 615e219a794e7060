import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as zlib from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { LogError } from '../../src/log/port.ts';
import { transcodeRequestObject } from '../../src/otlp/json/index.ts';
import { createOtlpGrpcReceiver } from '../../src/receivers/index.ts';
import { flatten } from '../otlp/split/reference.ts';
import { admission, createFakeSink, until } from './harness.ts';
import {
  call,
  detailsOf,
  EXPORT,
  exportTraces,
  frame,
  GZIP,
  rawCall,
  startGrpc,
  stopAllGrpc,
} from './otlp-grpc-harness.ts';

afterEach(stopAllGrpc);

const { status } = grpc;
const span = (name: string, trace = 'ab'.repeat(16)) => ({ traceId: trace, spanId: '01'.repeat(8), name });
const requestOf = (...spans: object[]) => ({ resourceSpans: [{ resource: {}, scopeSpans: [{ spans }] }] });
const BODY = Buffer.from(transcodeRequestObject(requestOf(span('a'), span('b'))));
const MANY = Buffer.from(
  transcodeRequestObject(
    requestOf(...Array.from({ length: 500 }, (_, i) => span(`s${i}`, (i + 16).toString(16).padStart(32, '0')))),
  ),
);

describe('a request that is fine', () => {
  test('is appended as it is and answered OK with an empty message', async () => {
    const { client, sink, told } = await startGrpc();
    const ended = await exportTraces(client, BODY);
    expect(ended).toMatchObject({ code: status.OK, body: Buffer.alloc(0) });
    expect(sink.records).toHaveLength(1);
    expect(sink.records[0]).toMatchObject({ partition: 0, tenant: 'single-tenant', encoding: 'otlp' });
    expect(Buffer.from(sink.records[0]!.bytes)).toEqual(BODY);
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
    expect(told).toMatchObject({ refused: [], aborted: 0 });
  });

  test('may be compressed with gzip by the library', async () => {
    const { client, sink, told } = await startGrpc({ channel: GZIP });
    expect((await exportTraces(client, MANY)).code).toBe(status.OK);
    expect(Buffer.from(sink.records[0]!.bytes)).toEqual(MANY);
    expect(told.received[0]).toMatchObject({ compression: 'gzip', bodyBytes: MANY.length, spans: 500 });
    expect(told.received[0]!.wireBytes).toBeLessThan(MANY.length / 2);
  });

  test.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['zstd', zlib.zstdCompressSync],
  ])('may be compressed with %s, also in tiny pieces', async (encoding, compress) => {
    const { port, sink } = await startGrpc();
    const ended = await rawCall(port, { 'grpc-encoding': encoding }, (stream) => {
      for (const byte of frame(compress(BODY), 1)) stream.write(Buffer.from([byte]));
      stream.end();
    });
    expect(ended.code).toBe(status.OK);
    expect(Buffer.from(sink.records[0]!.bytes)).toEqual(BODY);
  });

  test('may say gzip and leave this message uncompressed', async () => {
    const { port, sink } = await startGrpc();
    const ended = await rawCall(port, { 'grpc-encoding': 'gzip' }, (stream) => stream.end(frame(BODY, 0)));
    expect(ended.code).toBe(status.OK);
    expect(Buffer.from(sink.records[0]!.bytes)).toEqual(BODY);
  });

  test('without spans is acknowledged and appends nothing', async () => {
    const { client, sink, told } = await startGrpc();
    expect((await exportTraces(client, Buffer.alloc(0))).code).toBe(status.OK);
    expect(sink.records).toEqual([]);
    expect(told.received[0]).toMatchObject({ spans: 0, records: 0 });
  });

  test('is split over partitions with no span lost', async () => {
    const { client, sink, told } = await startGrpc({ sink: createFakeSink(4) });
    expect((await exportTraces(client, MANY)).code).toBe(status.OK);
    expect(new Set(sink.records.map(({ partition }) => partition)).size).toBe(4);
    expect(sink.records.flatMap(({ bytes }) => flatten(bytes))).toHaveLength(500);
    expect(told.received[0]).toMatchObject({ spans: 500, records: 4 });
  });

  test('gets no answer before the log has it', async () => {
    const { client, sink } = await startGrpc();
    let open = () => {};
    let isReached = false;
    sink.gate = () =>
      new Promise((resolve) => {
        isReached = true;
        open = resolve;
      });
    let isAnswered = false;
    const slow = exportTraces(client, BODY).then((ended) => {
      isAnswered = true;
      return ended;
    });
    await until(() => isReached);
    // A whole exchange on the same connection, later than the request: time enough for a wrong answer to arrive.
    await call(client, '/grpc.health.v1.Health/Check', Buffer.alloc(0)).ended;
    expect(isAnswered).toBe(false);
    open();
    expect((await slow).code).toBe(status.OK);
    expect(sink.records).toHaveLength(1);
  });

  test('is one of many at once, and each is kept', async () => {
    const { client, sink, told } = await startGrpc({ channel: GZIP });
    const bodies = Array.from({ length: 200 }, (_, i) => Buffer.from(transcodeRequestObject(requestOf(span(`n${i}`)))));
    const ended = await Promise.all(bodies.map((body) => exportTraces(client, body)));
    expect(ended.every(({ code }) => code === status.OK)).toBe(true);
    const names = sink.records.flatMap(({ bytes }) => flatten(bytes).map((one) => one.span.name));
    expect(new Set(names).size).toBe(200);
    expect(told.received).toHaveLength(200);
  });

  test('with odd ids is counted', async () => {
    const { client, told } = await startGrpc();
    await exportTraces(client, transcodeRequestObject(requestOf({ ...span('x'), traceId: '00'.repeat(16) })));
    expect(told.oddIds).toEqual([[1, 'single-tenant']]);
  });
});

describe('tenants', () => {
  test('come from metadata', async () => {
    const { client, sink } = await startGrpc();
    await exportTraces(client, BODY, { 'X-Scope-OrgID': 'team-a' });
    expect(sink.records[0]!.tenant).toBe('team-a');
  });

  test('are missed as UNAUTHENTICATED', async () => {
    const { client, told } = await startGrpc({ tenantOf: (headers) => headers['x-scope-orgid'] });
    const ended = await exportTraces(client, BODY);
    expect(ended).toMatchObject({ code: status.UNAUTHENTICATED, details: 'no org id' });
    expect(told.refused).toEqual([['no_tenant', 16]]);
  });

  test.each(['a/b', '..', 'x'.repeat(151), 'one,two'])('that are invalid are refused: %s', async (tenant) => {
    const { client, sink, told } = await startGrpc();
    expect((await exportTraces(client, BODY, { 'x-scope-orgid': tenant })).code).toBe(status.INVALID_ARGUMENT);
    expect(told.refused).toEqual([['bad_tenant', 3]]);
    expect(sink.records).toEqual([]);
  });
});

describe('what can be tried again', () => {
  test.each([
    ['disk_full', () => new LogError('disk_full', 'full'), 5],
    ['log_closed', () => new LogError('log_closed', 'closed'), 5],
  ] as const)('%s is UNAVAILABLE with RetryInfo', async (reason, error, seconds) => {
    const { client, sink, told, lines } = await startGrpc();
    sink.gate = async () => {
      throw error();
    };
    const ended = await exportTraces(client, BODY);
    expect(ended.code).toBe(status.UNAVAILABLE);
    const { code, message, details } = detailsOf(ended);
    expect({ code, message }).toEqual({ code: 14, message: ended.details });
    expect(details[0]!.type_url ?? details[0]!.typeUrl).toBe('type.googleapis.com/google.rpc.RetryInfo');
    // RetryInfo { retry_delay: Duration { seconds } }
    expect([...Buffer.from(details[0]!.value, 'base64')]).toEqual([10, 2, 8, seconds]);
    expect(told.refused).toEqual([[reason, 14]]);
    expect(lines).toHaveLength(1);
    sink.gate = async () => {};
    expect((await exportTraces(client, BODY)).code).toBe(status.OK);
  });

  test('too many bytes in flight are UNAVAILABLE with RetryInfo, and later there is room again', async () => {
    const { client, sink, told } = await startGrpc({ maxInFlightBytes: BODY.length * 2 });
    let open = () => {};
    let isReached = false;
    sink.gate = () =>
      new Promise((resolve) => {
        isReached = true;
        open = resolve;
      });
    const first = exportTraces(client, BODY);
    await until(() => isReached);
    const second = await exportTraces(client, BODY);
    expect(second.code).toBe(status.UNAVAILABLE);
    expect(Buffer.from(detailsOf(second).details[0]!.value, 'base64')[3]).toBe(1);
    expect(told.refused).toEqual([['overloaded', 14]]);
    open();
    expect((await first).code).toBe(status.OK);
    sink.gate = async () => {};
    expect((await exportTraces(client, BODY)).code).toBe(status.OK);
  });

  test('well-compressed messages count with what they become', async () => {
    const { client, told } = await startGrpc({ channel: GZIP, maxInFlightBytes: 100_000 });
    const ended = await exportTraces(client, Buffer.alloc(1_000_000));
    expect(ended.code).toBe(status.UNAVAILABLE);
    expect(told.refused).toEqual([['overloaded', 14]]);
    expect((await exportTraces(client, BODY)).code).toBe(status.OK);
  });
});

describe('what is refused for good', () => {
  test('an unknown failure of the log is INTERNAL and says nothing of it to the client', async () => {
    const { client, sink, lines } = await startGrpc();
    sink.gate = async () => {
      throw new Error('secret path');
    };
    const ended = await exportTraces(client, BODY);
    expect(ended.code).toBe(status.INTERNAL);
    expect(ended.details).not.toContain('secret');
    expect(lines).toHaveLength(1);
  });

  test('a message that is cut short names the position', async () => {
    const { client, told, sink } = await startGrpc();
    const ended = await exportTraces(client, BODY.subarray(0, BODY.length - 3));
    expect(ended.code).toBe(status.INVALID_ARGUMENT);
    expect(ended.details).toMatch(/\d/);
    expect(detailsOf(ended)).toMatchObject({ code: 3, message: ended.details });
    expect(told.refused).toEqual([['bad_protobuf', 3]]);
    expect(sink.records).toEqual([]);
  });

  test('a message over the limit is RESOURCE_EXHAUSTED without RetryInfo, before it has arrived', async () => {
    const { client, told, port } = await startGrpc({ maxBodyBytes: 1000 });
    const ended = await exportTraces(client, Buffer.alloc(1_000_000));
    expect(ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: 'the message is larger than 1000 bytes' });
    expect(ended.metadata.get('grpc-status-details-bin')).toEqual([]);
    expect(told.refused).toEqual([['too_large', 8]]);
    const raw = await rawCall(port, {}, (stream) => stream.write(frame(Buffer.alloc(10), 0, 4_000_000_000)));
    expect(raw.code).toBe(status.RESOURCE_EXHAUSTED);
    // The connection is still good.
    expect((await exportTraces(client, BODY)).code).toBe(status.OK);
  });

  test('a message that becomes larger than the limit is RESOURCE_EXHAUSTED', async () => {
    const { client, told } = await startGrpc({ maxBodyBytes: 100_000, channel: GZIP });
    expect((await exportTraces(client, Buffer.alloc(10_000_000))).code).toBe(status.RESOURCE_EXHAUSTED);
    expect(told.refused).toEqual([['too_large', 8]]);
  });

  const zipped = zlib.gzipSync(BODY);
  test.each([
    ['no gzip at all', BODY],
    ['gzip that is cut short', zipped.subarray(0, -4)],
    ['gzip with a wrong checksum', Buffer.concat([zipped.subarray(0, -8), Buffer.alloc(8)])],
    ['bytes after the gzip data', Buffer.concat([zipped, BODY])],
  ])('%s is INVALID_ARGUMENT', async (_, bytes) => {
    const { port, told, sink } = await startGrpc();
    const ended = await rawCall(port, { 'grpc-encoding': 'gzip' }, (stream) => stream.end(frame(bytes, 1)));
    expect(ended.code).toBe(status.INVALID_ARGUMENT);
    expect(ended.details).toContain('gzip');
    expect(told.refused).toEqual([['bad_encoding', 3]]);
    expect(sink.records).toEqual([]);
  });

  test('an encoding that is not supported is UNIMPLEMENTED', async () => {
    const { port, told } = await startGrpc();
    const ended = await rawCall(port, { 'grpc-encoding': 'snappy' }, (stream) => stream.end(frame(BODY, 1)));
    expect(ended.code).toBe(status.UNIMPLEMENTED);
    expect(told.refused).toEqual([['content_encoding', 12]]);
  });

  test('random bytes never get OK unless they are a request, and never hurt the next one', async () => {
    const { client, told } = await startGrpc();
    let state = 12345;
    const next = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 24;
    };
    const bodies = Array.from({ length: 150 }, () => {
      // A tag that the walk must enter, then noise.
      const noise = Buffer.from(Array.from({ length: 40 }, next));
      return Buffer.concat([Buffer.from([10, 40]), noise]);
    });
    const ended = await Promise.all(bodies.map((body) => exportTraces(client, body)));
    const refused = ended.filter(({ code }) => code === status.INVALID_ARGUMENT).length;
    expect(refused).toBeGreaterThan(100);
    expect(told.received.length + refused).toBe(150);
    expect((await exportTraces(client, BODY)).code).toBe(status.OK);
  });

  test('a method or service that is not here is UNIMPLEMENTED', async () => {
    const { client } = await startGrpc();
    for (const path of [`${EXPORT}s`, '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export']) {
      expect((await call(client, path, BODY).ended).code).toBe(status.UNIMPLEMENTED);
    }
  });

  test('two messages in one call are not taken', async () => {
    const { port, sink } = await startGrpc();
    const ended = await rawCall(port, {}, (stream) => stream.end(Buffer.concat([frame(BODY), frame(BODY)])));
    expect(ended.code).toBe(status.UNIMPLEMENTED);
    expect(sink.records).toEqual([]);
  });

  test('a plain HTTP/1 request or noise does not disturb anyone', async () => {
    const { client, port } = await startGrpc();
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0\x01\x02\x03'.repeat(50)]) {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes);
      socket.resume();
      await new Promise<void>((resolve) => socket.once('close', () => resolve()));
    }
    expect((await exportTraces(client, BODY)).code).toBe(status.OK);
  });
});

describe('clients that go away', () => {
  test('in the middle of a message are counted, and nothing stays in flight', async () => {
    const { client, port, told, sink } = await startGrpc({ maxInFlightBytes: 3 * BODY.length });
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    await new Promise<void>((resolve) => session.once('connect', () => resolve()));
    const stream = session.request({
      ':method': 'POST',
      ':path': EXPORT,
      'content-type': 'application/grpc',
      'x-scope-orgid': 'gone',
    });
    stream.on('error', () => {});
    stream.write(frame(BODY).subarray(0, BODY.length));
    // The connection's ping follows the data.
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    session.destroy();
    await until(() => told.aborted === 1);
    expect(sink.records).toEqual([]);
    // Two thirds of the room: only there if the broken call gave back what it held.
    expect((await exportTraces(client, Buffer.concat([BODY, BODY]))).code).toBe(status.OK);
  });

  test('or are too slow get DEADLINE_EXCEEDED', async () => {
    const { port, told } = await startGrpc({ requestTimeoutMs: 20 });
    const ended = await rawCall(port, {}, (stream) => stream.write(frame(BODY).subarray(0, 10)));
    expect(ended.code).toBe(status.DEADLINE_EXCEEDED);
    expect(told).toMatchObject({ aborted: 1, refused: [] });
  });
});

describe('start and stop', () => {
  test('a taken port rejects the start with EADDRINUSE', async () => {
    const { port } = await startGrpc();
    const second = createOtlpGrpcReceiver({
      host: '127.0.0.1',
      port,
      admission,
      sink: createFakeSink(),
      tenantOf: () => 'x',
      now: () => 0,
    });
    await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await second.stop(0);
  });

  test('a stop waits for the answer of a request that is being appended, and takes no new one', async () => {
    const { client, sink, receiver, port } = await startGrpc();
    let open = () => {};
    let isReached = false;
    sink.gate = () =>
      new Promise((resolve) => {
        isReached = true;
        open = resolve;
      });
    const request = exportTraces(client, BODY);
    await until(() => isReached);
    const stopped = receiver.stop(60_000);
    expect(receiver.stop(60_000)).toBe(stopped);
    const late = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
      'grpc.enable_retries': 0,
      'grpc.use_local_subchannel_pool': 1,
    });
    expect((await exportTraces(late, BODY)).code).toBe(status.UNAVAILABLE);
    late.close();
    open();
    expect((await request).code).toBe(status.OK);
    await stopped;
    expect(sink.records).toHaveLength(1);
  });

  test('a stop with nothing to wait for ends at once, idle connections and all', async () => {
    const { client, receiver, port } = await startGrpc();
    await exportTraces(client, BODY);
    await receiver.stop(3_600_000);
    await expect(
      new Promise((_, reject) => net.connect(port, '127.0.0.1').once('error', reject)),
    ).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a stop cuts what is not done by its deadline', async () => {
    const { client, sink, receiver } = await startGrpc();
    let isReached = false;
    sink.gate = () => {
      isReached = true;
      return new Promise(() => {});
    };
    const request = exportTraces(client, BODY);
    await until(() => isReached);
    await receiver.stop(1);
    expect((await request).code).toBe(status.UNAVAILABLE);
  });

  test('a receiver that never started stops', async () => {
    const receiver = createOtlpGrpcReceiver({
      host: '127.0.0.1',
      port: 0,
      admission,
      sink: createFakeSink(),
      tenantOf: () => 'x',
      now: () => 0,
    });
    await expect(receiver.stop(1000)).resolves.toBeUndefined();
  });
});
