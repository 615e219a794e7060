// The collector's `zipkin_proto` records, and bodies of Zipkin's API: zipkin.proto3.ListOfSpans (zipkin-api, zipkin.proto).

import { ipText } from './ip-text.ts';
import { isZero, SPAN_ID_BYTES, TRACE_ID_BYTES } from './model.ts';
import { ProtoCursor } from './proto-cursor.ts';
import { MAX_PORT, type ZipkinAnnotation, type ZipkinEndpoint, type ZipkinSpan } from './zipkin-model.ts';

/** Calls `take` with each span. @throws RecordDecodeError */
export function readZipkinProto(bytes: Uint8Array, take: (span: ZipkinSpan) => void): void {
  const cursor = new ProtoCursor('zipkin_proto', bytes);
  while (cursor.next(bytes.length)) {
    if (cursor.tag === 10) take(readSpan(cursor));
    else cursor.skip(1);
  }
}

function readSpan(cursor: ProtoCursor): ZipkinSpan {
  let hasTraceId = false;
  let hasId = false;
  const span: ZipkinSpan = {
    traceId: new Uint8Array(TRACE_ID_BYTES),
    id: new Uint8Array(SPAN_ID_BYTES),
    parentId: undefined,
    name: '',
    kind: 0,
    timestampMicros: 0n,
    durationMicros: 0n,
    localEndpoint: undefined,
    remoteEndpoint: undefined,
    annotations: [],
    tags: new Map(),
  };
  const end = cursor.open();
  while (cursor.next(end)) {
    switch (cursor.tag) {
      case 10:
        span.traceId = cursor.id(TRACE_ID_BYTES, SPAN_ID_BYTES);
        hasTraceId = true;
        break;
      case 18: {
        // Zipkin's own library for Go writes the parent of a root as zeros.
        const parent = cursor.id(SPAN_ID_BYTES);
        span.parentId = isZero(parent) ? undefined : parent;
        break;
      }
      case 26:
        span.id = cursor.id(SPAN_ID_BYTES);
        hasId = true;
        break;
      case 32:
        span.kind = cursor.int32();
        break;
      case 42:
        span.name = cursor.text();
        break;
      case 49:
        span.timestampMicros = cursor.fixed64();
        break;
      case 56:
        // A span that ends before it starts is written with its sign.
        span.durationMicros = cursor.int64();
        break;
      case 66:
        span.localEndpoint = readEndpoint(cursor, span.localEndpoint);
        break;
      case 74:
        span.remoteEndpoint = readEndpoint(cursor, span.remoteEndpoint);
        break;
      case 82:
        span.annotations.push(readAnnotation(cursor));
        break;
      case 90:
        readTag(cursor, span.tags);
        break;
      case 96: // debug
      case 104: // shared
        cursor.int32();
        break;
      default:
        cursor.skip(13);
    }
  }
  if (!hasTraceId) cursor.fail('id', 'the span has no trace_id');
  if (!hasId) cursor.fail('id', 'the span has no id');
  return span;
}

/** service_name 1, ipv4 2, ipv6 3, port 4. Said twice, it is one message in two parts. */
function readEndpoint(cursor: ProtoCursor, before: ZipkinEndpoint | undefined): ZipkinEndpoint {
  const endpoint = before ?? { serviceName: '', ipv4: undefined, ipv6: undefined, port: 0 };
  const end = cursor.open();
  while (cursor.next(end)) {
    if (cursor.tag === 10) endpoint.serviceName = cursor.text();
    else if (cursor.tag === 18) endpoint.ipv4 = ipText(cursor.content());
    else if (cursor.tag === 26) endpoint.ipv6 = ipText(cursor.content());
    else if (cursor.tag === 32) {
      const port = cursor.int32();
      endpoint.port = port > 0 && port <= MAX_PORT ? port : 0;
    } else cursor.skip(4);
  }
  return endpoint;
}

/** timestamp 1, value 2 */
function readAnnotation(cursor: ProtoCursor): ZipkinAnnotation {
  const annotation: ZipkinAnnotation = { micros: 0n, value: '' };
  const end = cursor.open();
  while (cursor.next(end)) {
    if (cursor.tag === 9) annotation.micros = cursor.fixed64();
    else if (cursor.tag === 18) annotation.value = cursor.text();
    else cursor.skip(2);
  }
  return annotation;
}

/** An entry of a map: key 1, value 2 */
function readTag(cursor: ProtoCursor, tags: Map<string, string>): void {
  let key = '';
  let value = '';
  const end = cursor.open();
  while (cursor.next(end)) {
    if (cursor.tag === 10) key = cursor.text();
    else if (cursor.tag === 18) value = cursor.text();
    else cursor.skip(2);
  }
  tags.set(key, value);
}
