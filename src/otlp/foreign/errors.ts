// What the transcoders say of a record that is not what its encoding promises. One class for every encoding: it names what is wrong
// and where.

/** How the value of a record is encoded: the names of the OpenTelemetry collector's Kafka exporter, and Tempo's own record. */
export const RECORD_ENCODINGS = [
  'push-bytes',
  'otlp',
  'otlp_json',
  'jaeger_proto',
  'jaeger_json',
  'zipkin_proto',
  'zipkin_json',
] as const;
export type RecordEncoding = (typeof RECORD_ENCODINGS)[number];

/** A closed list: it becomes a label value. */
export type RecordFault =
  | 'truncated'
  | 'wire_type'
  | 'varint'
  | 'tag'
  | 'depth'
  | 'syntax'
  | 'type'
  | 'range'
  | 'hex'
  | 'base64'
  | 'enum'
  | 'oneof'
  | 'id'
  | 'time';

/**
 * `where` is `byte 17` in a protobuf record and a path like `[3].localEndpoint.port` in a JSON one, where `body` is all of it. The
 * message is the encoding, the place and what is wrong.
 */
export class RecordDecodeError extends Error {
  readonly encoding: RecordEncoding;
  readonly reason: RecordFault;
  readonly where: string;
  constructor(
    encoding: RecordEncoding,
    reason: RecordFault,
    where: string,
    what: string,
    options?: { cause?: unknown },
  ) {
    super(`${encoding}: ${where}: ${what}`, options);
    this.name = 'RecordDecodeError';
    this.encoding = encoding;
    this.reason = reason;
    this.where = where;
  }
}
