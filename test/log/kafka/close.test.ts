// A log that is given up while it is being opened, and servers that leave it hanging: without Kafka, as nobody answers here.

import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type KafkaLogOptions, openKafkaLog } from '../../../src/log/index.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A server that takes connections, and what it then does with them. */
async function serve(onBytes: (socket: Socket) => void): Promise<{ brokers: string[]; asked: Promise<void> }> {
  const asked = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => {
      asked.resolve();
      onBytes(socket);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  return { brokers: [`127.0.0.1:${port}`], asked: asked.promise };
}

const options = (brokers: string[], more: Partial<KafkaLogOptions> = {}): KafkaLogOptions => ({
  brokers,
  topic: 't',
  encoding: 'otlp',
  isTenantId: () => true,
  start: 'earliest',
  now: Date.now,
  connectionTimeoutMs: 60_000,
  ...more,
});

describe('a Kafka log that is closed while it is being opened', () => {
  const security: [string, Partial<KafkaLogOptions>][] = [
    ['nothing is agreed', {}],
    ['TLS is being agreed', { tls: {} }],
    ['SASL is being agreed', { sasl: { mechanism: 'plain', username: 'u', password: 'p' } }],
  ];
  for (const [what, more] of security) {
    it(`says so at once, although a broker is silent while ${what}`, { timeout: 10_000 }, async () => {
      const { brokers, asked } = await serve(() => undefined);
      const abort = new AbortController();
      const opening = openKafkaLog(options(brokers, { ...more, signal: abort.signal }));
      await asked;
      abort.abort();
      await expect(opening).rejects.toMatchObject({ code: 'log_closed' });
    });
  }

  it('is not opened at all when it was given up before', async () => {
    const { brokers } = await serve(() => undefined);
    const opening = openKafkaLog(options(brokers, { signal: AbortSignal.abort() }));
    await expect(opening).rejects.toMatchObject({ code: 'log_closed' });
  });
});

describe('a server that hangs up', () => {
  for (const [what, more] of [
    ['at the first request', {}],
    ['while TLS is being agreed', { tls: {} }],
  ] as const) {
    it(`is unavailable, not waited for, ${what}`, { timeout: 20_000 }, async () => {
      const { brokers } = await serve((socket) => socket.end());
      await expect(openKafkaLog(options(brokers, more))).rejects.toMatchObject({ code: 'log_unavailable' });
    });
  }
});
