import * as net from 'node:net';
import * as zlib from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { transcodeRequestObject } from '../../src/otlp/json/index.ts';
import {
  createFakeSink,
  type Harness,
  JSON_TYPE,
  open,
  PROTOBUF,
  post,
  startReceiver,
  statusOf,
  stopAll,
  until,
} from './harness.ts';

afterEach(stopAll);

const BODY = transcodeRequestObject({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }] }] }] });

/** A record of the wanted size that is one unknown field. */
function bodyOf(size: number): Buffer {
  const body = Buffer.alloc(size);
  const length = size - 7;
  body.set([
    0xfa,
    1,
    (length & 127) | 128,
    ((length >> 7) & 127) | 128,
    ((length >> 14) & 127) | 128,
    ((length >> 21) & 127) | 128,
    0,
  ]);
  return body;
}

/** Appends that wait until they are let go. */
function holdAppends({ sink }: Harness): { waiting: () => number; release: () => void } {
  const waiters: (() => void)[] = [];
  sink.gate = () => new Promise((resolve) => void waiters.push(resolve));
  return {
    waiting: () => waiters.length,
    release: () => {
      sink.gate = async () => {};
      for (const resolve of waiters.splice(0)) resolve();
    },
  };
}

describe('the body limit', () => {
  test('is 20 MiB by default', async () => {
    const { port } = await startReceiver();
    const limit = 20 * 1024 * 1024;
    expect((await post(port, { body: bodyOf(limit) })).status).toBe(200);
    expect((await post(port, { body: bodyOf(limit + 1) })).status).toBe(413);
  });

  test('holds for a declared length before anything is read', async () => {
    const { port, told } = await startReceiver();
    const { request, answer } = open(port, { headers: { ...PROTOBUF, 'content-length': 100 * 1024 * 1024 } });
    request.write(Buffer.alloc(1000));
    const { status, headers, body } = await answer;
    expect(status).toBe(413);
    expect(statusOf({ status, headers, body }).code).toBe(8);
    expect(told.refused).toEqual([['too_large', 413]]);
    request.destroy();
  });

  test('a body of 100 MB is refused while the client still sends, and does not pile up', async () => {
    const { port } = await startReceiver();
    const chunk = Buffer.alloc(1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    let sent = 0;
    const { request, answer } = open(port, { headers: PROTOBUF });
    const send = () => {
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
      while (sent < 100 && !request.destroyed) {
        sent++;
        if (!request.write(chunk)) return;
      }
      request.end();
    };
    request.on('drain', send);
    send();
    expect((await answer).status).toBe(413);
    expect(sent).toBeLessThan(60);
    expect(peak - before).toBeLessThan(80 * 1024 * 1024);
    request.destroy();
  });

  test('a client that sends all of a refused body before it listens finds the answer', async () => {
    const { port } = await startReceiver({ maxBodyBytes: 1000 });
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1');
      const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n';
      socket.pause();
      socket.write(`${head}Content-Length: 30000000\r\n\r\n`);
      socket.write(Buffer.alloc(30_000_000), (error) => {
        if (error) reject(error);
        socket.resume();
      });
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(heard).toMatch(/^HTTP\/1\.1 413 /);
    expect(heard).toContain('the body is larger than 1000 bytes');
  });

  test('holds for chunked bodies to the byte', async () => {
    const { port } = await startReceiver({ maxBodyBytes: 100_000 });
    for (const [size, status] of [
      [100_000, 200],
      [100_001, 413],
    ] as const) {
      const { request, answer } = open(port, { headers: PROTOBUF });
      const body = bodyOf(size);
      for (let i = 0; i < size; i += 10_000) request.write(body.subarray(i, i + 10_000));
      request.end();
      expect((await answer).status).toBe(status);
    }
  });

  test.each([
    ['gzip', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['zstd', zlib.zstdCompressSync],
  ])('stops a %s bomb early', async (encoding, compress) => {
    const { port, told } = await startReceiver();
    const bomb = compress(Buffer.alloc(128 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    }, 1);
    const answer = await post(port, { headers: { ...PROTOBUF, 'content-encoding': encoding }, body: bomb });
    clearInterval(timer);
    expect(answer.status).toBe(413);
    expect(told.refused).toEqual([['too_large', 413]]);
    expect(peak - before).toBeLessThan(60 * 1024 * 1024);
  });

  test('holds for data that decompresses to nothing', async () => {
    const { port } = await startReceiver({ maxBodyBytes: 10_000 });
    const nothing = zlib.gzipSync('');
    const body = Buffer.concat(Array.from({ length: 1000 }, () => nothing));
    expect((await post(port, { headers: { ...PROTOBUF, 'content-encoding': 'gzip' }, body })).status).toBe(413);
  });

  test('refuses a zstd window that is larger than any body', async () => {
    const { port } = await startReceiver({ maxBodyBytes: 1024 * 1024 });
    const params = { [zlib.constants.ZSTD_c_windowLog]: 26 };
    const body = zlib.zstdCompressSync(Buffer.alloc(64 * 1024 * 1024), { params });
    expect((await post(port, { headers: { ...PROTOBUF, 'content-encoding': 'zstd' }, body })).status).toBe(400);
  });

  test('refuses before the client sends its body if it waits for 100 Continue', async () => {
    const { port } = await startReceiver();
    const { request, answer } = open(port, {
      headers: { ...PROTOBUF, expect: '100-continue', 'content-length': 50 * 1024 * 1024 },
    });
    let continued = false;
    request.on('continue', () => {
      continued = true;
    });
    request.flushHeaders();
    expect((await answer).status).toBe(413);
    expect(continued).toBe(false);
    request.destroy();
  });

  test('a body of JSON that is all brackets is refused, and the receiver goes on', async () => {
    const { port } = await startReceiver();
    const body = `{"resourceSpans":[${'{},'.repeat(6_000_000)}[]]}`;
    expect((await post(port, { headers: JSON_TYPE, body })).status).toBe(400);
    expect((await post(port, { body: BODY })).status).toBe(200);
  });
});

describe('bytes in flight', () => {
  test('above the limit get 503 and Retry-After, and room comes back when the log answers', async () => {
    const harness = await startReceiver({ maxInFlightBytes: 5000, sink: createFakeSink() });
    const { port, told, sink } = harness;
    const appends = holdAppends(harness);
    const large = transcodeRequestObject({
      resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'n'.repeat(3000) }] }] }],
    });
    const first = post(port, { body: large });
    await until(() => appends.waiting() === 1);
    const refused = await post(port, { body: large });
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(statusOf(refused).code).toBe(14);
    expect(told.refused).toEqual([['overloaded', 503]]);
    const small = post(port, { body: BODY });
    await until(() => appends.waiting() === 2);
    appends.release();
    expect((await first).status).toBe(200);
    expect((await small).status).toBe(200);
    expect((await post(port, { body: large })).status).toBe(200);
    expect(sink.records).toHaveLength(3);
  });

  test('count what a compressed body becomes', async () => {
    const { port } = await startReceiver({ maxInFlightBytes: 5000 });
    const body = zlib.gzipSync(bodyOf(6000));
    expect((await post(port, { headers: { ...PROTOBUF, 'content-encoding': 'gzip' }, body })).status).toBe(503);
  });

  test('are given back by a client that goes away in the middle of its body', async () => {
    const { port, told, sink } = await startReceiver({ maxInFlightBytes: 5000 });
    for (let i = 1; i <= 4; i++) {
      const { request } = open(port, { headers: { ...PROTOBUF, 'content-length': 4500 } });
      request.on('error', () => {});
      request.write(bodyOf(4500).subarray(0, 4000));
      // A body that no longer fits shows that those bytes have arrived.
      for (;;) if ((await post(port, { body: bodyOf(4000) })).status === 503) break;
      request.destroy();
      await until(() => told.aborted === i);
    }
    expect((await post(port, { body: bodyOf(4500) })).status).toBe(200);
    expect(sink.records).toEqual([]);
  });

  test('a client that goes away in the middle of compressed data costs nothing either', async () => {
    const { port, told } = await startReceiver();
    const body = zlib.gzipSync(Buffer.from(Array.from({ length: 20_000 }, (_, i) => Math.sin(i)).join()));
    const { request } = open(port, {
      headers: { ...PROTOBUF, 'content-encoding': 'gzip', 'content-length': body.length },
    });
    request.on('error', () => {});
    request.write(body.subarray(0, body.length / 2));
    await new Promise((resolve) => request.once('socket', (socket) => socket.once('connect', resolve)));
    setImmediate(() => request.destroy());
    await until(() => told.aborted === 1);
    expect((await post(port, { body: BODY })).status).toBe(200);
  });
});

