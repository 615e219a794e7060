// Independent encoders of Jaeger's and Zipkin's spans: protobufjs with the schemas of their own .proto files, and the JSON mapping
// written out by hand.

import protobuf from 'protobufjs';
import type { Plain } from '../split/reference.ts';

const JAEGER = protobuf.parse(`
  syntax = "proto3";
  enum ValueType { STRING = 0; BOOL = 1; INT64 = 2; FLOAT64 = 3; BINARY = 4; }
  message KeyValue {
    string key = 1; ValueType v_type = 2; string v_str = 3; bool v_bool = 4; int64 v_int64 = 5; double v_float64 = 6;
    bytes v_binary = 7;
  }
  message Timestamp { int64 seconds = 1; int32 nanos = 2; }
  message Log { Timestamp timestamp = 1; repeated KeyValue fields = 2; }
  enum SpanRefType { CHILD_OF = 0; FOLLOWS_FROM = 1; }
  message SpanRef { bytes trace_id = 1; bytes span_id = 2; SpanRefType ref_type = 3; }
  message Process { string service_name = 1; repeated KeyValue tags = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string operation_name = 3; repeated SpanRef references = 4; uint32 flags = 5;
    Timestamp start_time = 6; Timestamp duration = 7; repeated KeyValue tags = 8; repeated Log logs = 9; Process process = 10;
    string process_id = 11; repeated string warnings = 12;
  }
`).root;

const ZIPKIN = protobuf.parse(`
  syntax = "proto3";
  message Endpoint { string service_name = 1; bytes ipv4 = 2; bytes ipv6 = 3; int32 port = 4; }
  message Annotation { fixed64 timestamp = 1; string value = 2; }
  message Span {
    bytes trace_id = 1; bytes parent_id = 2; bytes id = 3;
    enum Kind { SPAN_KIND_UNSPECIFIED = 0; CLIENT = 1; SERVER = 2; PRODUCER = 3; CONSUMER = 4; }
    Kind kind = 4; string name = 5; fixed64 timestamp = 6; uint64 duration = 7; Endpoint local_endpoint = 8;
    Endpoint remote_endpoint = 9; repeated Annotation annotations = 10; map<string, string> tags = 11; bool debug = 12;
    bool shared = 13;
  }
  message ListOfSpans { repeated Span spans = 1; }
`).root;

function encode(root: protobuf.Root, type: string, value: Plain): Uint8Array {
  const message = root.lookupType(type);
  return new Uint8Array(message.encode(message.fromObject(value)).finish());
}

export interface Tag {
  key: string;
  value: string | boolean | bigint | number | Uint8Array;
}

export interface Jaeger {
  traceId: string;
  spanId: string;
  operationName: string;
  references?: { traceId: string; spanId: string; refType: 'CHILD_OF' | 'FOLLOWS_FROM' }[];
  flags?: number;
  startNano?: bigint;
  durationNano?: bigint;
  tags?: Tag[];
  logs?: { nano: bigint; fields: Tag[] }[];
  process?: { serviceName: string; tags?: Tag[] };
}

/** Ids are hex, times ns. */
export function jaegerProto(span: Jaeger): Uint8Array {
  return encode(JAEGER, 'Span', {
    traceId: Buffer.from(span.traceId, 'hex'),
    spanId: Buffer.from(span.spanId, 'hex'),
    operationName: span.operationName,
    references: (span.references ?? []).map((ref) => ({
      traceId: Buffer.from(ref.traceId, 'hex'),
      spanId: Buffer.from(ref.spanId, 'hex'),
      refType: ref.refType,
    })),
    flags: span.flags ?? 0,
    startTime: secondsAndNanos(span.startNano ?? 0n),
    duration: secondsAndNanos(span.durationNano ?? 0n),
    tags: (span.tags ?? []).map(protoTag),
    logs: (span.logs ?? []).map(({ nano, fields }) => ({
      timestamp: secondsAndNanos(nano),
      fields: fields.map(protoTag),
    })),
    ...(span.process && {
      process: { serviceName: span.process.serviceName, tags: (span.process.tags ?? []).map(protoTag) },
    }),
  });
}

