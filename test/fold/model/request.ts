// Requests as plain objects with attribute values of every kind, and their way into bytes by protobufjs, which the code under test does
// not use. What ../spans.ts makes is a request here too.

import { encode, type Message } from '../../otlp/otlp-proto.ts';
import type { PlainSpan, Value } from '../spans.ts';

/** A string value by its bytes, which need not be text. */
export interface RawString {
  bytes: Uint8Array;
}
export interface ValueMap {
  entries: Attributes;
}
/** Null: there is a value, but nothing in it. */
export type AnyValue = Value | null | RawString | ValueMap | AnyValue[];
export type Attributes = [key: string, value: AnyValue][];

export interface Span extends Omit<PlainSpan, 'attributes'> {
  attributes: Attributes;
  /** Of each event its attributes. */
  events?: Attributes[];
}

export interface Group {
  resource: Attributes;
  spans: Span[];
}

export type Request = Group[];

/** The value of the first attribute with this key; undefined: there is none. */
export function first(attributes: Attributes, key: string): AnyValue | undefined {
  return attributes.find(([name]) => name === key)?.[1];
}

export function isRaw(value: AnyValue | undefined): value is RawString {
  return typeof value === 'object' && value !== null && 'bytes' in value;
}

export function isMap(value: AnyValue | undefined): value is ValueMap {
  return typeof value === 'object' && value !== null && 'entries' in value && Array.isArray(value.entries);
}

export function requestBytes(request: Request): Uint8Array {
  return encode('Request', { resourceSpans: request.map(groupMessage) });
}

/** Sizes are those of the shortest encoding, defaults left out. */
export function spanSize(span: Span): number {
  return encode('Span', spanMessage(span)).length;
}

export function groupSize(group: Group): number {
  return encode('ResourceSpans', groupMessage(group)).length;
}

const text = (s: string) => new Uint8Array(Buffer.from(s));
const hex = (s: string) => new Uint8Array(Buffer.from(s, 'hex'));

function groupMessage({ resource, spans }: Group): Message {
  return { resource: { attributes: keyValues(resource) }, scopeSpans: [{ spans: spans.map(spanMessage) }] };
}

function spanMessage(span: Span): Message {
  return {
    traceId: hex(span.trace),
    spanId: hex(span.id),
    parentSpanId: hex(span.parent),
    traceState: text(span.state),
    name: text(span.name),
    kind: span.kind,
    startTimeUnixNano: span.startNs,
    endTimeUnixNano: span.endNs,
    attributes: keyValues(span.attributes),
    ...(span.events && { events: span.events.map((attributes) => ({ attributes: keyValues(attributes) })) }),
    ...(span.status && { status: { code: span.status.code, message: text(span.status.message) } }),
  };
}

function keyValues(attributes: Attributes): Message[] {
  return attributes.map(([key, value]) => ({ key: text(key), value: anyValue(value) }));
}

function anyValue(value: AnyValue): Message {
  if (value === null) return {};
  if (typeof value === 'string') return { stringValue: text(value) };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'bigint') return { intValue: value };
  if (typeof value === 'number') return { doubleValue: value };
  if (value instanceof Uint8Array) return { bytesValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  if (isRaw(value)) return { stringValue: value.bytes };
  return { kvlistValue: { values: keyValues(value.entries) } };
}
