// jaeger.api_v2.Span in protobuf's JSON mapping, as the OpenTelemetry collector writes it: ids in base64, times RFC 3339, durations in
// seconds with an s, 64-bit integers as texts, and nothing that is zero.
import { FOLLOWS_FROM, type JaegerSpan, type JaegerTag } from './jaeger-model.ts';

const NANO = 1_000_000_000n;

export function jaegerJson(span: JaegerSpan): Uint8Array {
  const value = {
    traceId: base64(span.traceId),
    spanId: base64(span.spanId),
    operationName: span.operationName,
    ...(span.references.length > 0 && {
      references: span.references.map(({ traceId, spanId, refType }) => ({
        traceId: base64(traceId),
        spanId: base64(spanId),
        ...(refType === FOLLOWS_FROM && { refType: 'FOLLOWS_FROM' }),
      })),
    }),
    startTime: rfc3339(span.startUnixNano),
    duration: `${span.durationNano / NANO}${fraction(span.durationNano)}s`,
    tags: span.tags.map(jsonTag),
    ...(span.logs.length > 0 && {
      logs: span.logs.map(({ unixNano, fields }) => ({ timestamp: rfc3339(unixNano), fields: fields.map(jsonTag) })),
    }),
    process: { serviceName: span.process.serviceName, tags: span.process.tags.map(jsonTag) },
  };
  return Buffer.from(JSON.stringify(value));
}

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

function rfc3339(unixNano: bigint): string {
  const seconds = new Date(Number(unixNano / NANO) * 1000).toISOString().slice(0, 19);
  return `${seconds}${fraction(unixNano)}Z`;
}

/** 0, 3, 6 or 9 digits. */
function fraction(nano: bigint): string {
  const digits = String(nano % NANO)
    .padStart(9, '0')
    .replace(/(?:000){1,3}$/, '');
  return digits === '' ? '' : `.${digits}`;
}

function jsonTag([key, value]: JaegerTag): object {
  if (typeof value === 'string') return value === '' ? { key } : { key, vStr: value };
  if (typeof value === 'boolean') return { key, vType: 'BOOL', ...(value && { vBool: true }) };
  if (typeof value === 'number') return { key, vType: 'INT64', ...(value !== 0 && { vInt64: String(value) }) };
  return { key, vType: 'FLOAT64', ...(value.double !== 0 && { vFloat64: value.double }) };
}
