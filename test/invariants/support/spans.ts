// Spans as plain objects, and as the bytes of an ExportTraceServiceRequest.
import { transcodeRequestObject } from '../../../src/otlp/json/index.ts';

export const SERVER = 2;
export const CLIENT = 3;
export const PRODUCER = 4;
export const CONSUMER = 5;

export interface SpanSpec {
  service: string;
  name: string;
  /** OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  /** 32 hex digits. */
  trace: string;
  /** 16 hex digits. */
  id: string;
  /** 16 hex digits, or empty for a root. */
  parent: string;
  startMs: number;
  endMs: number;
  failed: boolean;
  attributes: Record<string, string>;
}

let serial = 0;

/** A span of 20 ms that ends at `endMs`, with an id of its own. */
export function span(endMs: number, more: Partial<SpanSpec> = {}): SpanSpec {
  serial++;
  return {
    service: 'shop',
    name: 'GET /',
    kind: 1,
    trace: hex(serial, 32),
    id: hex(serial, 16),
    parent: '',
    startMs: endMs - 20,
    endMs,
    failed: false,
    attributes: {},
    ...more,
  };
}

export function hex(n: number, digits: number): string {
  return (n + 1).toString(16).padStart(digits, 'a');
}

/** One ResourceSpans for each run of spans of one service: the order of the spans stays. */
export function encodeSpans(spans: readonly SpanSpec[]): Uint8Array {
  const groups: { service: string; spans: SpanSpec[] }[] = [];
  for (const each of spans) {
    if (groups.at(-1)?.service === each.service) groups.at(-1)!.spans.push(each);
    else groups.push({ service: each.service, spans: [each] });
  }
  return transcodeRequestObject({
    resourceSpans: groups.map((group) => ({
      resource: { attributes: attributesOf({ 'service.name': group.service }) },
      scopeSpans: [{ spans: group.spans.map(jsonOf) }],
    })),
  });
}

function jsonOf(each: SpanSpec) {
  return {
    traceId: each.trace,
    spanId: each.id,
    ...(each.parent === '' ? {} : { parentSpanId: each.parent }),
    name: each.name,
    kind: each.kind,
    startTimeUnixNano: `${each.startMs}000000`,
    endTimeUnixNano: `${each.endMs}000000`,
    attributes: attributesOf(each.attributes),
    status: each.failed ? { code: 2 } : {},
  };
}

function attributesOf(values: Record<string, string>) {
  return Object.entries(values).map(([key, text]) => ({ key, value: { stringValue: text } }));
}
