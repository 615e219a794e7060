// The life of an OTLP/gRPC receiver: its socket, its services, and a stop that loses no answer that can still be given.

import * as net from 'node:net';
import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerInterceptor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { describeFiles } from './describe.ts';
import { createHealthService, HEALTH_SERVICE } from './health.ts';
import type { OtlpGrpcReceiver, OtlpGrpcReceiverOptions } from './options.ts';
import { createReflectionService, REFLECTION_SERVICE } from './reflection.ts';
import { SCHEMAS } from './schemas.ts';
import { boundSmallCalls, readSmall } from './small-calls.ts';
import { createTracesService, EXPORT_PATH } from './traces.ts';

const TRACE_SERVICE = EXPORT_PATH.slice(1, EXPORT_PATH.lastIndexOf('/'));

/** As usual servers of the field: a ping after two idle hours, and 20 s for its answer. Clients may ping as often as they like. */
const SERVER_OPTIONS = {
  'grpc.keepalive_time_ms': 7_200_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_concurrent_streams': 100,
  'grpc.enable_channelz': 0,
  // The receiver has limits of its own, which are checked first.
  'grpc.max_receive_message_length': -1,
};

/** OTLP/gRPC (OTLP specification, 1.x) for traces, into a log; with health checking and server reflection. */
export function createOtlpGrpcReceiver(options: OtlpGrpcReceiverOptions): OtlpGrpcReceiver {
  const traces = createTracesService(options);
  const services = [TRACE_SERVICE, HEALTH_SERVICE, REFLECTION_SERVICE];
  const health = createHealthService(services);
  const reflection = createReflectionService(describeFiles(SCHEMAS), services);
  // One for all: only the first interceptor gets the library's own call.
  const intercept: ServerInterceptor = (definition, call) =>
    (definition.path === EXPORT_PATH ? traces.intercept : boundSmallCalls)(definition, call);
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [intercept] });
  server.addService({ export: method(EXPORT_PATH, asSent) }, { export: traces.handle });
  server.addService(
    {
      check: method(`/${HEALTH_SERVICE}/Check`, readSmall),
      watch: { ...method(`/${HEALTH_SERVICE}/Watch`, readSmall), responseStream: true },
    },
    { check: health.check, watch: health.watch },
  );
  server.addService(
    {
      info: {
        ...method(`/${REFLECTION_SERVICE}/ServerReflectionInfo`, readSmall),
        requestStream: true,
        responseStream: true,
      },
    },
    { info: reflection.info },
  );

  // The library's own listening hides the error's code and the address, and writes to the console.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<net.Socket>();
  const listener = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  let stopped: Promise<void> | undefined;

  async function stop(deadlineMs: number): Promise<void> {
    traces.refuseAll();
    health.stop();
    reflection.stop();
    const closed = new Promise<void>((resolve) => {
      // Called when the last connection is gone; also, with an error, if it never listened.
      listener.close(() => resolve());
    });
    // Says GOAWAY on every connection, and closes each when its last call has ended. Its callback does not wait for that.
    server.tryShutdown(() => {});
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([closed, deadline]);
    clearTimeout(timer);
    // A call that is cut without an answer looks like an internal error to its client, which then gives its spans up.
    traces.cutAll();
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, LAST_ANSWERS_MS))]);
    server.forceShutdown();
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  return {
    start() {
      return new Promise((resolve, reject) => {
        listener.once('error', reject);
        listener.listen({ host: options.host, port: options.port }, () => {
          listener.off('error', reject);
          listener.on('error', (error) => options.logger?.error({ err: error }, 'receiver socket failed'));
          const { address, port } = listener.address() as net.AddressInfo;
          resolve({ address, port });
        });
      });
    },
    stop(deadlineMs) {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
  };
}

/** For answers at the deadline to leave the process. */
const LAST_ANSWERS_MS = 100;

const asSent = (bytes: Buffer): Buffer => bytes;

/** A unary method whose messages stay bytes. */
function method(
  path: string,
  read: (bytes: Buffer) => Buffer,
): MethodDefinition<Buffer, Buffer> & ServiceDefinition[string] {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asSent,
    requestDeserialize: read,
    responseSerialize: asSent,
    responseDeserialize: asSent,
  };
}