describe('slow clients', () => {
  test('that do not finish their head or their body in time are cut off', async () => {
    const { port, told } = await startReceiver({ headersTimeoutMs: 50, requestTimeoutMs: 100 });
    const speak = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
        let heard = '';
        socket.on('data', (chunk) => {
          heard += chunk.toString();
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(heard));
      });
    expect(await speak('POST /v1/traces HTTP/1.1\r\nHost: x\r\n')).toMatch(/^HTTP\/1\.1 408 /);
    const half =
      'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100\r\n\r\nabc';
    expect(await speak(half)).toMatch(/^HTTP\/1\.1 408 /);
    await until(() => told.aborted === 1);
    expect(told.refused).toEqual([]);
  });

  test('that speak something else than HTTP get 400', async () => {
    const { port } = await startReceiver();
    const heard = await new Promise<string>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => socket.write('\x16\x03\x01\x02\x00\x01 nonsense\r\n\r\n'));
      socket.on('data', (chunk) => resolve(chunk.toString()));
    });
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('stop', () => {
  test('lets what is being appended finish and be acknowledged', async () => {
    const harness = await startReceiver();
    const appends = holdAppends(harness);
    const answer = post(harness.port, { body: BODY });
    await until(() => appends.waiting() === 1);
    let stopped = false;
    const stop = harness.receiver.stop(30_000).then(() => {
      stopped = true;
    });
    await expect(post(harness.port, { body: BODY })).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
    expect(stopped).toBe(false);
    appends.release();
    expect((await answer).status).toBe(200);
    await stop;
    expect(harness.sink.records).toHaveLength(1);
  });

  test('refuses requests on open connections with 503', async () => {
    const harness = await startReceiver();
    const appends = holdAppends(harness);
    const first = post(harness.port, { body: BODY });
    await until(() => appends.waiting() === 1);
    const head = 'POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    const socket = net.connect(harness.port, '127.0.0.1', () => socket.write(head));
    const heard = new Promise<string>((resolve, reject) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    await new Promise((resolve) => socket.once('connect', resolve));
    // The half of a head is at the server by now: this exchange comes after it.
    expect((await post(harness.port, { body: '' })).status).toBe(200);
    const stop = harness.receiver.stop(30_000);
    socket.write('Content-Length: 2\r\n\r\n{}');
    const text = await heard;
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    for (const part of ['Retry-After: 5\r\n', 'Connection: close\r\n', '"code":14']) expect(text).toContain(part);
    appends.release();
    expect((await first).status).toBe(200);
    await stop;
    expect(harness.told.refused).toEqual([['stopping', 503]]);
  });

  test('gives up at its deadline, without acknowledging', async () => {
    const harness = await startReceiver();
    const appends = holdAppends(harness);
    const answer = post(harness.port, { body: BODY });
    await until(() => appends.waiting() === 1);
    await harness.receiver.stop(1);
    await expect(answer).rejects.toThrow();
    appends.release();
  });

  test('may be called twice, and before a start', async () => {
    const { receiver } = await startReceiver();
    await Promise.all([receiver.stop(1000), receiver.stop(1000)]);
    await receiver.stop(0);
  });
});

test('a port that is taken is an error of start', async () => {
  const { port } = await startReceiver();
  await expect(startReceiver({ port })).rejects.toThrow(/EADDRINUSE/);
});
