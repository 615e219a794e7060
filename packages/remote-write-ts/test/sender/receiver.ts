// A scripted receiver: a real HTTP server on a free port that answers each request with the next step of its script.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** Tells connections apart. */
  remotePort: number | undefined;
}

export type Step = (request: IncomingMessage, response: ServerResponse) => void;

export interface Receiver extends AsyncDisposable {
  url: string;
  origin: string;
  received: Received[];
  /** Resolves when the request with this index has arrived. */
  arrival(index: number): Promise<Received>;
  close(): Promise<void>;
}

/** The last step answers all further requests. */
export async function startReceiver(...script: Step[]): Promise<Receiver> {
  const received: Received[] = [];
  const waiting: { index: number; resolve: (received: Received) => void }[] = [];
  let next = 0;
  const server: Server = createServer(async (request, response) => {
    const step = script[Math.min(next++, script.length - 1)]!;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // the sender gave up
    }
    received.push({
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: Buffer.concat(chunks),
      remotePort: request.socket.remotePort,
    });
    for (const { index, resolve } of waiting) if (index < received.length) resolve(received[index]!);
    step(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    url: `${origin}/api/v1/write?tenant=a`,
    origin,
    received,
    arrival(index) {
      const there = received[index];
      if (there !== undefined) return Promise.resolve(there);
      return new Promise((resolve) => waiting.push({ index, resolve }));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

export function answer(status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): Step {
  return (_request, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

/** Never answers. */
export const hang: Step = () => {};

/** Cuts the connection without an answer. */
export const reset: Step = (request) => {
  request.socket.resetAndDestroy();
};

/** Sends the status and a part of the body, then cuts the connection. */
export function breakOff(status: number, part: string): Step {
  return (request, response) => {
    response.writeHead(status, { 'content-length': '1000' });
    response.write(part, () => request.socket.resetAndDestroy());
  };
}
