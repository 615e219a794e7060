// A process that is to end while it is still starting.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { App } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';
import { openEmbeddedLog } from '../../src/log/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'spanmill-start-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const embedded = (path: string, port: number) => `
server: { http_listen_address: 127.0.0.1, http_listen_port: ${port} }
receivers: { otlp: { http: null, grpc: null } }
log: { embedded: { path: ${path}/log, partitions: 1 } }
ledger: { path: ${path}/ledger }
`;

function start(text: string, signal: AbortSignal): Promise<App> {
  const { config, notes } = loadConfig({ text });
  const logger = createLogger('silent');
  const failed = (error: Error) => {
    throw error;
  };
  return App.start({ config, notes, logger, now: Date.now, onFailed: failed, signal });
}

describe('a start that is given up', () => {
  it('ends while shards are recovered, and leaves log, ledger and port to the next one', async () => {
    const path = directory();
    const port = await freePort();
    const abort = new AbortController();
    const starting = start(embedded(path, port), abort.signal);
    starting.catch(() => undefined);
    // As soon as the log is open; its workers take longer than that to begin.
    let reason = '';
    while (!reason.includes('ledger is being recovered'))
      reason = await fetch(`http://127.0.0.1:${port}/ready`).then(
        (response) => response.text(),
        () => '',
      );
    abort.abort();
    await expect(starting).rejects.toThrow();
    const app = await start(embedded(path, port), new AbortController().signal);
    await app.stop(5_000);
  });

  it('does not even begin when that is said before', async () => {
    const path = directory();
    await expect(start(embedded(path, await freePort()), AbortSignal.abort())).rejects.toThrow();
    // Nobody holds its log.
    const log = await openEmbeddedLog({
      path: `${path}/log`,
      partitions: 1,
      segmentBytes: 1 << 20,
      retention: { maxAgeMs: 1, maxBytes: 1 },
      now: Date.now,
    });
    await log.close();
  });

  it('ends while a broker is silent', async () => {
    const sockets: Socket[] = [];
    const asked = Promise.withResolvers<void>();
    const silent = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => asked.resolve());
    });
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve);
    });
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const { port } = silent.address() as { port: number };
    const abort = new AbortController();
    const text = `
server: { http_listen_address: 127.0.0.1, http_listen_port: ${await freePort()} }
receivers: { otlp: { http: null, grpc: null } }
log: { kind: kafka, kafka: { brokers: ["127.0.0.1:${port}"], topic: t } }
ledger: { path: ${directory()} }
`;
    const starting = start(text, abort.signal);
    await asked.promise;
    abort.abort();
    await expect(starting).rejects.toMatchObject({ code: 'log_closed' });
  });
});
