// Records in any encoding in, what the fold reads out. Must never let one record's fault be anything but a RecordDecodeError.

import { OtlpJsonError, transcodeJson } from '../json/index.ts';
import { RecordDecodeError, type RecordEncoding } from './errors.ts';
import { readJaegerJson } from './jaeger-json.ts';
import type { JaegerSpan } from './jaeger-model.ts';
import { readJaegerProto } from './jaeger-proto.ts';
import { addJaegerSpan } from './jaeger-translate.ts';
import { RequestBuilder } from './write-request.ts';
import { readZipkinJson } from './zipkin-json.ts';
import { readZipkinProto } from './zipkin-proto.ts';
import { addZipkinSpan } from './zipkin-translate.ts';

const EMPTY = new Uint8Array(0);

/** One jaeger.api_v2.Span as an ExportTraceServiceRequest. No bytes are no span. @throws RecordDecodeError */
export function transcodeJaegerProto(bytes: Uint8Array): Uint8Array {
  return fromJaeger(readJaegerProto(bytes));
}

/** One jaeger.api_v2.Span in protobuf's JSON mapping as an ExportTraceServiceRequest. @throws RecordDecodeError */
export function transcodeJaegerJson(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? EMPTY : fromJaeger(readJaegerJson(bytes));
}

/** A zipkin.proto3.ListOfSpans as an ExportTraceServiceRequest. @throws RecordDecodeError */
export function transcodeZipkinProto(bytes: Uint8Array): Uint8Array {
  return fromZipkin(readZipkinProto, bytes);
}

/** An array of Zipkin v2 spans as an ExportTraceServiceRequest. @throws RecordDecodeError */
export function transcodeZipkinJson(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? EMPTY : fromZipkin(readZipkinJson, bytes);
}

function fromJaeger(span: JaegerSpan): Uint8Array {
  const request = new RequestBuilder();
  addJaegerSpan(request, span);
  return request.finish();
}

function fromZipkin(read: typeof readZipkinProto, bytes: Uint8Array): Uint8Array {
  const request = new RequestBuilder();
  read(bytes, (span) => addZipkinSpan(request, span));
  return request.finish();
}

export interface TranscodedRecord {
  encoding: 'otlp' | 'push-bytes';
  bytes: Uint8Array;
}

/**
 * What a record holds, in one of the two encodings that the fold reads. `otlp` and `push-bytes` pass through, unchanged and unchecked:
 * the fold decodes them in place. Bytes of any other encoding are new.
 * @throws RecordDecodeError
 */
export function transcode(encoding: RecordEncoding, bytes: Uint8Array): TranscodedRecord {
  switch (encoding) {
    case 'otlp':
    case 'push-bytes':
      return { encoding, bytes };
    case 'otlp_json':
      return { encoding: 'otlp', bytes: transcodeOtlpJson(bytes) };
    case 'jaeger_proto':
      return { encoding: 'otlp', bytes: transcodeJaegerProto(bytes) };
    case 'jaeger_json':
      return { encoding: 'otlp', bytes: transcodeJaegerJson(bytes) };
    case 'zipkin_proto':
      return { encoding: 'otlp', bytes: transcodeZipkinProto(bytes) };
    case 'zipkin_json':
      return { encoding: 'otlp', bytes: transcodeZipkinJson(bytes) };
  }
}

function transcodeOtlpJson(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return EMPTY;
  try {
    return transcodeJson(bytes);
  } catch (error) {
    if (!(error instanceof OtlpJsonError)) throw error;
    const { reason, path, message } = error;
    const what = path === '' ? message : message.slice(path.length + 2);
    throw new RecordDecodeError('otlp_json', reason, path || 'body', what, { cause: error });
  }
}
