// A receiver that does what a test tells it to with each request, and remembers the bodies it read in full.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type Clock, type LoadResult, runGenerate } from '../../src/generate/index.ts';

export interface Received {
  body: Buffer;
  request: IncomingMessage;
  nowMs: number;
}

/** Answers a request whose body was read; `n` counts from 0. Returning false keeps the body out of `received`. */
export type Behaviour = (n: number, response: ServerResponse, request: IncomingMessage) => boolean;

export const accept: Behaviour = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  return true;
};
export const answer =
  (status: number, headers: Record<string, string> = {}, body = new Uint8Array(0)): Behaviour =>
  (_, response) => {
    response.writeHead(status, headers).end(body);
    return false;
  };

/** Time passes only by sleeping. */
export function fakeClock(startMs = 1_800_000_000_000): Clock & { onSleep: (nowMs: number) => Promise<void> | void } {
  let nowMs = startMs;
  const clock = {
    onSleep: (_: number): Promise<void> | void => undefined,
    nowMs: () => nowMs,
    async sleep(ms: number) {
      nowMs += ms;
      await clock.onSleep(nowMs);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  return clock;
}

export async function startReceiver(behave: Behaviour, clock: Clock, port = 0) {
  const received: Received[] = [];
  let requests = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      if (behave(requests++, response, request)) received.push({ body, request, nowMs: clock.nowMs() });
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    received,
    requests: () => requests,
    port: (server.address() as AddressInfo).port,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Runs the command and returns its exit code, what it wrote, and the JSON object if there is one. */
export async function generate(argv: string[], more: { clock?: Clock; signal?: AbortSignal } = {}) {
  let stdout = '';
  let stderr = '';
  const signal = more.signal ?? new AbortController().signal;
  const code = await runGenerate(argv, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: {},
    ...more,
    signal,
  });
  const result = stdout.startsWith('{') ? (JSON.parse(stdout) as LoadResult) : undefined;
  return { code, stdout, stderr, result: result as LoadResult };
}