function secondsAndNanos(nano: bigint): Plain {
  return { seconds: (nano / 1_000_000_000n).toString(), nanos: Number(nano % 1_000_000_000n) };
}

function protoTag({ key, value }: Tag): Plain {
  if (typeof value === 'string') return { key, vStr: value };
  if (typeof value === 'boolean') return { key, vType: 'BOOL', vBool: value };
  if (typeof value === 'bigint') return { key, vType: 'INT64', vInt64: value.toString() };
  if (typeof value === 'number') return { key, vType: 'FLOAT64', vFloat64: value };
  return { key, vType: 'BINARY', vBinary: value };
}

export function jaegerJson(span: Jaeger): Uint8Array {
  const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
  const value = {
    traceId: base64(span.traceId),
    spanId: base64(span.spanId),
    operationName: span.operationName,
    references: span.references?.map((ref) => ({
      traceId: base64(ref.traceId),
      spanId: base64(ref.spanId),
      ...(ref.refType === 'CHILD_OF' ? {} : { refType: ref.refType }),
    })),
    flags: span.flags ?? 0,
    startTime: rfc3339(span.startNano ?? 0n),
    duration: `${Number(span.durationNano ?? 0n) / 1e9}s`,
    tags: span.tags?.map(jsonTag),
    logs: span.logs?.map(({ nano, fields }) => ({ timestamp: rfc3339(nano), fields: fields.map(jsonTag) })),
    process: span.process && { serviceName: span.process.serviceName, tags: span.process.tags?.map(jsonTag) },
  };
  return Buffer.from(JSON.stringify(value));
}

function rfc3339(nano: bigint): string {
  const whole = new Date(Number(nano / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = (nano % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`;
}

function jsonTag({ key, value }: Tag): Plain {
  if (typeof value === 'string') return { key, vStr: value };
  if (typeof value === 'boolean') return { key, vType: 'BOOL', vBool: value };
  if (typeof value === 'bigint') return { key, vType: 'INT64', vInt64: value.toString() };
  if (typeof value === 'number') return { key, vType: 'FLOAT64', vFloat64: value };
  return { key, vType: 'BINARY', vBinary: Buffer.from(value).toString('base64') };
}

export interface Endpoint {
  serviceName?: string;
  ipv4?: string;
  ipv6?: string;
  port?: number;
}

/** As in Zipkin's v2 JSON. */
export interface Zipkin {
  traceId: string;
  id: string;
  parentId?: string;
  kind?: 'CLIENT' | 'SERVER' | 'PRODUCER' | 'CONSUMER';
  name?: string;
  timestamp?: number;
  duration?: number;
  shared?: boolean;
  localEndpoint?: Endpoint;
  remoteEndpoint?: Endpoint;
  annotations?: { timestamp: number; value: string }[];
  tags?: Record<string, string>;
}

export function zipkinJson(spans: readonly Zipkin[]): Uint8Array {
  return Buffer.from(JSON.stringify(spans));
}

export function zipkinProto(spans: readonly Zipkin[]): Uint8Array {
  const endpoint = (from: Endpoint | undefined) =>
    from && {
      ...from,
      ...(from.ipv4 !== undefined && { ipv4: Buffer.from(from.ipv4.split('.').map(Number)) }),
      ...(from.ipv6 !== undefined && { ipv6: Buffer.from(ipv6Hex(from.ipv6), 'hex') }),
    };
  return encode(ZIPKIN, 'ListOfSpans', {
    spans: spans.map(({ localEndpoint, remoteEndpoint, ...span }) => ({
      ...span,
      traceId: Buffer.from(span.traceId, 'hex'),
      id: Buffer.from(span.id, 'hex'),
      ...(span.parentId !== undefined && { parentId: Buffer.from(span.parentId, 'hex') }),
      ...(localEndpoint && { localEndpoint: endpoint(localEndpoint) }),
      ...(remoteEndpoint && { remoteEndpoint: endpoint(remoteEndpoint) }),
    })),
  });
}

/** Of an address without `::`. */
function ipv6Hex(text: string): string {
  return text
    .split(':')
    .map((group) => group.padStart(4, '0'))
    .join('');
}
