// How enum values are spelt in labels (opentelemetry-proto, trace/v1 Span.SpanKind and Status.StatusCode).

export const SPAN_KINDS = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
] as const;
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;
export const KIND_PRODUCER = 4;
export const KIND_CONSUMER = 5;

export const STATUS_CODES = ['STATUS_CODE_UNSET', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'] as const;
export const STATUS_OK = 1;
export const STATUS_ERROR = 2;

/** Numbers outside the enum print as they are. */
export function kindName(kind: number): string {
  return SPAN_KINDS[kind] ?? String(kind);
}

export function statusName(status: number): string {
  return STATUS_CODES[status] ?? String(status);
}
