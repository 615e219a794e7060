// A request that is not acknowledged: its gRPC status with google.rpc.Status details (OTLP specification, OTLP/gRPC Response,
// Failures and Throttling). UNAVAILABLE carries RetryInfo; RESOURCE_EXHAUSTED never does: with it, clients would send the same
// message again, which can't ever fit.

import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { ANSWERS, type Refusal, statusBody } from '../otlp-http/refusal.ts';
import { delimited, integer, message, text } from './wire.ts';

/** Encodings that a message may have. */
export const ACCEPTED_ENCODINGS = 'identity,deflate,gzip,zstd';

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';
const DETAILS_KEY = 'grpc-status-details-bin';

/** google.rpc.Code is the list of gRPC's own codes. gRPC has one of its own for an encoding it can't read (gRPC, compression). */
export function codeOf(refusal: Refusal): status {
  return refusal.reason === 'content_encoding' ? status.UNIMPLEMENTED : ANSWERS[refusal.reason].code;
}

export function statusOf(refusal: Refusal): StatusObject {
  const metadata = new Metadata();
  const code = codeOf(refusal);
  const { retryAfterSeconds } = ANSWERS[refusal.reason];
  if (retryAfterSeconds !== undefined) {
    metadata.set(DETAILS_KEY, retryBody(code, refusal.message, retryAfterSeconds));
  } else if (refusal.field !== undefined) metadata.set(DETAILS_KEY, statusBody('protobuf', refusal));
  if (refusal.reason === 'content_encoding') metadata.set('grpc-accept-encoding', ACCEPTED_ENCODINGS);
  return { code, details: refusal.message, metadata };
}

/** Status: 1 code, 2 message, 3 details (Any: 1 type_url, 2 value); RetryInfo: 1 retry_delay (Duration: 1 seconds). */
function retryBody(code: number, details: string, seconds: number): Buffer {
  const retryInfo = delimited(1, integer(1, seconds));
  return message(
    integer(1, code),
    text(2, details),
    delimited(3, message(text(1, RETRY_INFO), delimited(2, retryInfo))),
  );
}
