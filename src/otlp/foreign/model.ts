// Spans on their way from another tracing system to OTLP: what opentelemetry-proto's trace/v1 holds, as far as the others fill it.
// Data only.

/** bigint: a 64-bit integer; number: a double. */
export type AttributeValue = string | boolean | bigint | number | Uint8Array;
export type Attributes = Map<string, AttributeValue>;

/** Ids are big-endian, 16 and 8 bytes; all zero is none. Times are ns since 1970, unsigned 64 bits. */
export interface Span {
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentSpanId: Uint8Array | undefined;
  traceState: string;
  name: string;
  kind: number;
  flags: number;
  startUnixNano: bigint;
  endUnixNano: bigint;
  attributes: Attributes;
  events: Event[];
  links: Link[];
  statusCode: number;
  statusMessage: string;
}

export interface Event {
  unixNano: bigint;
  name: string;
  attributes: Attributes;
  droppedAttributes: number;
}

export interface Link {
  traceId: Uint8Array;
  spanId: Uint8Array;
  traceState: string;
  attributes: Attributes;
  droppedAttributes: number;
}

export const SPAN_KIND = { unspecified: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
export const STATUS = { unset: 0, ok: 1, error: 2 } as const;

export const TRACE_ID_BYTES = 16;
export const SPAN_ID_BYTES = 8;

export function isZero(id: Uint8Array): boolean {
  return id.every((byte) => byte === 0);
}

/** An id of up to `size` bytes with zeros put before it: a 64-bit trace id is the low half of a 128-bit one. */
export function padId(id: Uint8Array, size: number): Uint8Array {
  if (id.length === size) return id;
  const padded = new Uint8Array(size);
  padded.set(id, size - id.length);
  return padded;
}

export function sameId(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
