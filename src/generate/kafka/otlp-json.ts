// OTLP's JSON encoding as the OpenTelemetry collector writes it: ids in hex, 64-bit integers as texts, enums as numbers, and a parent id
// and a status also where they are empty.
import type { Attributes, AttributeValue } from '../attributes.ts';
import { type ResourceSpans, readResource, readScope, readSpan, type Span } from './read-request.ts';

/** An ExportTraceServiceRequest. */
export function otlpJson(resources: readonly ResourceSpans[]): Uint8Array {
  const resourceSpans = resources.map(({ resource, schemaUrl, scopes }) => ({
    resource: { attributes: keyValues(readResource(resource)) },
    scopeSpans: scopes.map(({ scope, spans }) => ({
      scope: readScope(scope),
      spans: spans.map(({ body }) => jsonSpan(readSpan(body))),
    })),
    schemaUrl: Buffer.from(schemaUrl).toString(),
  }));
  return Buffer.from(JSON.stringify({ resourceSpans }));
}

function jsonSpan(span: Span): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    flags: span.flags,
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: String(span.startUnixNano),
    endTimeUnixNano: String(span.endUnixNano),
    attributes: keyValues(span.attributes),
    ...(span.events.length > 0 && {
      events: span.events.map(({ unixNano, name, attributes }) => ({
        timeUnixNano: String(unixNano),
        name,
        attributes: keyValues(attributes),
      })),
    }),
    ...(span.links.length > 0 && { links: span.links }),
    status: {
      ...(span.statusMessage !== '' && { message: span.statusMessage }),
      ...(span.statusCode !== 0 && { code: span.statusCode }),
    },
  };
}

const keyValues = (attributes: Attributes) => attributes.map(([key, value]) => ({ key, value: anyValue(value) }));

function anyValue(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return { intValue: String(value) };
  if ('double' in value) return { doubleValue: value.double };
  return { arrayValue: { values: value.map(anyValue) } };
}
