import * as zlib from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import * as descriptor from 'protobufjs/ext/descriptor.js';
import { afterEach, describe, expect, test } from 'vitest';
import { asIs, call, frame, GZIP, rawCall, startGrpc, stopAllGrpc } from './otlp-grpc-harness.ts';

afterEach(stopAllGrpc);

const { status } = grpc;
const CHECK = '/grpc.health.v1.Health/Check';
const WATCH = '/grpc.health.v1.Health/Watch';
const INFO = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
const TRACE_SERVICE = 'opentelemetry.proto.collector.trace.v1.TraceService';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message HealthRequest { string service = 1; }
  message HealthResponse { int32 status = 1; }
  message Ask {
    string host = 1; string file_by_filename = 3; string file_containing_symbol = 4; Ask file_containing_extension = 5;
    string all_extension_numbers_of_type = 6; optional string list_services = 7;
  }
  message Tell {
    Ask original_request = 2; Files file_descriptor_response = 4; Services list_services_response = 6; Failure error_response = 7;
  }
  message Files { repeated bytes file_descriptor_proto = 1; }
  message Services { repeated Service service = 1; }
  message Service { string name = 1; }
  message Failure { int32 error_code = 1; string error_message = 2; }
`);

function encode(type: string, value: object): Buffer {
  const found = root.lookupType(type);
  return Buffer.from(found.encode(found.create(value)).finish());
}

interface Told {
  originalRequest?: object;
  fileDescriptorResponse?: { fileDescriptorProto: Uint8Array[] };
  listServicesResponse?: { service: { name: string }[] };
  errorResponse?: { errorCode: number };
}

describe('health', () => {
  test.each(['', TRACE_SERVICE])('of a service that is there is SERVING: "%s"', async (service) => {
    const { client } = await startGrpc();
    const ended = await call(client, CHECK, encode('HealthRequest', { service })).ended;
    expect(ended).toMatchObject({ code: status.OK, body: Buffer.from([8, 1]) });
  });

  test('may be asked in gzip', async () => {
    const { client } = await startGrpc({ channel: GZIP });
    expect((await call(client, CHECK, encode('HealthRequest', { service: TRACE_SERVICE })).ended).code).toBe(status.OK);
  });

  test('of an unknown service is NOT_FOUND, and of noise INVALID_ARGUMENT', async () => {
    const { client } = await startGrpc();
    expect((await call(client, CHECK, encode('HealthRequest', { service: 'x' })).ended).code).toBe(status.NOT_FOUND);
    expect((await call(client, CHECK, Buffer.from([10, 99])).ended).code).toBe(status.INVALID_ARGUMENT);
  });

  test('is watched until the stop, which says NOT_SERVING and ends the watch', async () => {
    const { client, receiver } = await startGrpc();
    const watch = client.makeServerStreamRequest(WATCH, asIs, asIs, encode('HealthRequest', { service: '' }));
    const seen: number[][] = [];
    watch.on('data', (bytes: Buffer) => void seen.push([...bytes]));
    const first = new Promise((resolve) => watch.once('data', resolve));
    const ended = new Promise<grpc.StatusObject>((resolve) => watch.on('status', resolve));
    await first;
    await receiver.stop(60_000);
    expect((await ended).code).toBe(status.OK);
    expect(seen).toEqual([
      [8, 1],
      [8, 2],
    ]);
  });

  test('of an unknown service is watched as SERVICE_UNKNOWN', async () => {
    const { client } = await startGrpc();
    const watch = client.makeServerStreamRequest(WATCH, asIs, asIs, encode('HealthRequest', { service: 'x' }));
    watch.on('error', () => {});
    const bytes = await new Promise<Buffer>((resolve) => watch.once('data', resolve));
    expect([...bytes]).toEqual([8, 3]);
    watch.cancel();
  });

  test.each([
    ['more bytes than it could ever need', {}, frame(Buffer.alloc(100_000)), status.RESOURCE_EXHAUSTED],
    ['a length that is a lie', {}, frame(Buffer.alloc(70_000), 0, 4_000_000_000), status.RESOURCE_EXHAUSTED],
    [
      'little gzip that becomes much',
      { 'grpc-encoding': 'gzip' },
      frame(zlib.gzipSync(Buffer.alloc(10_000_000)), 1),
      status.INTERNAL,
    ],
    [
      'an encoding that is not supported',
      { 'grpc-encoding': 'deflate' },
      frame(zlib.deflateSync('x'), 1),
      status.UNIMPLEMENTED,
    ],
  ])('is not had for %s', async (_, headers, bytes, code) => {
    const { client, port } = await startGrpc();
    expect((await rawCall(port, { ':path': CHECK, ...headers }, (stream) => stream.end(bytes))).code).toBe(code);
    expect((await call(client, CHECK, Buffer.alloc(0)).ended).code).toBe(status.OK);
  });
});

describe('reflection', () => {
  async function ask(client: grpc.Client, ...questions: object[]): Promise<Told[]> {
    const talk = client.makeBidiStreamRequest(INFO, asIs, asIs);
    const answers: Told[] = [];
    const type = root.lookupType('Tell');
    talk.on('data', (bytes: Buffer) => answers.push(type.toObject(type.decode(bytes)) as Told));
    const ended = new Promise<grpc.StatusObject>((resolve) => talk.on('status', resolve));
    talk.on('error', () => {});
    for (const question of questions) talk.write(encode('Ask', question));
    talk.end();
    expect((await ended).code).toBe(status.OK);
    return answers;
  }

  test('lists the services', async () => {
    const { client } = await startGrpc();
    const [answer] = await ask(client, { host: 'h', listServices: '' });
    expect(answer!.listServicesResponse!.service.map(({ name }) => name)).toEqual([
      TRACE_SERVICE,
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
    ]);
    expect(answer!.originalRequest).toEqual({ host: 'h', listServices: '' });
  });

  test('describes each service with all that it uses, as protobufjs understands descriptors', async () => {
    const { client } = await startGrpc();
    const files = new Map<string, { name?: string; dependency?: string[] }>();
    const take = (answers: Told[]) => {
      for (const { fileDescriptorResponse } of answers) {
        for (const bytes of fileDescriptorResponse!.fileDescriptorProto) {
          const file = descriptor.FileDescriptorProto.decode(bytes) as { name?: string; dependency?: string[] };
          files.set(file.name!, file);
        }
      }
    };
    take(
      await ask(
        client,
        { fileContainingSymbol: TRACE_SERVICE },
        { fileContainingSymbol: 'grpc.health.v1.HealthCheckResponse.ServingStatus' },
        { fileContainingSymbol: 'grpc.reflection.v1.ServerReflection.ServerReflectionInfo' },
      ),
    );
    for (let missing = lacking(files); missing.length > 0; missing = lacking(files)) {
      take(await ask(client, ...missing.map((fileByFilename) => ({ fileByFilename }))));
    }
    expect(files.size).toBe(6);

    const made = protobuf.Root.fromDescriptor({ file: [...files.values()] } as never);
    made.resolveAll();
    const { requestType, responseType } = made.lookupService(TRACE_SERVICE).methods['Export']!;
    const request = made.lookupType(requestType.replace(/^\./, ''));
    expect(made.lookupType(responseType.replace(/^\./, '')).fields['partialSuccess']?.id).toBe(1);
    // A value of each kind of type, and back.
    const span = { traceId: Buffer.alloc(16, 1), name: 'n', kind: 3, status: { code: 2 }, flags: 257 };
    const attributes = [{ key: 'k', value: { arrayValue: { values: [{ boolValue: true }, { doubleValue: 0.5 }] } } }];
    const value = { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] };
    const bytes = request.encode(request.fromObject(value)).finish();
    expect(request.toObject(request.decode(bytes))).toEqual(value);
    expect([...bytes.subarray(-7)]).toContain(0x85);
    expect(made.lookupService('grpc.health.v1.Health').methods['Watch']).toMatchObject({ responseStream: true });
    const names = made.lookupEnum('opentelemetry.proto.trace.v1.Span.SpanKind').values;
    expect(names).toMatchObject({ SPAN_KIND_UNSPECIFIED: 0, SPAN_KIND_CONSUMER: 5 });
  });

  test('says what is not there, and goes on', async () => {
    const { client } = await startGrpc();
    const answers = await ask(
      client,
      { fileContainingSymbol: 'no.such.Thing' },
      { fileByFilename: 'none.proto' },
      { allExtensionNumbersOfType: 'x' },
      { host: 'h' },
      { listServices: '*' },
    );
    expect(answers.map(({ errorResponse }) => errorResponse?.errorCode)).toEqual([5, 5, 5, 3, undefined]);
  });

  test('ends a conversation that is noise, and every one at the stop', async () => {
    const { client, receiver } = await startGrpc();
    const noise = client.makeBidiStreamRequest(INFO, asIs, asIs);
    noise.on('error', () => {}).on('data', () => {});
    const ended = new Promise<grpc.StatusObject>((resolve) => noise.on('status', resolve));
    noise.write(Buffer.from([10, 99]));
    expect((await ended).code).toBe(status.INVALID_ARGUMENT);

    const open = client.makeBidiStreamRequest(INFO, asIs, asIs);
    open.on('error', () => {});
    const cut = new Promise<grpc.StatusObject>((resolve) => open.on('status', resolve));
    const answered = new Promise((resolve) => open.once('data', resolve));
    open.write(encode('Ask', { listServices: '' }));
    await answered;
    await receiver.stop(60_000);
    expect((await cut).code).toBe(status.OK);
  });
});

function lacking(files: ReadonlyMap<string, { dependency?: string[] }>): string[] {
  return [...files.values()].flatMap(({ dependency }) => dependency ?? []).filter((name) => !files.has(name));
}
