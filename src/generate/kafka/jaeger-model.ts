// OTLP spans as Jaeger spans, as the OpenTelemetry collector translates them (OpenTelemetry to Jaeger Transformation): kind, status and
// scope become tags, the parent and the links references. Times keep their nanoseconds.
import type { Attributes, AttributeValue } from '../attributes.ts';
import { type ResourceSpans, readResource, readScope, readSpan } from './read-request.ts';

export interface JaegerSpan {
  traceId: string;
  spanId: string;
  operationName: string;
  references: { traceId: string; spanId: string; refType: 0 | 1 }[];
  startUnixNano: bigint;
  durationNano: bigint;
  tags: JaegerTag[];
  logs: { unixNano: bigint; fields: JaegerTag[] }[];
  process: { serviceName: string; tags: JaegerTag[] };
}

/** A list is one text, as JSON. */
export type JaegerTag = readonly [key: string, value: string | boolean | number | { double: number }];

/** The numbers of model.proto. */
export const CHILD_OF = 0;
export const FOLLOWS_FROM = 1;

const KINDS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

export function* jaegerSpans(resources: readonly ResourceSpans[]): Generator<JaegerSpan> {
  for (const { resource, scopes } of resources) {
    const attributes = readResource(resource);
    const serviceName = attributes.find(([key]) => key === 'service.name')![1] as string;
    const process = { serviceName, tags: tagsOf(attributes.filter(([key]) => key !== 'service.name')) };
    for (const { scope, spans } of scopes) {
      const { name, version } = readScope(scope);
      for (const { body } of spans) {
        const span = readSpan(body);
        const { traceId, spanId, parentSpanId, startUnixNano, endUnixNano } = span;
        const tags: JaegerTag[] = [
          ['otel.scope.name', name],
          ['otel.scope.version', version],
          ...tagsOf(span.attributes),
          ['span.kind', KINDS[span.kind]!],
        ];
        if (span.statusCode !== 0) tags.push(['otel.status_code', span.statusCode === 2 ? 'ERROR' : 'OK']);
        if (span.statusCode === 2) tags.push(['error', true]);
        if (span.statusMessage !== '') tags.push(['otel.status_description', span.statusMessage]);
        yield {
          traceId,
          spanId,
          operationName: span.name,
          references: [
            ...(parentSpanId === '' ? [] : [{ traceId, spanId: parentSpanId, refType: CHILD_OF } as const]),
            ...span.links.map((link) => ({ ...link, refType: FOLLOWS_FROM }) as const),
          ],
          startUnixNano,
          durationNano: endUnixNano - startUnixNano,
          tags,
          logs: span.events.map((event) => ({
            unixNano: event.unixNano,
            fields: [['event', event.name], ...tagsOf(event.attributes)],
          })),
          process,
        };
      }
    }
  }
}

function tagsOf(attributes: Attributes): JaegerTag[] {
  return attributes.map(([key, value]) => [key, isList(value) ? JSON.stringify(value) : value]);
}

function isList(value: AttributeValue): value is readonly string[] {
  return Array.isArray(value);
}
