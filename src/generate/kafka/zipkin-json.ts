// Zipkin's v2 JSON: an array of spans (zipkin-api, zipkin2-api.yaml). Times are rounded to µs, a duration to at least one, as Zipkin's
// library for Go does.
import type { ZipkinSpan } from './zipkin-model.ts';

export function zipkinJson(spans: Iterable<ZipkinSpan>): Uint8Array {
  return Buffer.from(JSON.stringify(Array.from(spans, jsonSpan)));
}

function jsonSpan(span: ZipkinSpan): object {
  return {
    timestamp: roundToMicros(span.startUnixNano),
    duration: Math.max(1, roundToMicros(span.durationNano)),
    traceId: span.traceId,
    id: span.id,
    ...(span.parentId !== '' && { parentId: span.parentId }),
    name: span.name,
    ...(span.kind !== '' && { kind: span.kind }),
    localEndpoint: { serviceName: span.localService },
    ...(span.remoteService !== '' && { remoteEndpoint: { serviceName: span.remoteService } }),
    ...(span.annotations.length > 0 && {
      annotations: span.annotations.map(({ unixNano, value }) => ({ timestamp: roundToMicros(unixNano), value })),
    }),
    tags: Object.fromEntries(span.tags),
  };
}

/** Exact as a number until the year 2255. */
const roundToMicros = (nano: bigint) => Number((nano + 500n) / 1000n);
