// Takes the load's own requests apart, so that they can be told in another encoding: first by resource, scope and span, with the bytes
// of each kept, then span by span. It reads only what `encode-request.ts` writes.
import type { Attributes, AttributeValue } from '../attributes.ts';

/** `tag` is field number and wire type as on the wire. `body` is what a length-delimited or fixed field holds, else empty. */
export interface Field {
  tag: number;
  varint: number;
  body: Uint8Array;
}

const NOTHING = new Uint8Array(0);
const text = new TextDecoder();

/** The fields of a message in their order. Integers must be below 2^53, as all of the load's are. */
export function readFields(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const take = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = take();
    const type = tag & 7;
    if (type === 0) {
      fields.push({ tag, varint: take(), body: NOTHING });
      continue;
    }
    const size = type === 1 ? 8 : type === 5 ? 4 : take();
    fields.push({ tag, varint: 0, body: message.subarray(at, at + size) });
    at += size;
  }
  return fields;
}

/** Bodies of messages, but for the schema URL, which is a text. */
export interface ResourceSpans {
  resource: Uint8Array;
  schemaUrl: Uint8Array;
  scopes: ScopeSpans[];
}

export interface ScopeSpans {
  scope: Uint8Array;
  spans: SpanBytes[];
}

export interface SpanBytes {
  /** 32 hex digits. */
  traceId: string;
  body: Uint8Array;
}

export function readRequest(request: Uint8Array): ResourceSpans[] {
  return readFields(request).map(({ body }) => {
    const read: ResourceSpans = { resource: NOTHING, schemaUrl: NOTHING, scopes: [] };
    for (const field of readFields(body)) {
      if (field.tag === 0x0a) read.resource = field.body;
      else if (field.tag === 0x12) read.scopes.push(readScopeSpans(field.body));
      else read.schemaUrl = field.body;
    }
    return read;
  });
}

function readScopeSpans(message: Uint8Array): ScopeSpans {
  const read: ScopeSpans = { scope: NOTHING, spans: [] };
  for (const { tag, body } of readFields(message)) {
    if (tag === 0x0a) read.scope = body;
    // A span begins with its trace id.
    else read.spans.push({ traceId: hex(body.subarray(2, 18)), body });
  }
  return read;
}

/** One trace's spans of each resource: the pieces into which the collector's `partition_traces_by_id` cuts a batch. */
export function cutByTrace(resources: readonly ResourceSpans[]): { traceId: string; piece: ResourceSpans }[] {
  return resources.flatMap(({ scopes, ...about }) => {
    const pieces = new Map<string, ResourceSpans>();
    for (const { scope, spans } of scopes) {
      for (const span of spans) {
        let piece = pieces.get(span.traceId);
        if (piece === undefined) {
          piece = { ...about, scopes: [] };
          pieces.set(span.traceId, piece);
        }
        const last = piece.scopes.at(-1);
        if (last?.scope === scope) last.spans.push(span);
        else piece.scopes.push({ scope, spans: [span] });
      }
    }
    return [...pieces].map(([traceId, piece]) => ({ traceId, piece }));
  });
}

/** Ids are hex; a root's parent is empty. */
export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  startUnixNano: bigint;
  endUnixNano: bigint;
  attributes: Attributes;
  events: { unixNano: bigint; name: string; attributes: Attributes }[];
  links: { traceId: string; spanId: string; flags: number }[];
  statusCode: number;
  statusMessage: string;
  flags: number;
}

/** The body of a trace.v1.Span. */
export function readSpan(message: Uint8Array): Span {
  const fields = readFields(message);
  const body = (tag: number): Uint8Array => fields.find((field) => field.tag === tag)?.body ?? NOTHING;
  const all = (tag: number) => fields.filter((field) => field.tag === tag).map((field) => readFields(field.body));
  const status = readFields(body(0x7a));
  return {
    traceId: hex(body(0x0a)),
    spanId: hex(body(0x12)),
    parentSpanId: hex(body(0x22)),
    name: text.decode(body(0x2a)),
    kind: fields.find(({ tag }) => tag === 0x30)?.varint ?? 0,
    startUnixNano: fixed64(body(0x39)),
    endUnixNano: fixed64(body(0x41)),
    attributes: attributesOf(fields, 0x4a),
    events: all(0x5a).map((event) => ({
      unixNano: fixed64(bodyOf(event, 0x09)),
      name: text.decode(bodyOf(event, 0x12)),
      attributes: attributesOf(event, 0x1a),
    })),
    links: all(0x6a).map((link) => ({
      traceId: hex(bodyOf(link, 0x0a)),
      spanId: hex(bodyOf(link, 0x12)),
      flags: fixed32(bodyOf(link, 0x35)),
    })),
    statusCode: status.find(({ tag }) => tag === 0x18)?.varint ?? 0,
    statusMessage: text.decode(bodyOf(status, 0x12)),
    flags: fixed32(body(0x85)),
  };
}

/** The body of a resource.v1.Resource. */
export const readResource = (message: Uint8Array): Attributes => attributesOf(readFields(message), 0x0a);

/** The body of a common.v1.InstrumentationScope. */
export function readScope(message: Uint8Array): { name: string; version: string } {
  const fields = readFields(message);
  return { name: text.decode(bodyOf(fields, 0x0a)), version: text.decode(bodyOf(fields, 0x12)) };
}

const bodyOf = (fields: readonly Field[], tag: number) => fields.find((field) => field.tag === tag)?.body ?? NOTHING;

function attributesOf(fields: readonly Field[], tag: number): Attributes {
  const attributes: [string, AttributeValue][] = [];
  for (const field of fields) {
    if (field.tag !== tag) continue;
    const [key, value] = readFields(field.body);
    attributes.push([text.decode(key!.body), readValue(value!.body)]);
  }
  return attributes;
}

function readValue(any: Uint8Array): AttributeValue {
  const [{ tag, varint, body }] = readFields(any) as [Field];
  switch (tag) {
    case 0x10:
      return varint !== 0;
    case 0x18:
      return varint;
    case 0x21:
      return { double: new DataView(body.buffer, body.byteOffset, 8).getFloat64(0, true) };
    case 0x2a:
      return readFields(body).map((element) => readValue(element.body) as string);
    default:
      return text.decode(body);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

function fixed64(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

function fixed32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}
