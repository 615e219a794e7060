// OTLP traces (opentelemetry-proto, trace/v1) for protobufjs: an independent reader and writer to hold the decoder against. Texts
// are `bytes` here: protobuf's Go implementation, which senders and Tempo use, does not insist on UTF-8 either.

import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; bytes schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; repeated EntityRef entity_refs = 3; }
  message EntityRef { bytes schema_url = 1; bytes type = 2; repeated bytes id_keys = 3; repeated bytes description_keys = 4; }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; bytes schema_url = 3; }
  message Scope { bytes name = 1; bytes version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes trace_state = 3; bytes parent_span_id = 4; bytes name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    uint32 dropped_attributes_count = 10; repeated Event events = 11; uint32 dropped_events_count = 12;
    repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15; fixed32 flags = 16;
  }
  message Event { fixed64 time_unix_nano = 1; bytes name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
  message Link {
    bytes trace_id = 1; bytes span_id = 2; bytes trace_state = 3; repeated KeyValue attributes = 4;
    uint32 dropped_attributes_count = 5; fixed32 flags = 6;
  }
  message Status { bytes message = 2; int32 code = 3; }
  message KeyValue { bytes key = 1; AnyValue value = 2; int32 key_strindex = 3; }
  message AnyValue {
    oneof value {
      bytes string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5;
      KeyValueList kvlist_value = 6; bytes bytes_value = 7; int32 string_value_strindex = 8;
    }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
`);
root.resolveAll();

export type MessageName =
  | 'Request'
  | 'ResourceSpans'
  | 'Resource'
  | 'EntityRef'
  | 'ScopeSpans'
  | 'Scope'
  | 'Span'
  | 'Event'
  | 'Link'
  | 'Status'
  | 'KeyValue'
  | 'AnyValue'
  | 'ArrayValue'
  | 'KeyValueList';

/** Fields by their camel-case names; 64-bit integers are bigints, bytes are Uint8Arrays. */
export interface Message {
  [field: string]: FieldValue | undefined;
}
export type FieldValue = number | bigint | boolean | Uint8Array | Message | FieldValue[];

export function typeOf(name: string): protobuf.Type {
  return root.lookupType(name);
}

/** What protobufjs reads. @throws where it can't */
export function decode(name: MessageName, bytes: Uint8Array): Message {
  return fromReader(typeOf(name).decode(bytes) as unknown as Record<string, unknown>, typeOf(name));
}

function fromReader(message: Record<string, unknown>, type: protobuf.Type): Message {
  const out: Message = {};
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(message, field.name)) continue;
    const one = (value: unknown): FieldValue => {
      if (field.resolvedType) return fromReader(value as Record<string, unknown>, field.resolvedType as protobuf.Type);
      if (field.type === 'int64' || field.type === 'fixed64') return BigInt(String(value));
      if (field.type === 'bytes') return new Uint8Array(value as Uint8Array);
      return value as number | boolean;
    };
    const value = message[field.name];
    out[field.name] = field.repeated ? (value as unknown[]).map(one) : one(value);
  }
  return out;
}

/** The canonical encoding: fields ascending, defaults left out unless they are members of a oneof, shortest varints. */
export function encode(name: MessageName, message: Message): Uint8Array {
  const type = typeOf(name);
  return new Uint8Array(type.encode(toWriter(message, type)).finish());
}

function toWriter(message: Message, type: protobuf.Type): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const value = message[field.name];
    if (value === undefined) continue;
    const one = (v: FieldValue): unknown => {
      if (field.resolvedType) return toWriter(v as Message, field.resolvedType as protobuf.Type);
      return typeof v === 'bigint' ? longOf(v) : v;
    };
    if (field.repeated) out[field.name] = (value as FieldValue[]).map(one);
    else if (field.partOf || field.resolvedType || !isDefault(value)) out[field.name] = one(value);
  }
  return out;
}

function isDefault(value: FieldValue): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === 0n || value === false;
}

function longOf(value: bigint): { low: number; high: number; unsigned: boolean } {
  return {
    low: Number(BigInt.asIntN(32, value)),
    high: Number(BigInt.asIntN(32, value >> 32n)),
    unsigned: false,
  };
}
