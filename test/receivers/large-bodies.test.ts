// What clients see of bodies that a worker decodes, and what everybody else sees meanwhile.

import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as zlib from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { transcodeRequestObject } from '../../src/otlp/json/index.ts';
import { ReceiverSet } from '../../src/receiver-set.ts';
import {
  type Admission,
  type AdmissionOptions,
  createAdmission,
  createZipkinReceiver,
} from '../../src/receivers/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { exitingWorker, fillingWorker, HeldWorkers, missingWorker, realWorker } from './admission-threads.ts';
import { createFakeSink, JSON_TYPE, open, PROTOBUF, post, startReceiver, statusOf, stopAll, until } from './harness.ts';
import { call, detailsOf, EXPORT, exportTraces, startGrpc, stopAllGrpc } from './otlp-grpc-harness.ts';

const admissions = new Set<Admission>();

/** Every body goes to a worker. */
function admitIn(startWorker: () => ReturnType<typeof realWorker>, options: AdmissionOptions = {}): Admission {
  const admission = createAdmission({ mainThreadBytes: -1, startWorker, ...options });
  admissions.add(admission);
  return admission;
}

afterEach(async () => {
  for (const admission of admissions) admission.stop();
  admissions.clear();
  await stopAll();
  await stopAllGrpc();
});

const span = (name: string) => ({ traceId: 'ab'.repeat(16), spanId: '01'.repeat(8), name });
const objectOf = (...names: string[]) => ({ resourceSpans: [{ scopeSpans: [{ spans: names.map(span) }] }] });
const bodyOf = (...names: string[]) => transcodeRequestObject(objectOf(...names));

describe('while a body of 20 MB is decoded', () => {
  test('every other request is answered: of the same receiver, and of another server', async () => {
    const workers = new HeldWorkers();
    const admission = createAdmission({ startWorker: workers.start });
    admissions.add(admission);
    const { port, told } = await startReceiver({ admission });
    const ready = http.createServer((_, response) => response.end('ready'));
    await new Promise<void>((resolve) => ready.listen(0, '127.0.0.1', resolve));
    const order: string[] = [];
    const zeros = '0,'.repeat(10_000_000);
    const body = Buffer.from(`{"x":[${zeros}0],"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}`);
    const large = post(port, { headers: JSON_TYPE, body }).then((answer) => void order.push(`large ${answer.status}`));
    await until(() => workers.started === 1);
    const small = await post(port, { body: bodyOf('small') });
    order.push(`small ${small.status}`);
    const { port: readyPort } = ready.address() as AddressInfo;
    order.push(`ready ${(await post(readyPort, { method: 'GET', path: '/ready' })).status}`);
    workers.release();
    await large;
    ready.close();
    expect(order).toEqual(['small 200', 'ready 200', 'large 200']);
    expect(told.received.map(({ bodyBytes }) => bodyBytes)).toEqual([bodyOf('small').length, body.length]);
  });
});

