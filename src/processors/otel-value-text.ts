// The string form of an attribute value as the collector's labels spell it: lists and maps as JSON (keys sorted, without blanks),
// bytes as base64, numbers as ECMAScript prints them. Runs once per distinct value, so it may allocate.

import { utf8, utf8Text } from '../bytes/index.ts';
import { varintAt, wireFields } from './wire-fields.ts';

type Value = string | number | bigint | boolean | Uint8Array | Value[] | Map<string, Value> | null;

// Fields of AnyValue (opentelemetry-proto, common/v1).
const STRING = 1;
const BOOL = 2;
const INT = 3;
const DOUBLE = 4;
const ARRAY = 5;
const MAP = 6;
const BYTES = 7;

/** String form of the AnyValue in [start, end), a message that was decoded before. */
export function otelValueText(buf: Uint8Array, start: number, end: number): Uint8Array {
  // A string is any bytes: whether they are text is found out later.
  const field = wireFields(buf, start, end).at(-1);
  if (field?.number === STRING) return buf.subarray(field.start, field.end);
  const value = readValue(buf, start, end);
  if (value === null) return new Uint8Array(0);
  return utf8(value instanceof Uint8Array ? base64(value) : jsonText(value));
}

function readValue(buf: Uint8Array, start: number, end: number): Value {
  let value: Value = null;
  for (const { number, start: from, end: to } of wireFields(buf, start, end)) {
    if (number === STRING) value = utf8Text(buf.subarray(from, to));
    else if (number === BOOL) value = varintAt(buf, from).value !== 0n;
    else if (number === INT) value = BigInt.asIntN(64, varintAt(buf, from).value);
    else if (number === DOUBLE) value = new DataView(buf.buffer, buf.byteOffset, buf.length).getFloat64(from, true);
    else if (number === ARRAY) value = wireFields(buf, from, to).map((item) => readValue(buf, item.start, item.end));
    else if (number === MAP) value = new Map(wireFields(buf, from, to).map((pair) => readPair(buf, pair)));
    else if (number === BYTES) value = buf.subarray(from, to);
  }
  return value;
}

function readPair(buf: Uint8Array, { start, end }: { start: number; end: number }): [string, Value] {
  let key = '';
  let value: Value = null;
  for (const field of wireFields(buf, start, end)) {
    if (field.number === 1) key = utf8Text(buf.subarray(field.start, field.end));
    else if (field.number === 2) value = readValue(buf, field.start, field.end);
  }
  return [key, value];
}

function jsonText(value: Value): string {
  if (value instanceof Uint8Array) return JSON.stringify(base64(value));
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (value instanceof Map) {
    const pairs = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${pairs.map(([key, held]) => `${JSON.stringify(key)}:${jsonText(held)}`).join(',')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
