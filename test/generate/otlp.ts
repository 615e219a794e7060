// Decodes OTLP requests with protobufjs, from the public message definitions: an account of the bytes that shares nothing with the
// encoder under test.
import protobuf from 'protobufjs';

const { root } = protobuf.parse(
  `syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message Scope { string name = 1; string version = 2; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; } }
  message ArrayValue { repeated AnyValue values = 1; }
  message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start = 7; fixed64 end = 8; repeated KeyValue attributes = 9; repeated Event events = 11; repeated Link links = 13; Status status = 15; fixed32 flags = 16; }
  message Event { fixed64 time = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; fixed32 flags = 6; }
  message Status { string message = 2; int32 code = 3; }`,
  { keepCase: true },
);
const Request = root.lookupType('Request');

export interface ReadSpan {
  service: string;
  resource: ReadonlyMap<string, string>;
  traceId: string;
  spanId: string;
  parentId: string;
  name: string;
  kind: number;
  startNano: bigint;
  endNano: bigint;
  attributes: ReadonlyMap<string, string>;
  attributeCount: number;
  events: { time: bigint; name: string }[];
  links: number;
  status: number;
  message: string;
}

interface RawValue {
  string_value?: string;
  int_value?: string;
  bool_value?: boolean;
  double_value?: number;
  array_value?: { values: RawValue[] };
}
type RawAttributes = { key: string; value: RawValue }[];
interface RawSpan {
  trace_id: string;
  span_id: string;
  parent_span_id: string;
  name: string;
  kind: number;
  start: string;
  end: string;
  attributes: RawAttributes;
  events: { time: string; name: string }[];
  links: unknown[];
  status: { code: number; message: string } | null;
}
interface RawRequest {
  resource_spans: { resource: { attributes: RawAttributes }; scope_spans: { spans: RawSpan[] }[] }[];
}

const hex = (base64: string) => Buffer.from(base64, 'base64').toString('hex');
const read = (value: RawValue): string =>
  value.array_value !== undefined
    ? value.array_value.values.map(read).join('|')
    : String(value.string_value ?? value.int_value ?? value.bool_value ?? value.double_value);
const toMap = (attributes: RawAttributes) => new Map(attributes.map(({ key, value }) => [key, read(value)]));

/** The spans of one request in the order in which they stand there. */
export function readRequest(bytes: Uint8Array): ReadSpan[] {
  const raw = Request.toObject(Request.decode(bytes), {
    longs: String,
    bytes: String,
    arrays: true,
    defaults: true,
    oneofs: false,
  }) as unknown as RawRequest;
  return raw.resource_spans.flatMap(({ resource, scope_spans }) => {
    const about = toMap(resource.attributes);
    return scope_spans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: about.get('service.name')!,
        resource: about,
        traceId: hex(span.trace_id),
        spanId: hex(span.span_id),
        parentId: hex(span.parent_span_id),
        name: span.name,
        kind: span.kind,
        startNano: BigInt(span.start),
        endNano: BigInt(span.end),
        attributes: toMap(span.attributes),
        attributeCount: span.attributes.length,
        events: span.events.map(({ time, name }) => ({ time: BigInt(time), name })),
        links: span.links.length,
        status: span.status?.code ?? 0,
        message: span.status?.message ?? '',
      })),
    );
  });
}

/** The request with the times of its spans changed. */
export function encodeRequest(bytes: Uint8Array, times: (start: bigint, end: bigint) => [bigint, bigint]): Uint8Array {
  const raw = Request.toObject(Request.decode(bytes), { longs: String, oneofs: false }) as unknown as RawRequest;
  for (const { scope_spans } of raw.resource_spans) {
    for (const span of scope_spans.flatMap(({ spans }) => spans)) {
      [span.start, span.end] = times(BigInt(span.start), BigInt(span.end)).map(String) as [string, string];
    }
  }
  return Request.encode(Request.fromObject(raw)).finish();
}

/** Decoding and encoding again gives the same bytes only if all fields ascend and every length is the shortest. */
export function isCanonical(bytes: Uint8Array): boolean {
  return Buffer.from(Request.encode(Request.decode(bytes)).finish()).equals(bytes);
}