describe('an answer does not tell where the body was decoded', () => {
  const cases: [string, http.OutgoingHttpHeaders, Uint8Array | string][] = [
    ['good JSON', JSON_TYPE, JSON.stringify(objectOf('a'))],
    ['bad JSON', JSON_TYPE, '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x"}]}]}]}'],
    ['no JSON', JSON_TYPE, '{"resourceSpans":'],
    ['good protobuf', PROTOBUF, bodyOf('a')],
    ['bad protobuf', PROTOBUF, bodyOf('a').subarray(0, -1)],
    ['compressed', { ...PROTOBUF, 'content-encoding': 'gzip' }, zlib.gzipSync(bodyOf('a'))],
    ['no spans', JSON_TYPE, '{}'],
  ];
  test.each(cases)('%s', async (_, headers, body) => {
    const seen = await Promise.all(
      [createAdmission({ mainThreadBytes: Infinity }), admitIn(realWorker)].map(async (admission) => {
        const { port, told, sink } = await startReceiver({ admission });
        const answer = await post(port, { headers, body });
        const { date: _date, ...rest } = answer.headers;
        const records = sink.records.map((record) => ({ ...record, bytes: Buffer.from(record.bytes) }));
        return { status: answer.status, headers: rest, body: answer.body, told, records };
      }),
    );
    expect(seen[1]).toEqual(seen[0]);
  });

  test('over gRPC either', async () => {
    for (const admission of [createAdmission({ mainThreadBytes: Infinity }), admitIn(realWorker)]) {
      const { client, sink, told } = await startGrpc({ admission });
      expect((await exportTraces(client, bodyOf('a', 'b'))).code).toBe(status.OK);
      expect(Buffer.from(sink.records[0]!.bytes)).toEqual(Buffer.from(bodyOf('a', 'b')));
      expect(told.received).toMatchObject([{ wireBytes: bodyOf('a', 'b').length, bodyBytes: bodyOf('a', 'b').length }]);
      const bad = await exportTraces(client, bodyOf('a').subarray(0, -1));
      expect(bad.code).toBe(status.INVALID_ARGUMENT);
      expect(detailsOf(bad).message).toMatch(/^ExportTraceServiceRequest.resource_spans: \d+ bytes cut off at byte 1$/);
    }
  });

  test('nor of Zipkin', async () => {
    const sink = createFakeSink();
    const receiver = createZipkinReceiver({
      host: '127.0.0.1',
      port: 0,
      sink,
      admission: admitIn(realWorker),
      tenantOf: () => 't',
      now: () => 0,
    });
    const { port } = await receiver.start();
    const send = (body: string) => post(port, { path: '/api/v2/spans', headers: JSON_TYPE, body });
    expect(await send('[{"traceId":"1","id":"2"}]')).toMatchObject({ status: 202 });
    const bad = await send('[{"traceId":"1"}]');
    expect([bad.status, bad.body.toString()]).toEqual([400, 'zipkin_json: [0].id: missing']);
    expect(sink.records).toHaveLength(1);
    await receiver.stop(0);
  });
});

describe('a worker that ends', () => {
  /** The first is the one that ends; the one that replaces it does its work. */
  const thenReal = (first: () => ReturnType<typeof realWorker>) => {
    let started = 0;
    return () => (started++ === 0 ? first() : realWorker());
  };

  test.each([
    ['by itself', () => exitingWorker(3)],
    ['without an error', () => exitingWorker(0)],
    ['before it began', missingWorker],
  ])('%s costs its own request a try, and no other request anything', async (_, first) => {
    const { port, told, names, lines } = await startReceiver({ admission: admitIn(thenReal(first)) });
    const answers = await Promise.all(['first', 'second', 'third'].map((name) => post(port, { body: bodyOf(name) })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 200, 503]);
    const lost = answers.find((answer) => answer.status === 503)!;
    expect(statusOf(lost)).toMatchObject({ code: 14, message: 'the thread that read the body has ended' });
    expect(lost.headers['retry-after']).toBe('1');
    expect(told.refused).toEqual([['worker_lost', 503]]);
    expect(names()).toHaveLength(2);
    expect(lines).toHaveLength(1);
  });

  test('as its memory was not enough is not asked for again: the client is told to give the body up', async () => {
    const { port, told, names } = await startReceiver({ admission: admitIn(thenReal(fillingWorker)) });
    const answers = await Promise.all(['first', 'second'].map((name) => post(port, { body: bodyOf(name) })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 413]);
    const refused = answers.find((answer) => answer.status === 413)!;
    expect(statusOf(refused)).toMatchObject({ code: 8 });
    expect(refused.headers['retry-after']).toBeUndefined();
    expect(told.refused).toEqual([['too_complex', 413]]);
    expect(names()).toHaveLength(1);
  });

  test('over gRPC is UNAVAILABLE, or RESOURCE_EXHAUSTED without a word of trying again', async () => {
    for (const [first, code, reason] of [
      [() => exitingWorker(1), status.UNAVAILABLE, 'worker_lost'],
      [fillingWorker, status.RESOURCE_EXHAUSTED, 'too_complex'],
    ] as const) {
      const { client, told } = await startGrpc({ admission: admitIn(thenReal(first)) });
      const ended = await exportTraces(client, bodyOf('a'));
      expect(ended.code).toBe(code);
      expect(ended.metadata.get('grpc-status-details-bin')).toHaveLength(code === status.UNAVAILABLE ? 1 : 0);
      expect(told.refused).toEqual([[reason, code]]);
      expect((await exportTraces(client, bodyOf('b'))).code).toBe(status.OK);
    }
  });
});

