// OTLP spans as Zipkin v2 spans, as the OpenTelemetry collector translates them (OpenTelemetry to Zipkin Transformation): every attribute
// of span and resource becomes a text among the tags, `peer.service` the remote endpoint. Times are still ns here: the two forms round
// them to µs differently.
import type { Attributes, AttributeValue } from '../attributes.ts';
import { type ResourceSpans, readResource, readScope, readSpan, type Span } from './read-request.ts';

export interface ZipkinSpan {
  traceId: string;
  id: string;
  /** Empty for a root. */
  parentId: string;
  name: string;
  /** Empty for INTERNAL, which a tag tells. */
  kind: '' | 'CLIENT' | 'SERVER' | 'PRODUCER' | 'CONSUMER';
  startUnixNano: bigint;
  durationNano: bigint;
  localService: string;
  /** Empty for none. */
  remoteService: string;
  annotations: { unixNano: bigint; value: string }[];
  tags: Map<string, string>;
}

const KINDS = ['', '', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const;
const INTERNAL = 1;

export function* zipkinSpans(resources: readonly ResourceSpans[]): Generator<ZipkinSpan> {
  for (const { resource, scopes } of resources) {
    const about = new Map(readResource(resource).map(([key, value]) => [key, textOf(value)]));
    const localService = about.get('service.name')!;
    about.delete('service.name');
    for (const { scope, spans } of scopes) {
      const { name, version } = readScope(scope);
      about.set('otel.library.name', name).set('otel.library.version', version);
      for (const { body } of spans) yield zipkinSpan(readSpan(body), localService, about);
    }
  }
}

function zipkinSpan(span: Span, localService: string, about: ReadonlyMap<string, string>): ZipkinSpan {
  const tags = new Map(about);
  for (const [key, value] of span.attributes) tags.set(key, textOf(value));
  if (span.kind === INTERNAL) tags.set('span.kind', 'internal');
  const remoteService = tags.get('peer.service') ?? '';
  tags.delete('peer.service');
  if (span.statusCode === 2) tags.set('error', 'true');
  if (span.statusCode !== 0) {
    tags.set('otel.status_code', span.statusCode === 2 ? 'Error' : 'Ok');
    if (span.statusMessage !== '') tags.set('otel.status_description', span.statusMessage);
  }
  for (const [i, link] of span.links.entries()) tags.set(`otlp.link.${i}`, `${link.traceId}|${link.spanId}||{}|0`);
  return {
    traceId: span.traceId,
    id: span.spanId,
    parentId: span.parentSpanId,
    name: span.name,
    kind: KINDS[span.kind]!,
    startUnixNano: span.startUnixNano,
    durationNano: span.endUnixNano - span.startUnixNano,
    localService,
    remoteService,
    annotations: span.events.map(({ unixNano, name, attributes }) => ({
      unixNano,
      value: attributes.length === 0 ? name : `${name}|${goJson(attributes)}|0`,
    })),
    tags,
  };
}

function textOf(value: AttributeValue): string {
  if (typeof value !== 'object') return String(value);
  return 'double' in value ? String(value.double) : JSON.stringify(value);
}

const ESCAPES: Readonly<Record<string, string>> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' };

/** Go's encoding/json: keys in order, HTML's characters escaped. */
function goJson(attributes: Attributes): string {
  const ordered = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  const plain = ordered.map(([key, value]) => [
    key,
    typeof value === 'object' && 'double' in value ? value.double : value,
  ]);
  return JSON.stringify(Object.fromEntries(plain)).replace(/[<>&]/g, (character) => ESCAPES[character]!);
}
