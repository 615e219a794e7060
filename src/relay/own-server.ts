// The relay's own address: is it there, and how is it going.

import { createServer } from 'node:http';
import { TEXT_FORMAT } from 'remote-write-ts';

export interface OwnServer {
  /** The real one, also where 0 was asked for. */
  port: number;
  close(): Promise<void>;
}

/** Rejects if the address can't be had. */
export async function startOwnServer(
  { host, port }: { host: string; port: number },
  metrics: () => string,
): Promise<OwnServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const reply = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type }).end(body);
    if (!isRead) reply(405, 'only GET\n');
    else if (path === '/-/ready' || path === '/-/healthy') reply(200, 'the relay runs\n');
    else if (path === '/metrics') reply(200, metrics(), TEXT_FORMAT);
    else reply(404, 'there are /-/ready, /-/healthy and /metrics\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // No host: all addresses, as in Prometheus.
    server.listen({ port, ...(host !== '' && { host }) }, resolve);
  });
  return {
    port: (server.address() as { port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
