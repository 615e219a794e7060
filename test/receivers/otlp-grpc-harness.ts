// An OTLP/gRPC receiver on a free port with a log in memory, and clients of @grpc/grpc-js that send bytes as they are.

import * as http2 from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import {
  createOtlpGrpcReceiver,
  type GrpcReceivedInfo,
  type OtlpGrpcReceiver,
  type OtlpGrpcReceiverOptions,
  type RefusalReason,
} from '../../src/receivers/index.ts';
import { decodeAs } from '../otlp/split/reference.ts';
import { admission, createFakeSink, type FakeSink } from './harness.ts';

export const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export interface GrpcHarness {
  sink: FakeSink;
  receiver: OtlpGrpcReceiver;
  port: number;
  client: grpc.Client;
  told: {
    received: GrpcReceivedInfo[];
    refused: [RefusalReason, number][];
    oddIds: [number, string][];
    aborted: number;
  };
  lines: string[];
}

const running = new Set<GrpcHarness>();

export async function startGrpc(
  options: Partial<OtlpGrpcReceiverOptions> & { sink?: FakeSink; channel?: grpc.ClientOptions } = {},
): Promise<GrpcHarness> {
  const { channel, sink = createFakeSink(), ...given } = options;
  const told: GrpcHarness['told'] = { received: [], refused: [], oddIds: [], aborted: 0 };
  const lines: string[] = [];
  const line = (details: object, message: string) => void lines.push(`${message} ${JSON.stringify(details)}`);
  const receiver = createOtlpGrpcReceiver({
    host: '127.0.0.1',
    port: 0,
    admission,
    tenantOf: (headers) => headers['x-scope-orgid'] ?? 'single-tenant',
    now: () => 0,
    events: {
      received: (info) => void told.received.push(info),
      refused: (reason, code) => void told.refused.push([reason, code]),
      oddIds: (spans, tenant) => void told.oddIds.push([spans, tenant]),
      aborted: () => void told.aborted++,
    },
    logger: { warn: line, error: line },
    ...given,
    sink,
  });
  const { port } = await receiver.start();
  // Without retries of its own, and on a connection of its own.
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
    ...channel,
  });
  const harness = { sink, receiver, port, client, told, lines };
  running.add(harness);
  return harness;
}

/** For afterEach. */
export async function stopAllGrpc(): Promise<void> {
  for (const { client, receiver, sink } of running) {
    client.close();
    sink.gate = async () => {};
    await receiver.stop(0);
  }
  running.clear();
}

export const GZIP: grpc.ClientOptions = {
  'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
};

export interface Ended {
  code: grpc.status;
  details: string;
  metadata: grpc.Metadata;
  body: Buffer | undefined;
}

export const asIs = (bytes: Buffer): Buffer => bytes;

export function call(client: grpc.Client, path: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  let open!: grpc.ClientUnaryCall;
  const ended = new Promise<Ended>((resolve) => {
    open = client.makeUnaryRequest(path, asIs, asIs, Buffer.from(body), metadata, (error, answer) => {
      resolve(
        error === null
          ? { code: grpc.status.OK, details: '', metadata: new grpc.Metadata(), body: answer }
          : { code: error.code, details: error.details, metadata: error.metadata, body: undefined },
      );
    });
  });
  return { open, ended };
}

export function exportTraces(client: grpc.Client, body: Uint8Array, headers: Record<string, string> = {}) {
  return call(client, EXPORT, body, headers).ended;
}

/** `grpc-status-details-bin`, read by protobufjs. */
export function detailsOf({ metadata }: Ended) {
  const [bytes] = metadata.get('grpc-status-details-bin');
  return decodeAs('RpcStatus', bytes as Buffer) as {
    code: number;
    message: string;
    details: { type_url?: string; typeUrl?: string; value: string }[];
  };
}

export function frame(body: Uint8Array, flag = 0, declared = body.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(declared, 1);
  return Buffer.concat([head, body]);
}

export interface RawEnded {
  /** Undefined if the stream ended without one. */
  code: number | undefined;
  details: string;
}

/** A call below the library, for what no library would send. `write` gets the open stream. */
export async function rawCall(
  port: number,
  headers: http2.OutgoingHttpHeaders,
  write: (stream: http2.ClientHttp2Stream) => void,
): Promise<RawEnded> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': EXPORT,
    te: 'trailers',
    'content-type': 'application/grpc',
    ...headers,
  });
  const ended: RawEnded = { code: undefined, details: '' };
  const note = (received: http2.IncomingHttpHeaders) => {
    if (received['grpc-status'] === undefined) return;
    ended.code = Number(received['grpc-status']);
    ended.details = decodeURI(String(received['grpc-message']));
  };
  stream
    .on('response', note)
    .on('trailers', note)
    .on('error', () => {});
  stream.resume();
  write(stream);
  await new Promise<void>((resolve) => stream.once('close', () => resolve()));
  session.destroy();
  return ended;
}
