// zipkin.proto3.ListOfSpans (zipkin-api, zipkin.proto), as Zipkin's library for Go writes it: a start is rounded to µs, a duration and an
// annotation's time are cut to µs, and the parent of a root is eight zeros.
import { ProtoWriter } from '../proto-writer.ts';
import type { ZipkinSpan } from './zipkin-model.ts';

const KINDS = ['', 'CLIENT', 'SERVER', 'PRODUCER', 'CONSUMER'];
const NO_PARENT = '0000000000000000';
const writer = new ProtoWriter(64 * 1024);

export function zipkinProto(spans: Iterable<ZipkinSpan>): Uint8Array {
  writer.reset();
  for (const span of spans) writeSpan(span);
  return writer.copy();
}

function writeSpan(span: ZipkinSpan): void {
  const at = writer.open(0x0a);
  writer.field(0x0a, Buffer.from(span.traceId, 'hex'));
  writer.field(0x12, Buffer.from(span.parentId || NO_PARENT, 'hex'));
  writer.field(0x1a, Buffer.from(span.id, 'hex'));
  writeNumber(0x20, KINDS.indexOf(span.kind));
  writer.field(0x2a, Buffer.from(span.name));
  writeMicros(0x31, (span.startUnixNano + 500n) / 1000n);
  writeNumber(0x38, Number(span.durationNano / 1000n));
  writeEndpoint(0x42, span.localService);
  if (span.remoteService !== '') writeEndpoint(0x4a, span.remoteService);
  for (const { unixNano, value } of span.annotations) {
    const annotation = writer.open(0x52);
    writeMicros(0x09, unixNano / 1000n);
    writer.field(0x12, Buffer.from(value));
    writer.close(annotation);
  }
  for (const [key, value] of span.tags) {
    const tag = writer.open(0x5a);
    writer.field(0x0a, Buffer.from(key));
    writer.field(0x12, Buffer.from(value));
    writer.close(tag);
  }
  writer.close(at);
}

function writeEndpoint(tag: number, serviceName: string): void {
  const at = writer.open(tag);
  writer.field(0x0a, Buffer.from(serviceName));
  writer.close(at);
}

function writeMicros(tag: number, micros: bigint): void {
  writer.byte(tag);
  writer.word(Number(micros & 0xffffffffn));
  writer.word(Number(micros >> 32n));
}

function writeNumber(tag: number, value: number): void {
  if (value === 0) return;
  writer.byte(tag);
  writer.varint(value);
}
