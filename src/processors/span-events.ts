// The attributes of a span's events, which the decoder passes over: read from the span's bytes where somebody counts events.

import type { SpanBatch } from '../otlp/index.ts';
import { wireFields } from './wire-fields.ts';

// Fields of Span, Span.Event and KeyValue (opentelemetry-proto, trace/v1 and common/v1).
const EVENTS = 11;
const ATTRIBUTES = 3;
const KEY = 1;
const VALUE = 2;

/** By key the range of the first attribute's AnyValue in the batch's bytes; a key without a value has an empty one. */
export type EventAttributes = ReadonlyMap<string, { start: number; end: number }>;

/** The events of a span, in order. */
export function eventsOf({ bytes, spanStart, spanEnd }: SpanBatch, span: number): EventAttributes[] {
  return wireFields(bytes, spanStart[span]!, spanEnd[span]!)
    .filter(({ number }) => number === EVENTS)
    .map((event) => attributesOf(bytes, event.start, event.end));
}

function attributesOf(bytes: Uint8Array, start: number, end: number): EventAttributes {
  const attributes = new Map<string, { start: number; end: number }>();
  for (const attribute of wireFields(bytes, start, end)) {
    if (attribute.number !== ATTRIBUTES) continue;
    let key = '';
    let value = { start: attribute.end, end: attribute.end };
    for (const field of wireFields(bytes, attribute.start, attribute.end)) {
      if (field.number === KEY) key = Buffer.from(bytes.subarray(field.start, field.end)).toString();
      else if (field.number === VALUE) value = { start: field.start, end: field.end };
    }
    if (!attributes.has(key)) attributes.set(key, value);
  }
  return attributes;
}
