// Keeps the calls of the small services small: neither health nor reflection has a reason to be sent much.

import { constants } from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { takeRawCall } from './raw-call.ts';

/** Of one call in all, frames included, and of one message after decompression. */
const MAX_CALL_BYTES = 64 * 1024;

export const boundSmallCalls: ServerInterceptor = (_method, call) => {
  const { stream, encoding } = takeRawCall(call);
  let received = 0;
  const refuse = (code: status, details: string) => {
    call.sendStatus({ code, details, metadata: null });
    setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
  };
  stream.prependListener('data', (chunk: Buffer) => {
    const wasSmall = received <= MAX_CALL_BYTES;
    received += chunk.length;
    if (wasSmall && received > MAX_CALL_BYTES) {
      refuse(status.RESOURCE_EXHAUSTED, `the call sent more than ${MAX_CALL_BYTES} bytes`);
    }
  });
  if (encoding !== 'identity' && encoding !== 'gzip') {
    process.nextTick(refuse, status.UNIMPLEMENTED, 'unsupported grpc-encoding, supported here: identity,gzip');
  }
  return new ServerInterceptingCall(call);
};

/** Whether a message is compressed shows in its first byte: 0x1f would be a field of wire type 7, which does not exist. */
export function readSmall(bytes: Buffer): Buffer {
  return bytes[0] === 0x1f ? gunzipSync(bytes, { maxOutputLength: MAX_CALL_BYTES }) : bytes;
}
