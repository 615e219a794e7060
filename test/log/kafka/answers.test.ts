// Answers put together from the pieces that a socket gives, in memory that is used again.

import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { giveBack, plainSockets, takeBuffer } from '../../../src/log/kafka/answers.ts';
import { plainSocketFactory } from '../../../src/log/kafka/kafkajs.ts';

plainSocketFactory(); // has kafkajs use them

interface Fulfilled {
  size: number;
  correlationId: number;
  payload: Buffer;
}

interface Wire {
  socket: { destroyed: boolean; destroy(error: Error): void };
  authHandlers: { onSuccess(answer: Buffer): void } | null;
  authExpectResponse: boolean;
  requestQueue: { fulfillRequest(response: Fulfilled): void };
}

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection') as {
  prototype: { processData(this: Wire, data: Buffer): void };
};

function wire() {
  const fulfilled: Fulfilled[] = [];
  const errors: string[] = [];
  const connection: Wire = {
    socket: {
      destroyed: false,
      destroy(error) {
        this.destroyed = true;
        errors.push(error.message);
      },
    },
    authHandlers: null,
    authExpectResponse: false,
    requestQueue: { fulfillRequest: (response) => fulfilled.push(response) },
  };
  /** The memory of each piece is free for something else right after. */
  const give = (piece: Buffer) => {
    const own = Buffer.from(piece);
    prototype.processData.call(connection, own);
    own.fill(0xee);
  };
  return { connection, fulfilled, errors, give };
}

function framed(correlationId: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + payload.length, 0);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, payload]);
}

test('answers are the same however a socket cuts them', () => {
  const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(payloads, fc.array(fc.nat(40), { minLength: 1, maxLength: 20 }), (answers, cuts) => {
      const { give, fulfilled } = wire();
      const bytes = Buffer.concat(answers.map((payload, i) => framed(i, payload)));
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const size = 1 + cuts[n % cuts.length]!;
        give(bytes.subarray(at, at + size));
        at += size;
      }
      expect(fulfilled.map(({ correlationId, size, payload }) => [correlationId, size, [...payload]])).toEqual(
        answers.map((payload, i) => [i, payload.length + 4, [...payload]]),
      );
    }),
  );
});

test('what comes while somebody signs in goes to the mechanism', () => {
  const { connection, give, fulfilled } = wire();
  const got: string[] = [];
  const onSuccess = (answer: Buffer) => {
    connection.authHandlers = null;
    got.push(answer.toString('latin1'));
  };
  Object.assign(connection, { authHandlers: { onSuccess }, authExpectResponse: false });
  give(Buffer.from('no frame'));
  Object.assign(connection, { authHandlers: { onSuccess }, authExpectResponse: true });
  give(Buffer.concat([framed(7, Buffer.from('in')), framed(8, Buffer.from('out'))]));
  expect(got).toEqual(['no frame', framed(7, Buffer.from('in')).toString('latin1')]);
  expect(fulfilled.map(({ correlationId }) => correlationId)).toEqual([8]);
});

test('a size that can not be ends the connection', () => {
  for (const size of [3, 0, -1]) {
    const { give, fulfilled, errors } = wire();
    const bytes = Buffer.alloc(12);
    bytes.writeInt32BE(size, 0);
    give(bytes);
    expect(errors).toEqual([`the broker announces an answer of ${size} bytes`]);
    expect(fulfilled).toEqual([]);
  }
});

test('a large answer comes into the memory of one that was given back, never of one that was not', () => {
  const first = takeBuffer(100_000);
  const second = takeBuffer(100_000);
  expect(second.buffer).not.toBe(first.buffer);
  giveBack(first);
  giveBack(first);
  giveBack(Buffer.allocUnsafeSlow(100_000));
  const third = takeBuffer(90_000);
  expect(third.buffer).toBe(first.buffer);
  expect(third.length).toBe(90_000);
  expect(takeBuffer(90_000).buffer).not.toBe(first.buffer);
});

test('a plain socket gives what was sent, and its end', async () => {
  const sent = Buffer.from(Array.from({ length: 700_000 }, (_, i) => i % 251));
  const server = createServer((socket) => socket.end(sent)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const unused = () => {
    throw new Error('not for plain sockets');
  };
  const pieces: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    const socket: Socket = plainSockets(unused)({ host: '127.0.0.1', port, ssl: null, onConnect: () => undefined });
    socket.on('data', (piece: Buffer) => pieces.push(Buffer.from(piece)));
    socket.on('error', reject).on('end', resolve);
  });
  expect(Buffer.concat(pieces).equals(sent)).toBe(true);
  server.close();
});
