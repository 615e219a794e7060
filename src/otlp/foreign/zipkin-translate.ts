// Zipkin spans as the OpenTelemetry collector understands them (opentelemetry-collector-contrib, translator/zipkin/zipkinv2;
// OpenTelemetry to Zipkin Transformation). Tags stay texts, as in the collector's Kafka receiver. FORMAT.md has what differs.

import {
  type Attributes,
  type AttributeValue,
  type Event,
  type Link,
  padId,
  SPAN_ID_BYTES,
  SPAN_KIND,
  type Span,
  STATUS,
  sameId,
  TRACE_ID_BYTES,
} from './model.ts';
import type { RequestBuilder } from './write-request.ts';
import { ZIPKIN_KIND, type ZipkinEndpoint, type ZipkinSpan } from './zipkin-model.ts';
import { RESOURCE_TAGS } from './zipkin-resource-tags.ts';

/** What the collector's exporter calls the service of a resource that has none. */
const NO_SERVICE = 'OTLPResourceNoServiceName';
/** Names the resource attribute that the service's name was taken from, where it was not `service.name`. */
const SERVICE_NAME_SOURCE = 'otlp.service.name.source';
const MAX_LINKS = 128;

/** Adds the span to the request. */
export function addZipkinSpan(request: RequestBuilder, span: ZipkinSpan): void {
  // The reader made the tags for us: what is taken from them here, nobody misses.
  const { tags } = span;
  const attributes = takeResource(tags, span.localEndpoint?.serviceName ?? '');
  const library = { name: take(tags, 'otel.library.name'), version: take(tags, 'otel.library.version') };
  const name = take(tags, 'otel.scope.name') ?? library.name ?? '';
  const version = take(tags, 'otel.scope.version') ?? library.version ?? '';
  request.add(attributes, name, name === '' ? '' : version, spanOf(span, tags));
}

/** Without a service there is no resource, and the tags that would be its attributes are lost. */
function takeResource(tags: Map<string, string>, serviceName: string): Attributes {
  const attributes: Attributes = new Map();
  const hasService = serviceName !== '' && serviceName !== NO_SERVICE;
  const source = take(tags, SERVICE_NAME_SOURCE);
  if (hasService) attributes.set(source || 'service.name', serviceName);
  for (const [key, value] of tags) {
    if (!RESOURCE_TAGS.has(key)) continue;
    if (hasService) attributes.set(key, value);
    tags.delete(key);
  }
  return attributes;
}

/** `tags` has what is left of the span's tags, and loses more here. */
function spanOf(span: ZipkinSpan, tags: Map<string, string>): Span {
  const startMicros = span.timestampMicros ?? 0n;
  const traceState = take(tags, 'w3c.tracestate') ?? '';
  const kind = takeKind(span.kind, tags);
  const status = takeStatus(tags);
  const links = takeLinks(tags);
  const attributes: Attributes = new Map(tags);
  addEndpoint(attributes, span.localEndpoint, 'net.host', 'network.local');
  if (span.remoteEndpoint !== undefined) {
    const { serviceName } = span.remoteEndpoint;
    if (serviceName !== '') attributes.set('peer.service', serviceName).set('service.peer.name', serviceName);
    addEndpoint(attributes, span.remoteEndpoint, 'net.peer', 'network.peer');
  }
  if (span.timestampMicros === undefined) attributes.set('otel.zipkin.absentField.startTime', true);
  return {
    traceId: span.traceId,
    spanId: span.id,
    parentSpanId: span.parentId === undefined || sameId(span.parentId, span.id) ? undefined : span.parentId,
    traceState,
    name: span.name,
    kind,
    flags: 0,
    startUnixNano: BigInt.asUintN(64, startMicros * 1000n),
    endUnixNano: BigInt.asUintN(64, (startMicros + span.durationMicros) * 1000n),
    attributes,
    events: span.annotations.map(({ micros, value }) => eventOf(BigInt.asUintN(64, micros * 1000n), value)),
    links,
    statusCode: status.code,
    statusMessage: status.message,
  };
}

function takeKind(kind: number, tags: Map<string, string>): number {
  switch (kind) {
    case ZIPKIN_KIND.client:
      return SPAN_KIND.client;
    case ZIPKIN_KIND.server:
      return SPAN_KIND.server;
    case ZIPKIN_KIND.producer:
      return SPAN_KIND.producer;
    case ZIPKIN_KIND.consumer:
      return SPAN_KIND.consumer;
    default:
      return take(tags, 'span.kind') === 'internal' ? SPAN_KIND.internal : SPAN_KIND.unspecified;
  }
}

