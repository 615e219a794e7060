// Spans as plain objects for tests of the fold, and their way into bytes by protobufjs, which the code under test does not use.

import { encode, type Message } from '../otlp/otlp-proto.ts';

export type Value = string | number | boolean | bigint | Uint8Array;
export type Attributes = [key: string, value: Value][];

export interface PlainSpan {
  name: string;
  kind: number;
  /** Hex; any length. */
  trace: string;
  id: string;
  parent: string;
  startNs: bigint;
  endNs: bigint;
  /** No status where undefined. */
  status?: { code: number; message: string };
  state: string;
  attributes: Attributes;
}

export interface PlainGroup {
  resource: Attributes;
  spans: PlainSpan[];
}

export type PlainRequest = PlainGroup[];

const text = (s: string) => new TextEncoder().encode(s);
const hex = (s: string) => new Uint8Array(Buffer.from(s, 'hex'));

export function plainSpan(more: Partial<PlainSpan> = {}): PlainSpan {
  return {
    name: 'GET /',
    kind: 2,
    trace: '0123456789abcdef0123456789abcdef',
    id: '0123456789abcdef',
    parent: '',
    startNs: 0n,
    endNs: 0n,
    state: '',
    attributes: [],
    ...more,
  };
}

export function requestMessage(request: PlainRequest): Message {
  return {
    resourceSpans: request.map(({ resource, spans }) => ({
      resource: { attributes: attributes(resource) },
      scopeSpans: [{ spans: spans.map(spanMessage) }],
    })),
  };
}

export function requestBytes(request: PlainRequest): Uint8Array {
  return encode('Request', requestMessage(request));
}

export function spanMessage(span: PlainSpan): Message {
  return {
    traceId: hex(span.trace),
    spanId: hex(span.id),
    parentSpanId: hex(span.parent),
    traceState: text(span.state),
    name: text(span.name),
    kind: span.kind,
    startTimeUnixNano: span.startNs,
    endTimeUnixNano: span.endNs,
    attributes: attributes(span.attributes),
    ...(span.status ? { status: { code: span.status.code, message: text(span.status.message) } } : {}),
  };
}

function attributes(pairs: Attributes): Message[] {
  return pairs.map(([key, value]) => ({ key: text(key), value: anyValue(value) }));
}

function anyValue(value: Value): Message {
  if (typeof value === 'string') return { stringValue: text(value) };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'bigint') return { intValue: value };
  if (typeof value === 'number') return { doubleValue: value };
  return { bytesValue: value };
}
