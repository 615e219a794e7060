// A page of metrics to be scraped.

import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Page {
  body: string;
  status?: number;
  /** Default: OpenMetrics. */
  type?: string;
}

export interface Target {
  /** host:port */
  address: string;
  url: string;
  scrapes: { path: string; headers: IncomingHttpHeaders }[];
  /** Resolves as soon as the page has been asked for so often. */
  scraped(count: number): Promise<void>;
}

export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
export const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

const open: (() => Promise<void>)[] = [];

export async function closeTargets(): Promise<void> {
  for (const close of open.splice(0)) await close();
}

/** @param page of the nth scrape, from 1; `hang`: no answer. */
export async function startTarget(page: (scrape: number) => Page | string | 'hang'): Promise<Target> {
  const waiters: { count: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    target.scrapes.push({ path: request.url!, headers: request.headers });
    const asked = target.scrapes.length;
    const answer = page(asked);
    const { body, status = 200, type = OPEN_METRICS } = typeof answer === 'string' ? { body: answer } : answer;
    if (answer !== 'hang') response.writeHead(status, { 'content-type': type }).end(body);
    for (const { count, resolve } of waiters) if (asked >= count) resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target: Target = {
    address,
    url: `http://${address}/metrics`,
    scrapes: [],
    scraped(count) {
      if (target.scrapes.length >= count) return Promise.resolve();
      return new Promise((resolve) => waiters.push({ count, resolve }));
    },
  };
  open.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return target;
}
