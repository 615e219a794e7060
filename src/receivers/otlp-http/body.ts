// Reads a request's body, decompressing it on the way. Must never hold more than the limit, however much is sent or however
// well it was compressed, and must leave the connection able to carry an answer when it gives up.

import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { Compression } from './options.ts';
import { Refusal } from './refusal.ts';

/** The client went away before its body was complete. There is nobody to answer. */
export class BodyAborted extends Error {}

export interface Body {
  bytes: Uint8Array;
  wireBytes: number;
}

/**
 * `onBytes` hears of every chunk that is now held, and may throw a Refusal.
 * @throws Refusal `too_large`, `bad_encoding`, or what `onBytes` throws; BodyAborted
 */
export function readBody(
  request: IncomingMessage,
  compression: Compression,
  maxBytes: number,
  onBytes: (size: number) => void,
): Promise<Body> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let wireBytes = 0;
    let bodyBytes = 0;
    let decoder: Transform | undefined;
    let decoded = false;
    let received = false;

    const settle = () => {
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      decoder?.off('data', take).off('end', onDecoded);
      decoder?.destroy();
    };
    const fail = (error: Error) => {
      settle();
      // What is still to come is thrown away unseen, so that the answer is not lost in a reset of the connection.
      request.resume();
      reject(error);
    };
    const tooLarge = () => new Refusal('too_large', `the body is larger than ${maxBytes} bytes`);
    const finish = () => {
      settle();
      resolve({ bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bodyBytes), wireBytes });
    };
    const take = (chunk: Buffer) => {
      bodyBytes += chunk.length;
      if (bodyBytes > maxBytes) return fail(tooLarge());
      try {
        onBytes(chunk.length);
      } catch (error) {
        return fail(error as Error);
      }
      chunks.push(chunk);
    };
    const onData = (chunk: Buffer) => {
      wireBytes += chunk.length;
      // Also a limit for streams that decompress to nothing, for ever.
      if (wireBytes > maxBytes) return fail(tooLarge());
      if (compression === 'identity') return take(chunk);
      if (chunk.length === 0) return;
      if (decoded) return fail(trailing(compression));
      if (decoder === undefined) {
        decoder = createDecoder(compression, chunk[0]!, maxBytes);
        decoder.on('data', take).on('end', onDecoded);
        // Kept for good: a decoder that is destroyed in the middle of its work may still have an error to tell.
        decoder.on('error', (error: Error) => {
          fail(
            new Refusal('bad_encoding', `the ${compression} data can't be decompressed: ${error.message}`, {
              cause: error,
            }),
          );
        });
      }
      if (!decoder.write(chunk)) {
        request.pause();
        decoder.once('drain', () => request.resume());
      }
    };
    const finishIfWhole = () => {
      // A decoder stops at the end of its stream or frame. What follows would be lost without a word: refuse it.
      if (decoder !== undefined && (decoder as unknown as zlib.Gzip).bytesWritten < wireBytes)
        return fail(trailing(compression));
      finish();
    };
    const onDecoded = () => {
      decoded = true;
      if (received) finishIfWhole();
    };
    const onEnd = () => {
      received = true;
      if (decoder === undefined) finish();
      else if (decoded) finishIfWhole();
      else decoder.end();
    };
    const onGone = () => {
      if (!received) fail(new BodyAborted('the client went away'));
    };
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

function trailing(compression: Compression): Refusal {
  return new Refusal('bad_encoding', `there are bytes after the end of the ${compression} data`);
}

const CHUNK_BYTES = 64 * 1024;

function createDecoder(compression: Compression, firstByte: number, maxBytes: number): Transform {
  switch (compression) {
    case 'gzip':
      return zlib.createGunzip({ chunkSize: CHUNK_BYTES });
    case 'zstd': {
      // A window larger than any body we take needs more memory than it can be worth; RFC 8878 asks for 8 MiB at least.
      const windowLog = Math.min(27, Math.max(23, Math.ceil(Math.log2(maxBytes))));
      return zlib.createZstdDecompress({
        chunkSize: CHUNK_BYTES,
        params: { [zlib.constants.ZSTD_d_windowLogMax]: windowLog },
      });
    }
    default:
      // "deflate" is the zlib format (RFC 9110, 8.4.1.2), but some send it without the wrapper. CM = 8 tells them apart: no
      // encoder begins raw data with a stored block whose padding is not zero.
      return (firstByte & 15) === 8
        ? zlib.createInflate({ chunkSize: CHUNK_BYTES })
        : zlib.createInflateRaw({ chunkSize: CHUNK_BYTES });
  }
}
