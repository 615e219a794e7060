// The HTTP/2 stream under a call of @grpc/grpc-js. The library buffers a message and decompresses it before any hook of its own sees
// a byte, limited per message only: a hundred small, well-compressed messages at once would take gigabytes. So this file, and no
// other, reaches for two fields that the library keeps to itself; its version is pinned, and a call without them is refused.

import type { ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** A frame before each message: 1 byte "is compressed", 4 bytes length, big-endian (gRPC over HTTP/2, Length-Prefixed-Message). */
export const FRAME_BYTES = 5;

interface Internals {
  stream: ServerHttp2Stream;
  incomingEncoding: string;
}

export interface RawCall {
  stream: ServerHttp2Stream;
  /** The value of `grpc-encoding`. */
  encoding: string;
}

/** Takes decompression away from the library: from now on the call's messages come as they were sent. */
export function takeRawCall(call: ServerInterceptingCallInterface): RawCall {
  const internals = call as unknown as Partial<Internals>;
  const { stream, incomingEncoding } = internals;
  if (typeof stream?.prependListener !== 'function' || typeof incomingEncoding !== 'string') {
    throw new TypeError('this version of @grpc/grpc-js is not the one that the receiver was written for');
  }
  internals.incomingEncoding = 'identity';
  return { stream, encoding: incomingEncoding };
}

export interface FrameListener {
  /** Bytes that the library now holds for the first message of the call. */
  onBytes(sizeBytes: number): void;
  /** The head of the first message. */
  onHead(isCompressed: boolean, sizeBytes: number): void;
}

/** Hears of every chunk before the library does, without making the stream flow. */
export function listenToFrames(stream: ServerHttp2Stream, listener: FrameListener): void {
  const head = Buffer.alloc(FRAME_BYTES);
  let received = 0;
  stream.prependListener('data', (chunk: Buffer) => {
    if (received < FRAME_BYTES) {
      chunk.copy(head, received, 0, FRAME_BYTES - received);
      received += chunk.length;
      if (received >= FRAME_BYTES) listener.onHead(head[0] === 1, head.readUInt32BE(1));
    }
    listener.onBytes(chunk.length);
  });
}
