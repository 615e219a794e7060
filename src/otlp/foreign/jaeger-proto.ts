// The collector's `jaeger_proto` records: one jaeger.api_v2.Span (jaeger-idl, model.proto) with its process inside, in protobuf.

import {
  type JaegerLog,
  type JaegerProcess,
  type JaegerReference,
  type JaegerSpan,
  type JaegerTag,
  type JaegerValue,
  nanosOf,
  tagValue,
} from './jaeger-model.ts';
import { SPAN_ID_BYTES, TRACE_ID_BYTES } from './model.ts';
import { ProtoCursor } from './proto-cursor.ts';

/** @throws RecordDecodeError */
export function readJaegerProto(bytes: Uint8Array): JaegerSpan {
  const cursor = new ProtoCursor('jaeger_proto', bytes);
  const span: JaegerSpan = {
    traceId: new Uint8Array(TRACE_ID_BYTES),
    spanId: new Uint8Array(SPAN_ID_BYTES),
    operationName: '',
    references: [],
    flags: 0,
    startUnixNano: 0n,
    durationNano: 0n,
    tags: [],
    logs: [],
    process: undefined,
  };
  while (cursor.next(bytes.length)) {
    switch (cursor.tag) {
      case 10:
        span.traceId = cursor.id(TRACE_ID_BYTES, SPAN_ID_BYTES);
        break;
      case 18:
        span.spanId = cursor.id(SPAN_ID_BYTES);
        break;
      case 26:
        span.operationName = cursor.text();
        break;
      case 34:
        span.references.push(readReference(cursor));
        break;
      case 40:
        span.flags = cursor.int32();
        break;
      case 50:
        span.startUnixNano = readTime(cursor);
        break;
      case 58:
        span.durationNano = readTime(cursor);
        break;
      case 66:
        span.tags.push(readTag(cursor));
        break;
      case 74:
        span.logs.push(readLog(cursor));
        break;
      case 82:
        // Said twice, it is one message in two parts.
        span.process ??= { serviceName: '', tags: [] };
        readProcess(cursor, span.process);
        break;
      case 90: // process_id: names a process of a Trace, and there is none here
      case 98: // warnings
        cursor.content();
        break;
      default:
        cursor.skip(12);
    }
  }
  return span;
}

/** trace_id 1, span_id 2, ref_type 3 */
function readReference(cursor: ProtoCursor): JaegerReference {
  const reference: JaegerReference = {
    traceId: new Uint8Array(TRACE_ID_BYTES),
    spanId: new Uint8Array(SPAN_ID_BYTES),
    refType: 0,
  };
  const end = cursor.open();
  while (cursor.next(end)) {
    if (cursor.tag === 10) reference.traceId = cursor.id(TRACE_ID_BYTES, SPAN_ID_BYTES);
    else if (cursor.tag === 18) reference.spanId = cursor.id(SPAN_ID_BYTES);
    else if (cursor.tag === 24) reference.refType = cursor.int32();
    else cursor.skip(3);
  }
  return reference;
}

/** Timestamp and Duration are alike: seconds 1, nanos 2 */
function readTime(cursor: ProtoCursor): bigint {
  let seconds = 0n;
  let nanos = 0;
  const end = cursor.open();
  while (cursor.next(end)) {
    if (cursor.tag === 8) seconds = cursor.int64();
    else if (cursor.tag === 16) nanos = cursor.int32();
    else cursor.skip(2);
  }
  return nanosOf(seconds, nanos) ?? cursor.fail('time', `${seconds} s and ${nanos} ns are no time`);
}

/** timestamp 1, fields 2 */
function readLog(cursor: ProtoCursor): JaegerLog {
  const log: JaegerLog = { unixNano: 0n, fields: [] };
  const end = cursor.open();
  while (cursor.next(end)) {
    if (cursor.tag === 10) log.unixNano = readTime(cursor);
    else if (cursor.tag === 18) log.fields.push(readTag(cursor));
    else cursor.skip(2);
  }
  return log;
}

/** service_name 1, tags 2 */
function readProcess(cursor: ProtoCursor, process: JaegerProcess): void {
  const end = cursor.open();
  while (cursor.next(end)) {
    if (cursor.tag === 10) process.serviceName = cursor.text();
    else if (cursor.tag === 18) process.tags.push(readTag(cursor));
    else cursor.skip(2);
  }
}

const NO_BYTES = new Uint8Array(0);

/** key 1, v_type 2, v_str 3, v_bool 4, v_int64 5, v_float64 6, v_binary 7 */
function readTag(cursor: ProtoCursor): JaegerTag {
  const value: JaegerValue = { vType: 0, vStr: '', vBool: false, vInt64: 0n, vFloat64: 0, vBinary: NO_BYTES };
  let key = '';
  const end = cursor.open();
  while (cursor.next(end)) {
    switch (cursor.tag) {
      case 10:
        key = cursor.text();
        break;
      case 16:
        value.vType = cursor.int32();
        break;
      case 26:
        value.vStr = cursor.text();
        break;
      case 32:
        value.vBool = cursor.uint64() !== 0n;
        break;
      case 40:
        value.vInt64 = cursor.int64();
        break;
      case 49:
        value.vFloat64 = cursor.double();
        break;
      case 58:
        value.vBinary = cursor.content();
        break;
      default:
        cursor.skip(7);
    }
  }
  return { key, value: tagValue(value) };
}
