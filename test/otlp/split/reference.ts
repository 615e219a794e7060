// An independent reading of OTLP trace requests by protobufjs, to hold the hand-written code against.

import protobuf from 'protobufjs';

const SCHEMA = `
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; repeated EntityRef entity_refs = 3; }
  message EntityRef { string schema_url = 1; string type = 2; repeated string id_keys = 3; repeated string description_keys = 4; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12;
    repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15; fixed32 flags = 16;
  }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
  message Link {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
    uint32 dropped_attributes_count = 5; fixed32 flags = 6;
  }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value {
      string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5;
      KeyValueList kvlist_value = 6; bytes bytes_value = 7;
    }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
  message RpcStatus { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Any { string type_url = 1; bytes value = 2; }
  message BadRequest { repeated FieldViolation field_violations = 1; }
  message FieldViolation { string field = 1; string description = 2; }
`;

const { root } = protobuf.parse(SCHEMA);
/** protobufjs insists on UTF-8; here nobody does. */
const { root: lenient } = protobuf.parse(SCHEMA.replaceAll('string ', 'bytes '));

/** Throws if protobufjs can't read the bytes as a Request, the encoding of texts aside. */
export function checkReadable(bytes: Uint8Array): void {
  lenient.lookupType('Request').decode(bytes);
}

export type Plain = Record<string, unknown>;

const OPTIONS: protobuf.IConversionOptions = { longs: String, bytes: String, oneofs: false };

/** Plain objects: 64-bit numbers as decimal strings, bytes as base64, absent fields absent. */
export function decodeAs(type: string, bytes: Uint8Array): Plain {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), OPTIONS);
}

/** The inverse of `decodeAs`. */
export function encodeAs(type: string, value: Plain): Uint8Array {
  const message = root.lookupType(type);
  return new Uint8Array(message.encode(message.fromObject(value)).finish());
}

export interface PlainSpan extends Plain {
  traceId?: string;
  name?: string;
}

export interface PlainScope extends Plain {
  spans?: PlainSpan[];
}

export interface PlainResource extends Plain {
  scopeSpans?: PlainScope[];
}

export function decodeRequest(bytes: Uint8Array): { resourceSpans?: PlainResource[] } {
  return decodeAs('Request', bytes);
}

/** Every span in document order, with what it inherits: its resource, scope and schema URLs. */
export function flatten(bytes: Uint8Array): { span: PlainSpan; context: Plain }[] {
  return (decodeRequest(bytes).resourceSpans ?? []).flatMap(({ scopeSpans = [], ...resource }) =>
    scopeSpans.flatMap(({ spans = [], ...scope }) => spans.map((span) => ({ span, context: { resource, scope } }))),
  );
}