const STATUS_CODES: ReadonlyMap<string, number> = new Map([
  ['STATUS_CODE_UNSET', STATUS.unset],
  ['STATUS_CODE_OK', STATUS.ok],
  ['STATUS_CODE_ERROR', STATUS.error],
  ['Unset', STATUS.unset],
  ['Ok', STATUS.ok],
  ['Error', STATUS.error],
]);

/** A tag `error` makes the span an error whatever its value (Zipkin's own rule); the collector's exporter writes "true". */
function takeStatus(tags: Map<string, string>): { code: number; message: string } {
  const said = take(tags, 'otel.status_code');
  let code = said === undefined ? STATUS.unset : (STATUS_CODES.get(said) ?? STATUS.unset);
  const message = said === undefined ? '' : (take(tags, 'otel.status_description') ?? '');
  const error = tags.get('error');
  if (error !== undefined) {
    code = STATUS.error;
    if (error === 'true') tags.delete('error');
  }
  return { code, message };
}

/**
 * Under the names of semantic conventions 1.12 and of 1.40: the collector has written the old ones, then both, now the new ones. The
 * old `peer.service` is what service graphs look for.
 */
function addEndpoint(
  attributes: Attributes,
  endpoint: ZipkinEndpoint | undefined,
  oldPrefix: string,
  prefix: string,
): void {
  if (endpoint === undefined) return;
  const ip = endpoint.ipv6 ?? endpoint.ipv4;
  if (ip !== undefined) attributes.set(`${oldPrefix}.ip`, ip).set(`${prefix}.address`, ip);
  if (endpoint.port > 0) attributes.set(`${oldPrefix}.port`, BigInt(endpoint.port));
}

/** The collector's exporter writes an event with attributes as `name|{json}|dropped`. Any other text is the event's name. */
function eventOf(unixNano: bigint, text: string): Event {
  const first = text.indexOf('|');
  const packed = first < 0 ? undefined : unpack(text.slice(first + 1));
  if (packed === undefined) return { unixNano, name: text, attributes: new Map(), droppedAttributes: 0 };
  return { unixNano, name: text.slice(0, first), ...packed };
}

/**
 * Links are tags `otlp.link.0` and so on, `trace id|span id|trace state|{json}|dropped`. What is not of that form stays a tag.
 */
function takeLinks(tags: Map<string, string>): Link[] {
  const links: Link[] = [];
  for (let i = 0; i < MAX_LINKS; i++) {
    const key = `otlp.link.${i}`;
    const text = tags.get(key);
    if (text === undefined) break;
    const match = LINK.exec(text);
    const packed = match === null ? undefined : unpack(match[4]!);
    if (match === null || packed === undefined) continue;
    tags.delete(key);
    links.push({
      traceId: padId(Buffer.from(match[1]!, 'hex'), TRACE_ID_BYTES),
      spanId: padId(Buffer.from(match[2]!, 'hex'), SPAN_ID_BYTES),
      traceState: match[3]!,
      ...packed,
    });
  }
  return links;
}

const LINK = /^([0-9a-f]{32}|)\|([0-9a-f]{16}|)\|([^|]*)\|(.*)$/is;
const DROPPED = /\|(\d{1,9})$/;

/** `{json}|dropped`; undefined if it is not that. */
function unpack(text: string): { attributes: Attributes; droppedAttributes: number } | undefined {
  const dropped = DROPPED.exec(text);
  if (dropped === null || text[0] !== '{') return undefined;
  let object: unknown;
  try {
    object = JSON.parse(text.slice(0, dropped.index));
  } catch {
    return undefined;
  }
  const attributes: Attributes = new Map();
  for (const [key, value] of Object.entries(object as object)) {
    const attribute = attributeOf(value);
    if (attribute !== undefined) attributes.set(key, attribute);
  }
  return { attributes, droppedAttributes: Number(dropped[1]) };
}

/** JSON knows one kind of number. Lists and maps are left out, as the collector does. */
function attributeOf(value: unknown): AttributeValue | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value !== 'number') return undefined;
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? BigInt(value) : value;
}

function take(tags: Map<string, string>, key: string): string | undefined {
  const value = tags.get(key);
  tags.delete(key);
  return value;
}
