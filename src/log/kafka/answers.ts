// Brokers' answers as they come off a socket. The bytes of a fetch are most of what goes through a process: each is written once, into one
// buffer per answer, and large buffers are used again. Memory of its own for each piece, as Node and kafkajs make it, is outside of the
// heap, and V8 goes through all of that heap each time some 32 MB of such have come together.

import { createRequire } from 'node:module';
import net, { type Socket } from 'node:net';
import type { SocketFactory } from './kafkajs.ts';

const SIZE_BYTES = 4;
const CORRELATION_BYTES = 4;
const READ_BYTES = 256 * 1024;
const KEEP_ALIVE_MS = 60_000;
/** Smaller answers are left to the garbage collector. */
const LEAST_KEPT_BYTES = 64 * 1024;
const MOST_KEPT_BYTES = 32 * 1024 * 1024;

/** Large buffers that wait for an answer. */
const kept: ArrayBuffer[] = [];
let keptBytes = 0;
/** Those that an answer is in: whatever else is given back was never taken. */
const taken = new WeakSet<ArrayBufferLike>();

/** Memory for `size` bytes that holds anything. */
export function takeBuffer(size: number): Buffer {
  if (size < LEAST_KEPT_BYTES) return Buffer.allocUnsafeSlow(size);
  const at = kept.findIndex((buffer) => buffer.byteLength >= size && buffer.byteLength <= 8 * size);
  let buffer: ArrayBuffer;
  if (at < 0) buffer = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size))).buffer;
  else {
    buffer = kept.splice(at, 1)[0]!;
    keptBytes -= buffer.byteLength;
  }
  taken.add(buffer);
  return Buffer.from(buffer, 0, size);
}

/** Nobody has a view of it any more: the next answer may be written over it. Nothing happens to what isn't from `takeBuffer`. */
export function giveBack({ buffer }: Buffer): void {
  if (!taken.delete(buffer) || keptBytes + buffer.byteLength > MOST_KEPT_BYTES) return;
  keptBytes += buffer.byteLength;
  kept.push(buffer as ArrayBuffer);
}

/** An answer that has begun: its first bytes, and from the size on its own buffer. */
interface Begun {
  size: Buffer;
  sizeKnown: number;
  answer: Buffer | undefined;
  filled: number;
}

interface WireConnection {
  socket: Socket;
  authHandlers: { onSuccess(answer: Buffer): void } | null;
  authExpectResponse: boolean;
  requestQueue: { fulfillRequest(response: { size: number; correlationId: number; payload: Buffer }): void };
  processData(data: Buffer): void;
}

/** Has kafkajs put answers together here. `data` is good only until the call returns. */
export function assembleAnswers(): void {
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/connection') as {
    prototype: WireConnection;
  };
  const begun = new WeakMap<Socket, Begun>();
  prototype.processData = function processData(this: WireConnection, data: Buffer): void {
    // Without a frame; the mechanism knows what it is.
    if (this.authHandlers && !this.authExpectResponse) {
      this.authHandlers.onSuccess(Buffer.from(data));
      return;
    }
    const { socket } = this;
    let state = begun.get(socket);
    if (state === undefined) {
      state = { size: Buffer.alloc(SIZE_BYTES), sizeKnown: 0, answer: undefined, filled: 0 };
      begun.set(socket, state);
    }
    for (let at = 0; at < data.length && !socket.destroyed; ) {
      at += take(state, data, at, socket);
      const { answer } = state;
      if (answer === undefined || state.filled < answer.length) continue;
      state.answer = undefined;
      state.sizeKnown = 0;
      if (this.authHandlers) this.authHandlers.onSuccess(answer);
      else {
        this.requestQueue.fulfillRequest({
          size: answer.length - SIZE_BYTES,
          correlationId: answer.readInt32BE(SIZE_BYTES),
          payload: answer.subarray(SIZE_BYTES + CORRELATION_BYTES),
        });
      }
    }
  };
}

/** How many bytes from `at` on it took. */
function take(state: Begun, data: Buffer, at: number, socket: Socket): number {
  if (state.answer === undefined) {
    const count = data.copy(state.size, state.sizeKnown, at, at + SIZE_BYTES - state.sizeKnown);
    state.sizeKnown += count;
    if (state.sizeKnown < SIZE_BYTES) return count;
    const size = state.size.readInt32BE(0);
    if (size < CORRELATION_BYTES) {
      socket.destroy(new Error(`the broker announces an answer of ${size} bytes`));
      return count;
    }
    state.answer = takeBuffer(SIZE_BYTES + size);
    state.filled = state.size.copy(state.answer);
    return count;
  }
  const count = data.copy(state.answer, state.filled, at);
  state.filled += count;
  return count;
}

/** Sockets that read into one buffer: what their `data` events give is overwritten by the next. TLS has memory of its own. */
export function plainSockets(others: SocketFactory): SocketFactory {
  return (target) => {
    if (target.ssl) return others(target);
    const { host, port, onConnect } = target;
    const callback = (count: number, buffer: Uint8Array) => socket.emit('data', buffer.subarray(0, count));
    const socket: Socket = net.connect(
      { host, port, onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback } },
      onConnect,
    );
    return socket.setKeepAlive(true, KEEP_ALIVE_MS);
  };
}
