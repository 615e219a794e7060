// jaeger.api_v2.Span in protobuf (jaeger-idl, model.proto), fields ascending, with its process inside.
import { ProtoWriter } from '../proto-writer.ts';
import type { JaegerSpan, JaegerTag } from './jaeger-model.ts';

const BOOL = 1;
const INT64 = 2;
const FLOAT64 = 3;
const writer = new ProtoWriter(16 * 1024);
const eight = new Uint8Array(8);
const eightView = new DataView(eight.buffer);

export function jaegerProto(span: JaegerSpan): Uint8Array {
  writer.reset();
  writer.field(0x0a, Buffer.from(span.traceId, 'hex'));
  writer.field(0x12, Buffer.from(span.spanId, 'hex'));
  writer.field(0x1a, Buffer.from(span.operationName));
  for (const { traceId, spanId, refType } of span.references) {
    const at = writer.open(0x22);
    writer.field(0x0a, Buffer.from(traceId, 'hex'));
    writer.field(0x12, Buffer.from(spanId, 'hex'));
    writeNumber(0x18, refType);
    writer.close(at);
  }
  writeTime(0x32, span.startUnixNano);
  writeTime(0x3a, span.durationNano);
  for (const tag of span.tags) writeTag(0x42, tag);
  for (const { unixNano, fields } of span.logs) {
    const at = writer.open(0x4a);
    writeTime(0x0a, unixNano);
    for (const field of fields) writeTag(0x12, field);
    writer.close(at);
  }
  const at = writer.open(0x52);
  writer.field(0x0a, Buffer.from(span.process.serviceName));
  for (const tag of span.process.tags) writeTag(0x12, tag);
  writer.close(at);
  return writer.copy();
}

/** google.protobuf.Timestamp and Duration are alike: 1 seconds, 2 nanos. */
function writeTime(tag: number, nano: bigint): void {
  const at = writer.open(tag);
  writeNumber(0x08, Number(nano / 1_000_000_000n));
  writeNumber(0x10, Number(nano % 1_000_000_000n));
  writer.close(at);
}

/** KeyValue: 1 key, 2 v_type, 3 v_str, 4 v_bool, 5 v_int64, 6 v_float64. What is zero is not written. */
function writeTag(tag: number, [key, value]: JaegerTag): void {
  const at = writer.open(tag);
  writer.field(0x0a, Buffer.from(key));
  if (typeof value === 'string') {
    if (value !== '') writer.field(0x1a, Buffer.from(value));
  } else if (typeof value === 'boolean') {
    writeNumber(0x10, BOOL);
    writeNumber(0x20, value ? 1 : 0);
  } else if (typeof value === 'number') {
    writeNumber(0x10, INT64);
    writeNumber(0x28, value);
  } else {
    writeNumber(0x10, FLOAT64);
    eightView.setFloat64(0, value.double, true);
    writer.byte(0x31);
    writer.raw(eight);
  }
  writer.close(at);
}

function writeNumber(tag: number, value: number): void {
  if (value === 0) return;
  writer.byte(tag);
  writer.varint(value);
}
