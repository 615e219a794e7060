// A receiver on a free port with a log in memory, and a plain HTTP client.

import * as http from 'node:http';
import { setTimeout as later } from 'node:timers/promises';
import type { AppendRecord, LogSink } from '../../src/log/port.ts';
import {
  createAdmission,
  createOtlpHttpReceiver,
  type OtlpHttpReceiver,
  type OtlpHttpReceiverOptions,
  type ReceivedInfo,
  type RefusalReason,
} from '../../src/receivers/index.ts';
import { decodeAs, flatten } from '../otlp/split/reference.ts';

/** For tests that bring none of their own. Its threads end by themselves. */
export const admission = createAdmission();

export interface FakeSink extends LogSink {
  readonly records: AppendRecord[];
  /** Called by each append, before it keeps the records; may throw or wait. */
  gate: () => Promise<void>;
}

export function createFakeSink(partitions = 1): FakeSink {
  const records: AppendRecord[] = [];
  const sink: FakeSink = {
    partitions,
    records,
    gate: async () => {},
    async append(batch) {
      await sink.gate();
      records.push(...batch);
    },
  };
  return sink;
}

export interface Told {
  received: ReceivedInfo[];
  refused: [RefusalReason, number][];
  oddIds: [number, string][];
  aborted: number;
}

export interface Harness {
  sink: FakeSink;
  receiver: OtlpHttpReceiver;
  port: number;
  told: Told;
  lines: string[];
  names(): unknown[];
}

const running = new Set<Harness>();

export async function startReceiver(
  options: Partial<OtlpHttpReceiverOptions> & { sink?: FakeSink } = {},
): Promise<Harness> {
  const sink = options.sink ?? createFakeSink();
  const told: Told = { received: [], refused: [], oddIds: [], aborted: 0 };
  const lines: string[] = [];
  const line = (details: object, message: string) => void lines.push(`${message} ${JSON.stringify(details)}`);
  const receiver = createOtlpHttpReceiver({
    host: '127.0.0.1',
    port: 0,
    admission,
    tenantOf: (headers) => (headers['x-scope-orgid'] as string | undefined) ?? 'single-tenant',
    now: () => 0,
    events: {
      received: (info) => void told.received.push(info),
      refused: (reason, status) => void told.refused.push([reason, status]),
      oddIds: (spans, tenant) => void told.oddIds.push([spans, tenant]),
      aborted: () => void told.aborted++,
    },
    logger: { warn: line, error: line },
    ...options,
    sink,
  });
  const { port } = await receiver.start();
  const names = () => sink.records.flatMap((record) => flatten(record.bytes).map(({ span }) => span.name));
  const harness: Harness = { sink, receiver, port, told, lines, names };
  running.add(harness);
  return harness;
}

/** For afterEach. */
export async function stopAll(): Promise<void> {
  for (const harness of running) {
    harness.sink.gate = async () => {};
    await harness.receiver.stop(0);
  }
  running.clear();
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

export interface Sent {
  method?: string;
  path?: string;
  headers?: http.OutgoingHttpHeaders;
  body?: Uint8Array | string;
  agent?: http.Agent;
}

/** An open request: the caller writes the body. */
export function open(port: number, { method = 'POST', path = '/v1/traces', headers = {}, agent }: Sent) {
  const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: agent ?? false });
  const answer = new Promise<Answer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
  });
  answer.catch(() => {});
  return { request, answer };
}

export const PROTOBUF = { 'content-type': 'application/x-protobuf' };
export const JSON_TYPE = { 'content-type': 'application/json' };

export function post(port: number, sent: Sent): Promise<Answer> {
  const { request, answer } = open(port, { headers: PROTOBUF, ...sent });
  request.end(sent.body);
  return answer;
}

/** The google.rpc.Status of an answer, by its content type. */
export function statusOf(answer: Answer): { code: number; message: string; details?: unknown[] } {
  if (answer.headers['content-type'] === 'application/json') return JSON.parse(answer.body.toString());
  if (answer.headers['content-type'] !== 'application/x-protobuf')
    throw new Error(`content type ${answer.headers['content-type']}`);
  return decodeAs('RpcStatus', answer.body) as { code: number; message: string };
}

/** Waits for something that the receiver does on its own time. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await later(1);
}
