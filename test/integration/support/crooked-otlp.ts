// Writes OTLP protobuf field by field, so that every field can be wrong (opentelemetry-proto, trace/v1 and common/v1).

import { createHash } from 'node:crypto';

type Bytes = Uint8Array | string;

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

export function delimited(field: number, body: Bytes): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(Buffer.byteLength(body)), Buffer.from(body as string)]);
}

export function integer(field: number, value: number | bigint): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function fixed64(field: number, value: bigint): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(value);
  return Buffer.concat([varint(field * 8 + 1), body]);
}

/** An AnyValue with a text, inside `depth - 1` arrays or maps. From the inside out, as each length stands before what it counts. */
export function value(text: Bytes, depth = 1, kind: 'array' | 'map' = 'array'): Buffer {
  const parts = [delimited(1, text)];
  let sizeBytes = parts[0]!.length;
  const wrap = (...head: Buffer[]) => {
    for (const part of head.reverse()) {
      parts.push(part);
      sizeBytes += part.length;
    }
  };
  for (let i = 1; i < depth; i++) {
    if (kind === 'map') wrap(delimited(1, 'k'), varint(2 * 8 + 2), varint(sizeBytes));
    wrap(varint(1 * 8 + 2), varint(sizeBytes));
    wrap(varint((kind === 'array' ? 5 : 6) * 8 + 2), varint(sizeBytes));
  }
  return Buffer.concat(parts.reverse());
}

export function keyValue(key: Bytes, any: Uint8Array): Buffer {
  return Buffer.concat([delimited(1, key), delimited(2, any)]);
}

export interface SpanFields {
  name?: Bytes;
  traceId?: Bytes;
  spanId?: Bytes;
  kind?: number | bigint;
  startNano?: bigint;
  endNano?: bigint;
  attributes?: Uint8Array[];
  /** More fields, encoded. */
  more?: Uint8Array[];
}

let made = 0;

/** A server span that has just ended, but for what is given. */
export function span(fields: SpanFields = {}): Buffer {
  const id = createHash('md5').update(`span ${made++}`).digest();
  const nowNano = BigInt(Date.now()) * 1_000_000n;
  const { name = 'good', traceId = id, spanId = id.subarray(0, 8), kind = 2, attributes = [], more = [] } = fields;
  return Buffer.concat([
    delimited(1, traceId),
    delimited(2, spanId),
    delimited(5, name),
    integer(6, kind),
    fixed64(7, fields.startNano ?? nowNano - 1_000_000n),
    fixed64(8, fields.endNano ?? nowNano),
    ...attributes.map((attribute) => delimited(9, attribute)),
    ...more,
  ]);
}

/** An ExportTraceServiceRequest of one resource and scope. */
export function request(spans: readonly Uint8Array[], service: Bytes = 'shop'): Buffer {
  const resource = delimited(1, keyValue('service.name', value(service)));
  const scopeSpans = Buffer.concat(spans.map((one) => delimited(2, one)));
  return delimited(1, Buffer.concat([delimited(1, resource), delimited(2, scopeSpans)]));
}
