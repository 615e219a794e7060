// The collector's `zipkin_json` records, and bodies of Zipkin's API: an array of v2 spans (zipkin-api, zipkin2-api.yaml). Ids are hex,
// times are µs.

import { jsonScalars } from '../json/index.ts';
import { canonicalIp } from './ip-text.ts';
import { type JsonObject, JsonReader } from './json-reader.ts';
import { isZero, padId, SPAN_ID_BYTES, TRACE_ID_BYTES } from './model.ts';
import { MAX_MICROS, MAX_PORT, ZIPKIN_KIND, type ZipkinEndpoint, type ZipkinSpan } from './zipkin-model.ts';

/** Calls `take` with each span. @throws RecordDecodeError */
export function readZipkinJson(bytes: Uint8Array, take: (span: ZipkinSpan) => void): void {
  const json = new JsonReader('zipkin_json');
  const spans = json.parse(bytes);
  // No spans are `null` to the collector's exporter, and it passes over a null among them.
  if (spans === null) return;
  json.each(spans, (element) => {
    if (element !== null) take(readSpan(json, json.object(element)));
  });
}

const KINDS: ReadonlyMap<string, number> = new Map([
  ['CLIENT', ZIPKIN_KIND.client],
  ['SERVER', ZIPKIN_KIND.server],
  ['PRODUCER', ZIPKIN_KIND.producer],
  ['CONSUMER', ZIPKIN_KIND.consumer],
]);

function readSpan(json: JsonReader, span: JsonObject): ZipkinSpan {
  const timestamp = readMicros(json, span, 'timestamp');
  const read: ZipkinSpan = {
    traceId: readId(json, span, 'traceId', TRACE_ID_BYTES) ?? json.failAt('traceId', 'id', 'missing'),
    id: readId(json, span, 'id', SPAN_ID_BYTES) ?? json.failAt('id', 'id', 'missing'),
    parentId: readId(json, span, 'parentId', SPAN_ID_BYTES),
    name: json.text(span, 'name'),
    // A kind of the future is none, as it is to the collector.
    kind: KINDS.get(json.text(span, 'kind')) ?? 0,
    timestampMicros: timestamp === 0n ? undefined : timestamp,
    durationMicros: readMicros(json, span, 'duration'),
    localEndpoint: json.child(span, 'localEndpoint', (endpoint) => readEndpoint(json, endpoint)),
    remoteEndpoint: json.child(span, 'remoteEndpoint', (endpoint) => readEndpoint(json, endpoint)),
    annotations: [],
    tags: json.child(span, 'tags', (tags) => readTags(json, tags)) ?? new Map(),
  };
  if (read.parentId !== undefined && isZero(read.parentId)) read.parentId = undefined;
  json.list(span, 'annotations', (element) => {
    const annotation = json.object(element);
    read.annotations.push({
      micros: readMicros(json, annotation, 'timestamp'),
      value: json.text(annotation, 'value'),
    });
  });
  return read;
}

/** 1 to 32 or 16 hex digits: zeros in front may be missing, and a 64-bit trace id has 16. */
function readId(json: JsonReader, object: JsonObject, name: string, size: number): Uint8Array | undefined {
  const text = json.text(object, name);
  if (text === '') return undefined;
  if (text.length > size * 2) json.failAt(name, 'id', `longer than ${size * 2} digits`);
  const even = text.length % 2 === 0 ? text : `0${text}`;
  if (!jsonScalars.isHex(even)) json.failAt(name, 'hex', 'not hex');
  return padId(Buffer.from(even, 'hex'), size);
}

function readMicros(json: JsonReader, object: JsonObject, name: string): bigint {
  const micros = json.integer(object, name);
  return micros >= 0n && micros <= MAX_MICROS ? micros : json.failAt(name, 'range', 'out of range');
}

function readEndpoint(json: JsonReader, endpoint: JsonObject): ZipkinEndpoint {
  const port = json.integer(endpoint, 'port');
  return {
    serviceName: json.text(endpoint, 'serviceName'),
    ipv4: canonicalIp(json.text(endpoint, 'ipv4')),
    ipv6: canonicalIp(json.text(endpoint, 'ipv6')),
    port: port > 0n && port <= MAX_PORT ? Number(port) : 0,
  };
}

/** Values are texts; a number or a truth value that some reporter did not turn into one is read as its text. */
function readTags(json: JsonReader, object: JsonObject): Map<string, string> {
  const tags = new Map<string, string>();
  for (const key of Object.keys(object)) {
    const value = object[key];
    if (value === null) continue;
    if (typeof value === 'object') json.failAt(key, 'type', 'not a string');
    tags.set(key, String(value));
  }
  return tags;
}
