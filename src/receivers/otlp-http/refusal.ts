// A request that is not acknowledged: its HTTP status, and the google.rpc.Status that is its body, in the request's own format
// (OTLP specification, OTLP/HTTP Response, Failures).

import { LogError } from '../../log/index.ts';
import type { RefusalReason } from './options.ts';

export type Format = 'protobuf' | 'json';

export const CONTENT_TYPES: Record<Format, string> = { protobuf: 'application/x-protobuf', json: 'application/json' };

interface Answer {
  status: number;
  /** google.rpc.Code */
  code: number;
  /** For `Retry-After`: clients try again only after 429, 502, 503 and 504. */
  retryAfterSeconds?: number;
}

/** One table of everything that can be wrong. */
export const ANSWERS: Record<RefusalReason, Answer> = {
  not_found: { status: 404, code: 5 },
  method: { status: 405, code: 12 },
  content_type: { status: 415, code: 3 },
  content_encoding: { status: 415, code: 3 },
  no_tenant: { status: 401, code: 16 },
  bad_tenant: { status: 400, code: 3 },
  too_large: { status: 413, code: 8 },
  bad_encoding: { status: 400, code: 3 },
  bad_json: { status: 400, code: 3 },
  bad_protobuf: { status: 400, code: 3 },
  // Not to be sent again: it would end the same way, and take as long.
  too_complex: { status: 413, code: 8 },
  overloaded: { status: 503, code: 14, retryAfterSeconds: 1 },
  worker_lost: { status: 503, code: 14, retryAfterSeconds: 1 },
  stopping: { status: 503, code: 14, retryAfterSeconds: 5 },
  disk_full: { status: 503, code: 14, retryAfterSeconds: 5 },
  log_unavailable: { status: 503, code: 14, retryAfterSeconds: 5 },
  log_incompatible: { status: 400, code: 9 },
  log_closed: { status: 503, code: 14, retryAfterSeconds: 5 },
  internal: { status: 500, code: 13 },
};

export class Refusal extends Error {
  readonly reason: RefusalReason;
  /** The field that was wrong, for the details of a 400. */
  readonly field: string | undefined;
  constructor(reason: RefusalReason, message: string, options?: { field?: string; cause?: unknown }) {
    super(message, options);
    this.name = 'Refusal';
    this.reason = reason;
    this.field = options?.field;
  }
}

/** What a failed append tells the client; an error that isn't the log's own comes back as it is. */
export function appendRefusal(error: unknown): unknown {
  if (!(error instanceof LogError)) return error;
  switch (error.code) {
    case 'disk_full':
      return new Refusal('disk_full', 'the log has no room', { cause: error });
    case 'log_closed':
      return new Refusal('log_closed', 'the log is closed', { cause: error });
    case 'log_unavailable':
      return new Refusal('log_unavailable', 'the log is out of reach', { cause: error });
    case 'log_incompatible':
      return new Refusal('log_incompatible', `nothing can be taken in here: ${error.message}`, { cause: error });
    case 'record_too_large':
      return new Refusal('too_large', 'the spans make a record that is too large for the log', { cause: error });
    default:
      return error;
  }
}

const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';

/**
 * The body of an answer. `Status.details` has a BadRequest if a field is to blame.
 * Status: 1 code int32, 2 message string, 3 details repeated Any; Any: 1 type_url, 2 value; BadRequest: 1 field_violations;
 * FieldViolation: 1 field, 2 description.
 */
export function statusBody(format: Format, refusal: Refusal): Buffer {
  const { code } = ANSWERS[refusal.reason];
  const { message, field } = refusal;
  if (format === 'json') {
    const details = [{ '@type': BAD_REQUEST, fieldViolations: [{ field, description: message }] }];
    return Buffer.from(JSON.stringify(field === undefined ? { code, message } : { code, message, details }));
  }
  const parts = [Buffer.from([8, code]), delimited(2, Buffer.from(message))];
  if (field !== undefined) {
    const violation = Buffer.concat([delimited(1, Buffer.from(field)), delimited(2, Buffer.from(message))]);
    parts.push(
      delimited(3, Buffer.concat([delimited(1, Buffer.from(BAD_REQUEST)), delimited(2, delimited(1, violation))])),
    );
  }
  return Buffer.concat(parts);
}

function delimited(number: number, body: Buffer): Buffer {
  const head = [number * 8 + 2];
  let size = body.length;
  for (; size >= 128; size >>>= 7) head.push((size & 127) | 128);
  head.push(size);
  return Buffer.concat([Buffer.from(head), body]);
}
