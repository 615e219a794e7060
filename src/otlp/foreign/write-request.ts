// Writes spans as an ExportTraceServiceRequest (opentelemetry-proto), back to front: canonical protobuf, fields ascending, nothing
// written that is absent. A member of AnyValue is always written, also if it is empty. Must not keep the spans: of a body of small
// ones they would take fifty times its bytes.

import { BackWriter } from '../json/index.ts';
import type { Attributes, AttributeValue, Event, Link, Span } from './model.ts';
import { isZero } from './model.ts';

const writer = new BackWriter();
const EMPTY = new Uint8Array(0);

interface ResourceSpans {
  /** The message `Resource`. */
  resource: Uint8Array;
  scopes: Map<string, ScopeSpans>;
}

interface ScopeSpans {
  name: string;
  version: string;
  spans: GrowingBytes;
}

/** Resources with the same attributes, and scopes with the same name and version, come once, in the order of their first spans. */
export class RequestBuilder {
  readonly #resources = new Map<string, ResourceSpans>();

  add(attributes: Attributes, scopeName: string, scopeVersion: string, span: Span): void {
    writer.reset();
    writeAttributes(1, attributes);
    const resource = writer.finish();
    const resourceKey = Buffer.from(resource.buffer, resource.byteOffset, resource.length).toString('latin1');
    let resourceSpans = this.#resources.get(resourceKey);
    if (resourceSpans === undefined) {
      resourceSpans = { resource, scopes: new Map() };
      this.#resources.set(resourceKey, resourceSpans);
    }
    const scopeKey = `${scopeName.length} ${scopeName}${scopeVersion}`;
    let scope = resourceSpans.scopes.get(scopeKey);
    if (scope === undefined) {
      scope = { name: scopeName, version: scopeVersion, spans: new GrowingBytes() };
      resourceSpans.scopes.set(scopeKey, scope);
    }
    writer.reset();
    const before = writer.written();
    writeSpan(span);
    close(2, before);
    scope.spans.append(writer.finish());
  }

  finish(): Uint8Array {
    if (this.#resources.size === 0) return EMPTY;
    writer.reset();
    for (const { resource, scopes } of [...this.#resources.values()].reverse()) {
      const before = writer.written();
      for (const scope of [...scopes.values()].reverse()) writeScopeSpans(scope);
      if (resource.length > 0) {
        const start = writer.written();
        writer.bytes(resource);
        close(1, start);
      }
      close(1, before);
    }
    const bytes = writer.finish();
    writer.reset();
    return bytes;
  }
}

class GrowingBytes {
  #bytes = new Uint8Array(512);
  #size = 0;

  append(more: Uint8Array): void {
    if (this.#size + more.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#size + more.length));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(more, this.#size);
    this.#size += more.length;
  }

  all(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }
}

/** Ends a length-delimited field: everything written since `before` is its body. */
function close(field: number, before: number): void {
  writer.varint(writer.written() - before);
  writer.varint(field * 8 + 2);
}

function writeScopeSpans({ name, version, spans }: ScopeSpans): void {
  const before = writer.written();
  writer.bytes(spans.all());
  if (name !== '' || version !== '') {
    const start = writer.written();
    writeText(2, version);
    writeText(1, name);
    close(1, start);
  }
  close(2, before);
}

function writeSpan(span: Span): void {
  if (span.flags !== 0) {
    writer.fixed32(span.flags);
    writer.varint(16 * 8 + 5);
  }
  if (span.statusCode !== 0 || span.statusMessage !== '') {
    const before = writer.written();
    writeNumber(3, span.statusCode);
    writeText(2, span.statusMessage);
    close(15, before);
  }
  for (let i = span.links.length - 1; i >= 0; i--) {
    const before = writer.written();
    writeLink(span.links[i]!);
    close(13, before);
  }
  for (let i = span.events.length - 1; i >= 0; i--) {
    const before = writer.written();
    writeEvent(span.events[i]!);
    close(11, before);
  }
  writeAttributes(9, span.attributes);
  writeTime(8, span.endUnixNano);
  writeTime(7, span.startUnixNano);
  writeNumber(6, span.kind);
  writeText(5, span.name);
  if (span.parentSpanId !== undefined) writeId(4, span.parentSpanId);
  writeText(3, span.traceState);
  writeId(2, span.spanId);
  writeId(1, span.traceId);
}

function writeEvent({ unixNano, name, attributes, droppedAttributes }: Event): void {
  writeNumber(4, droppedAttributes);
  writeAttributes(3, attributes);
  writeText(2, name);
  writeTime(1, unixNano);
}

function writeLink({ traceId, spanId, traceState, attributes, droppedAttributes }: Link): void {
  writeNumber(5, droppedAttributes);
  writeAttributes(4, attributes);
  writeText(3, traceState);
  writeId(2, spanId);
  writeId(1, traceId);
}

function writeAttributes(field: number, attributes: Attributes): void {
  // A map can only be walked forwards, and the first is to stand first.
  const entries = [...attributes];
  for (let i = entries.length - 1; i >= 0; i--) {
    const [key, value] = entries[i]!;
    const before = writer.written();
    writeValue(value);
    close(2, before);
    writeText(1, key);
    close(field, before);
  }
}

function writeValue(value: AttributeValue): void {
  const before = writer.written();
  switch (typeof value) {
    case 'string':
      writer.text(value);
      close(1, before);
      return;
    case 'boolean':
      writer.byte(value ? 1 : 0);
      writer.varint(2 * 8);
      return;
    case 'bigint':
      writer.varint64(low(value), high(value));
      writer.varint(3 * 8);
      return;
    case 'number':
      writer.double(value);
      writer.varint(4 * 8 + 1);
      return;
    default:
      writer.bytes(value);
      close(7, before);
  }
}

function writeText(field: number, text: string): void {
  if (text === '') return;
  const before = writer.written();
  writer.text(text);
  close(field, before);
}

function writeId(field: number, id: Uint8Array): void {
  if (isZero(id)) return;
  const before = writer.written();
  writer.bytes(id);
  close(field, before);
}

function writeNumber(field: number, value: number): void {
  if (value === 0) return;
  writer.varint(value);
  writer.varint(field * 8);
}

function writeTime(field: number, unixNano: bigint): void {
  if (unixNano === 0n) return;
  writer.fixed64(low(unixNano), high(unixNano));
  writer.varint(field * 8 + 1);
}

function low(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

function high(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}