describe('bodies that wait', () => {
  test('count as in flight until they are answered', async () => {
    const workers = new HeldWorkers();
    const size = bodyOf('a').length;
    const { port, told } = await startReceiver({ admission: admitIn(workers.start), maxInFlightBytes: 2 * size + 10 });
    const answers = ['a', 'b', 'c'].map((name) => post(port, { body: bodyOf(name) }));
    await until(() => told.refused.length === 1);
    expect(told.refused).toEqual([['overloaded', 503]]);
    workers.release();
    expect((await Promise.all(answers)).map(({ status }) => status).sort()).toEqual([200, 200, 503]);
    expect((await post(port, { body: bodyOf('c') })).status).toBe(200);
  });

  test('are not decoded for a client that has gone, and count as aborted', async () => {
    const workers = new HeldWorkers();
    const { port, told, names } = await startReceiver({ admission: admitIn(workers.start) });
    const first = post(port, { body: bodyOf('first') });
    await until(() => workers.started === 1);
    const { request } = open(port, { headers: PROTOBUF });
    request.end(bodyOf('gone'));
    // On a connection of its own, and behind it.
    const last = post(port, { body: bodyOf('last') });
    await new Promise((resolve) => request.once('finish', resolve));
    request.destroy();
    await new Promise((resolve) => request.once('close', resolve));
    await post(port, { body: '', headers: { 'content-type': 'text/plain' } });
    workers.release();
    expect([(await first).status, (await last).status]).toEqual([200, 200]);
    await until(() => told.aborted === 1);
    expect(names()).toEqual(['first', 'last']);
  });

  test('over gRPC are held until their turn though the client has gone, and let go then', async () => {
    const workers = new HeldWorkers();
    const body = bodyOf('x'.repeat(1_000));
    const limit = 2 * body.length + 100;
    const { client, told, sink } = await startGrpc({ admission: admitIn(workers.start), maxInFlightBytes: limit });
    const first = call(client, EXPORT, body);
    await until(() => workers.started === 1);
    const gone = call(client, EXPORT, body);
    // On the same connection, behind it: there is no room left.
    expect((await exportTraces(client, body)).code).toBe(status.UNAVAILABLE);
    gone.open.cancel();
    expect((await gone.ended).code).toBe(status.CANCELLED);
    // Three exchanges on its connection later, the receiver knows.
    for (let i = 0; i < 3; i++) expect((await exportTraces(client, body)).code).toBe(status.UNAVAILABLE);
    workers.release();
    expect((await first.ended).code).toBe(status.OK);
    await until(() => told.aborted === 1);
    const both = await Promise.all([exportTraces(client, body), exportTraces(client, body)]);
    expect(both.map(({ code }) => code)).toEqual([status.OK, status.OK]);
    expect(sink.records).toHaveLength(3);
  });
});

describe('a stop', () => {
  const { config } = loadConfig({ text: '', expandEnv: false, env: {} });
  const { http: otlpHttp, grpc } = config.receivers.otlp;

  async function startSet(workers: HeldWorkers) {
    const sink = createFakeSink();
    const refused: string[] = [];
    const set = new ReceiverSet({
      config: {
        ...config,
        receivers: {
          ...config.receivers,
          otlp: { http: { ...otlpHttp!, endpoint: '127.0.0.1:0' }, grpc: { ...grpc!, endpoint: '127.0.0.1:0' } },
        },
      },
      sink,
      tenantOf: () => 't',
      events: { refused: (reason) => void refused.push(reason) },
      logger: createLogger('error'),
      now: () => 0,
      admission: admitIn(workers.start),
    });
    await set.start();
    const port = Number(set.addressOf('OTLP/HTTP')!.split(':').at(-1));
    return { set, sink, port, refused };
  }

  test('waits for a body that is being decoded, and for its append', async () => {
    const workers = new HeldWorkers();
    const { set, sink, port } = await startSet(workers);
    const answer = post(port, { body: bodyOf('a') });
    await until(() => workers.started === 1);
    const stopped = set.stop(60_000);
    workers.release();
    expect((await answer).status).toBe(200);
    await stopped;
    expect(sink.records).toHaveLength(1);
  });

  test('answers what could not be decoded in time with 503, and appends nothing of it', async () => {
    const workers = new HeldWorkers();
    const { set, sink, port, refused } = await startSet(workers);
    const answers = [post(port, { body: bodyOf('a') }), post(port, { body: bodyOf('b') })];
    await until(() => workers.started === 1);
    await set.stop(3_000);
    for (const answer of await Promise.all(answers)) {
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBe('5');
    }
    expect(refused).toEqual(['stopping', 'stopping']);
    expect(sink.records).toEqual([]);
    await until(() => workers.exited === 1);
  });
});
