// The life of a Zipkin receiver: its socket, its timeouts, and a stop that loses no answer that can still be given.

import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHandler } from './handler.ts';
import type { ZipkinReceiver, ZipkinReceiverOptions } from './options.ts';

const DEFAULT_HEADERS_TIMEOUT_MS = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
/** Longer than the idle timeouts of usual load balancers: the side that closes first should be the client. */
const KEEP_ALIVE_MS = 75_000;

/** Zipkin's v2 API (zipkin-api, zipkin2-api.yaml) for reporters: `POST /api/v2/spans`, JSON and protobuf, into a log. */
export function createZipkinReceiver(options: ZipkinReceiverOptions): ZipkinReceiver {
  const handler = createHandler(options);
  const headersTimeoutMs = options.headersTimeoutMs ?? DEFAULT_HEADERS_TIMEOUT_MS;
  const requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
  const server = http.createServer({
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.max(1, Math.min(5000, headersTimeoutMs, requestTimeoutMs)),
  });
  let busy = 0;
  let onIdle: (() => void) | undefined;
  let stopped: Promise<void> | undefined;

  function serve(request: http.IncomingMessage, response: http.ServerResponse, mayContinue: boolean): void {
    busy++;
    const answered = new Promise<void>((resolve) => response.once('close', resolve));
    const handled = handler.handle(request, response, mayContinue).catch((error: unknown) => {
      // Only a callback that throws gets here. Whoever is waiting is not left waiting.
      options.logger?.error({ err: error }, 'receiver callback failed');
      response.destroy();
    });
    void Promise.all([handled, answered]).then(() => {
      busy--;
      if (busy === 0) onIdle?.();
    });
  }
  server.on('request', (request, response) => serve(request, response, false));
  server.on('checkContinue', (request, response) => serve(request, response, true));

  async function stop(deadlineMs: number): Promise<void> {
    handler.refuseAll();
    const closed = new Promise<void>((resolve) => {
      // Also called, with an error, if it never listened.
      server.close(() => resolve());
    });
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    const idle = new Promise<void>((resolve) => {
      if (busy === 0) resolve();
      else onIdle = resolve;
    });
    await Promise.race([idle, deadline]);
    clearTimeout(timer);
    server.closeAllConnections();
    await closed;
  }

  return {
    start() {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: options.host, port: options.port }, () => {
          server.off('error', reject);
          server.on('error', (error) => options.logger?.error({ err: error }, 'receiver socket failed'));
          const { address, port } = server.address() as AddressInfo;
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
