// `spanmill generate --grpc` against the receiver, and against servers that break.

import * as http2 from 'node:http2';
import * as net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { grpcExporter, judgeStatus } from '../../src/generate/grpc-exporter.ts';
import { LogError } from '../../src/log/port.ts';
import { createOtlpGrpcReceiver } from '../../src/receivers/index.ts';
import { fakeClock, generate } from '../generate/fake-receiver.ts';
import { callsOf, countCalls } from '../generate/model.ts';
import { readRequest } from '../generate/otlp.ts';
import { encodeAs } from '../otlp/split/reference.ts';
import { admission, createFakeSink } from './harness.ts';
import { startGrpc, stopAllGrpc } from './otlp-grpc-harness.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await stopAllGrpc();
});

const { status } = grpc;

function exporterTo(port: number, answerTimeoutMs = 60_000) {
  const exporter = grpcExporter({
    url: new URL(`grpc://127.0.0.1:${port}`),
    isGzip: false,
    tenant: '',
    concurrency: 4,
    answerTimeoutMs,
  });
  closers.push(() => exporter.close());
  return { exporter, send: (signal = new AbortController().signal) => exporter.send(new Uint8Array(0), 1, signal) };
}

async function listen(server: net.Server | http2.Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closers.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

describe('generate --grpc', () => {
  test.each([[[]], [['--gzip']]])('accounts for what the receiver took %j', async (more) => {
    const { port, sink, told } = await startGrpc({ sink: createFakeSink(3) });
    const argv = ['--grpc', `127.0.0.1:${port}`, '--spans', '2000', '--tenant', 'shop', '--rate', '0', ...more];
    const { code, result } = await generate(argv, { clock: fakeClock() });
    expect(code).toBe(0);
    expect(result.spans).toBe(2000);
    const spans = sink.records.flatMap(({ bytes }) => readRequest(Buffer.from(bytes)));
    expect(callsOf(result.calls)).toEqual(countCalls(spans));
    expect(new Set(sink.records.map(({ tenant }) => tenant))).toEqual(new Set(['shop']));
    expect(told.received[0]!.compression).toBe(more.length === 0 ? 'identity' : 'gzip');
  });

  test('tries again after the time that the receiver names, and counts once', async () => {
    const { port, sink } = await startGrpc();
    let failures = 3;
    sink.gate = async () => {
      if (failures-- > 0) throw new LogError('disk_full', 'full');
    };
    const clock = fakeClock();
    const startMs = clock.nowMs();
    const { result, stderr } = await generate(
      ['--grpc', `http://127.0.0.1:${port}/`, '--spans', '100', '--rate', '0', '--concurrency', '1'],
      { clock },
    );
    expect(result).toMatchObject({ spans: 100, unknown: [], unsent: { requests: 0 } });
    expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(15_000);
    expect(stderr).toContain('gRPC UNAVAILABLE');
    expect(sink.records.flatMap(({ bytes }) => readRequest(Buffer.from(bytes)))).toHaveLength(100);
  });

  test.each([
    [['--grpc', ''], '--grpc needs an address such as localhost:4317, not ""'],
    [['--grpc', 'ftp://a'], '--grpc needs an address such as localhost:4317, not "ftp://a"'],
    [['--grpc', 'a:1/v1/traces'], '--grpc needs an address such as localhost:4317, not "a:1/v1/traces"'],
    [['--grpc', 'a', '--otlp', 'http://b'], '--otlp and --grpc exclude each other'],
  ])('refuses %j', async (argv, message) => {
    const { code, stderr } = await generate(argv);
    expect([code, stderr.trim()]).toEqual([2, `spanmill generate: ${message}`]);
  });
});

describe('an attempt', () => {
  test('without a receiver was never sent, and succeeds once there is one', async () => {
    const probe = net.createServer();
    const port = await listen(probe);
    await new Promise((resolve) => probe.close(resolve));
    const { send } = exporterTo(port);
    expect(await send()).toMatchObject({ type: 'retry', reason: 'no connection' });
    const receiver = createOtlpGrpcReceiver({
      host: '127.0.0.1',
      port,
      admission,
      sink: createFakeSink(),
      tenantOf: () => 'x',
      now: () => 0,
    });
    await receiver.start();
    closers.push(() => receiver.stop(0));
    let attempt = await send();
    for (let tries = 0; attempt.type === 'retry' && tries < 20; tries++) attempt = await send();
    expect(attempt).toEqual({ type: 'acknowledged' });
  });

  test('whose connection is lost after the request went out is unknown', async () => {
    const server = http2.createServer();
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      stream.resume();
      stream.on('end', () => stream.session?.destroy());
    });
    server.on('sessionError', () => {});
    const { send } = exporterTo(await listen(server));
    expect(await send()).toMatchObject({ type: 'unknown' });
  });

  test('without an answer in time is unknown, and so is one that is given up', async () => {
    const { port, sink } = await startGrpc();
    const reached: (() => void)[] = [];
    sink.gate = () => {
      for (const tell of reached) tell();
      return new Promise(() => {});
    };

    const body = encodeAs('Request', { resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }] }] }] });
    const slow = exporterTo(port, 10).exporter;
    const patient = exporterTo(port).exporter;
    const { signal } = new AbortController();
    expect(await slow.send(body, 1, signal)).toEqual({ type: 'unknown', reason: 'no answer in time' });
    const giveUp = new AbortController();
    reached.push(() => giveUp.abort());
    expect(await patient.send(body, 1, giveUp.signal)).toEqual({ type: 'unknown', reason: 'given up' });
  });

  test('that was aborted before it began was never sent', async () => {
    const { port, told } = await startGrpc();
    expect(await exporterTo(port).send(AbortSignal.abort())).toMatchObject({ type: 'retry' });
    expect(told.received).toEqual([]);
  });
});

describe('a status', () => {
  // google.rpc.Status with RetryInfo of 1 s and 500 ms.
  const duration = Buffer.from([8, 1, 16, 0x80, 0xca, 0xb5, 0xee, 0x01]);
  const nested = (number: number, bytes: Buffer) => Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
  const type = nested(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo'));
  const retryInfo = nested(3, Buffer.concat([type, nested(2, nested(1, duration))]));
  const withDetails = (bytes: Buffer | undefined) => {
    const metadata = new grpc.Metadata();
    if (bytes !== undefined) metadata.set('grpc-status-details-bin', bytes);
    return metadata;
  };

  test.each([
    [status.UNAVAILABLE, retryInfo, { type: 'retry', afterMs: 1500 }],
    [status.RESOURCE_EXHAUSTED, retryInfo, { type: 'retry', afterMs: 1500 }],
    [status.INVALID_ARGUMENT, retryInfo, { type: 'refused' }],
    [status.UNAVAILABLE, undefined, { type: 'unknown' }],
    [status.UNAVAILABLE, Buffer.from([8, 14, 26, 99]), { type: 'unknown' }],
    [status.RESOURCE_EXHAUSTED, undefined, { type: 'refused' }],
    [status.UNAUTHENTICATED, undefined, { type: 'refused' }],
    [status.INTERNAL, undefined, { type: 'unknown' }],
    [status.DEADLINE_EXCEEDED, undefined, { type: 'unknown' }],
  ])('%i means what OTLP says of it (%#)', (code, details, attempt) => {
    expect(judgeStatus({ code, metadata: withDetails(details) })).toMatchObject(attempt);
  });
});
