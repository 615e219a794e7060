// From a request's body, in any of the formats that are taken, to the records it becomes. The main thread and the worker call the same
// function: what becomes of a body must not depend on where it is decided.

import * as os from 'node:os';
import { RecordDecodeError, transcodeZipkinJson, transcodeZipkinProto } from '../../otlp/foreign/index.ts';
import { countValues, OtlpJsonError, transcodeJson } from '../../otlp/json/index.ts';
import { type AdmittedRequest, admitRequest, CopiesTooLarge, OtlpDecodeError } from '../../otlp/split/index.ts';

export type BodyFormat = 'otlp_proto' | 'otlp_json' | 'zipkin_proto' | 'zipkin_json';

/** What a body is to become. */
export interface DecodeTask {
  format: BodyFormat;
  partitions: number;
  tenant: string;
}

/** Why a body is refused. `field` is the one to blame, if one is. */
export class BodyFault extends Error {
  readonly reason: 'bad_json' | 'bad_protobuf' | 'too_complex';
  readonly field: string | undefined;
  constructor(reason: BodyFault['reason'], message: string, field?: string) {
    super(message);
    this.name = 'BodyFault';
    this.reason = reason;
    this.field = field;
  }
}

/** Measured over bodies of one thing again and again: from 8 (a zero) to about 100 (objects with names of their own, deep arrays). */
const HEAP_BYTES_PER_VALUE = 100;

/** A parser that reaches the limit of its heap ends the whole process, be it in a thread with a limit of its own: it never may. */
const MAX_VALUES = Math.floor(
  Math.min(16_000_000, Math.min(os.totalmem(), process.constrainedMemory() || Infinity) / 3 / HEAP_BYTES_PER_VALUE),
);

/** Where 64-bit numbers without quotes need a second parse, which takes 1 µs a value. 20 MiB of usual spans have 1.5 million. */
const MAX_VALUES_TWICE = Math.min(3_000_000, MAX_VALUES);

/** Of the thread: what MAX_VALUES takes, and half as much again for what they become. */
export const HEAP_LIMIT_BYTES = 2.5e9;

/** @throws BodyFault */
export function decodeBody(body: Uint8Array, { format, partitions, tenant }: DecodeTask): AdmittedRequest {
  try {
    return admitRequest(toOtlp(body, format), partitions, tenant);
  } catch (error) {
    throw toFault(error, format);
  }
}

function toOtlp(body: Uint8Array, format: BodyFormat): Uint8Array {
  switch (format) {
    case 'otlp_proto':
      return body;
    case 'zipkin_proto':
      return transcodeZipkinProto(body);
    case 'otlp_json': {
      const values = valuesOf(body);
      return transcodeJson(body, { onSecondParse: () => checkValues(values, MAX_VALUES_TWICE) });
    }
    case 'zipkin_json':
      valuesOf(body);
      return transcodeZipkinJson(body);
  }
}

/** A body that has no room for too many is not looked at. */
function valuesOf(body: Uint8Array): number {
  if (body.length <= MAX_VALUES_TWICE) return body.length;
  const values = countValues(body);
  checkValues(values, MAX_VALUES);
  return values;
}

function checkValues(values: number, limit: number): void {
  if (values <= limit) return;
  const why = limit === MAX_VALUES ? '' : ' and has 64-bit numbers without quotes';
  throw new BodyFault('too_complex', `the body holds ${values} values${why}, more than the ${limit} that can be read`);
}

function toFault(error: unknown, format: BodyFormat): unknown {
  if (error instanceof OtlpJsonError) return new BodyFault('bad_json', error.message, error.path || 'body');
  if (error instanceof OtlpDecodeError) return new BodyFault('bad_protobuf', error.message, error.field);
  if (error instanceof CopiesTooLarge) return new BodyFault('too_complex', error.message);
  if (error instanceof RecordDecodeError) {
    return new BodyFault(format === 'zipkin_json' ? 'bad_json' : 'bad_protobuf', error.message, error.where);
  }
  return error;
}
