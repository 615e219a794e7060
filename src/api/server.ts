// The life of the API server: its socket, its timeouts, a start that fails in words, and a stop that cuts no answer short before
// its deadline.

import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ApiServer, ApiServerOptions } from './options.ts';
import { send, text } from './reply.ts';
import { type Handler, pathOf, route } from './router.ts';
import { apiRoutes, PROBES } from './routes.ts';

const DEFAULT_HEADERS_TIMEOUT_MS = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** A connection on which nothing has moved for this long is cut: a client that doesn't read holds a whole exposition in memory. */
const IDLE_TIMEOUT_MS = 60_000;
/** Requests that are answered at the same time; an exposition may be large. */
const MAX_BUSY = 64;

const tooBusy: Handler = () => text(503, 'too many requests at the same time', { 'Retry-After': '1' });

/** Tempo-compatible health and info paths, span metrics, own metrics and the status page. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const routes = apiRoutes(options);
  const headersTimeout = options.headersTimeoutMs ?? DEFAULT_HEADERS_TIMEOUT_MS;
  const requestTimeout = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
  const server = http.createServer({
    headersTimeout: Math.min(headersTimeout, requestTimeout),
    requestTimeout,
    connectionsCheckingInterval: Math.max(1, Math.min(5_000, headersTimeout, requestTimeout)),
  });
  server.timeout = IDLE_TIMEOUT_MS;
  let busy = 0;
  let onIdle: (() => void) | undefined;
  let stopped: Promise<void> | undefined;

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    try {
      const isRefused = busy > MAX_BUSY && !PROBES.includes(pathOf(request.url ?? ''));
      const handler = isRefused ? tooBusy : route(routes, request);
      await send(request, response, await handler(request));
    } catch (error) {
      options.logger.error(
        { err: error, method: request.method, path: request.url?.slice(0, 200) },
        'a request failed',
      );
      if (response.headersSent) response.destroy();
      else await send(request, response, text(500, 'internal error: the log says more'));
    }
  }

  server.on('request', (request, response) => {
    busy++;
    response.on('error', () => undefined);
    if (stopped) response.setHeader('Connection', 'close');
    response.once('close', () => {
      busy--;
      if (busy === 0) onIdle?.();
    });
    void answer(request, response);
  });

  async function stop(deadlineMs: number): Promise<void> {
    // Also called, with an error, if it never listened.
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => {
        if (busy === 0) resolve();
        else onIdle = resolve;
      }),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, deadlineMs);
      }),
    ]);
    clearTimeout(timer);
    server.closeAllConnections();
    await closed;
  }

  return {
    start() {
      return new Promise((resolve, reject) => {
        const { host, port } = options;
        const fail = (error: NodeJS.ErrnoException) => reject(startError(error, host, port));
        server.once('error', fail);
        server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
          server.off('error', fail);
          server.on('error', (error) => options.logger.error({ err: error }, 'API socket failed'));
          const bound = server.address() as AddressInfo;
          resolve({ address: bound.address, port: bound.port });
        });
      });
    },
    stop(deadlineMs) {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
  };
}

function startError(cause: NodeJS.ErrnoException, host: string, port: number): Error {
  const at = `port ${port} on ${host === '' ? 'all addresses' : host}`;
  const messages: Record<string, string> = {
    EADDRINUSE: `${at} is taken (server.http_listen_port)`,
    EACCES: `${at} needs more rights than this process has (server.http_listen_port)`,
    EADDRNOTAVAIL: `${host} is no address of this machine (server.http_listen_address)`,
    ENOTFOUND: `${host} can not be resolved (server.http_listen_address)`,
  };
  const message = messages[cause.code ?? ''] ?? `can not listen on ${at}: ${cause.message}`;
  return Object.assign(new Error(message, { cause }), { code: cause.code });
}
