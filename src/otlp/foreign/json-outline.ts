// Tells JSON records apart by the keys of the outermost object, without parsing the rest. Must neither recurse nor throw.

import type { RecordEncoding } from './errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const NULL = Buffer.from('null');

const OTLP_KEYS = new Set(['resourceSpans', 'resource_spans']);
/** `traceId` alone could be anything's; it decides if nothing else does. */
const JAEGER_KEYS = new Set(['spanId', 'span_id', 'operationName', 'operation_name', 'startTime', 'start_time']);
const TRACE_ID_KEYS = new Set(['traceId', 'trace_id']);

/** An array of objects is Zipkin's; an object is OTLP's or Jaeger's by its keys, and OTLP's if it has none. */
export function detectJson(bytes: Uint8Array): RecordEncoding | undefined {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const start = skipSpace(bytes, hasMark ? 3 : 0);
  const next = skipSpace(bytes, start + 1);
  if (bytes[start] === OPEN_ARRAY) {
    return bytes[next] === OPEN_OBJECT || bytes[next] === CLOSE_ARRAY ? 'zipkin_json' : undefined;
  }
  if (bytes[start] === OPEN_OBJECT) return detectObject(bytes, next);
  // How the collector's exporter writes no spans.
  return bytes.length === 4 && Buffer.compare(bytes, NULL) === 0 ? 'zipkin_json' : undefined;
}

function detectObject(bytes: Uint8Array, first: number): RecordEncoding | undefined {
  if (bytes[first] === CLOSE_OBJECT) return 'otlp_json';
  let hasTraceId = false;
  let pos = first;
  while (bytes[pos] === QUOTE) {
    const end = endOfString(bytes, pos);
    const key = Buffer.from(
      bytes.buffer,
      bytes.byteOffset + pos + 1,
      Math.max(0, Math.min(end - pos - 2, 64)),
    ).toString('latin1');
    if (OTLP_KEYS.has(key)) return 'otlp_json';
    if (JAEGER_KEYS.has(key)) return 'jaeger_json';
    hasTraceId ||= TRACE_ID_KEYS.has(key);
    pos = skipSpace(bytes, end);
    if (bytes[pos] !== COLON) return undefined;
    pos = endOfValue(bytes, pos + 1);
    if (bytes[pos] !== COMMA) break;
    pos = skipSpace(bytes, pos + 1);
  }
  return bytes[pos] === CLOSE_OBJECT && hasTraceId ? 'jaeger_json' : undefined;
}

function skipSpace(bytes: Uint8Array, pos: number): number {
  while (bytes[pos] === 0x20 || bytes[pos] === 0x0a || bytes[pos] === 0x0d || bytes[pos] === 0x09) pos++;
  return pos;
}

/** After the closing quote, or the end of the bytes. */
function endOfString(bytes: Uint8Array, start: number): number {
  let pos = start + 1;
  while (pos < bytes.length && bytes[pos] !== QUOTE) pos += bytes[pos] === BACKSLASH ? 2 : 1;
  return pos + 1;
}

/** At the comma or the bracket that ends a value of the outermost object. */
function endOfValue(bytes: Uint8Array, start: number): number {
  let depth = 0;
  let pos = start;
  while (pos < bytes.length) {
    const byte = bytes[pos];
    if (byte === QUOTE) {
      pos = endOfString(bytes, pos);
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 0) return pos;
      depth--;
    } else if (byte === COMMA && depth === 0) return pos;
    pos++;
  }
  return pos;
}
