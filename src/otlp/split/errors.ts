// What the door says of bytes that are no ExportTraceServiceRequest.

export type OtlpDecodeReason = 'truncated' | 'wire_type' | 'varint' | 'tag' | 'depth';

/** `position` is a byte offset into the request, `field` the message and field in it, like `Span.attributes`. */
export class OtlpDecodeError extends Error {
  readonly reason: OtlpDecodeReason;
  readonly field: string;
  readonly position: number;
  constructor(reason: OtlpDecodeReason, field: string, what: string, position: number) {
    super(`${field}: ${what} at byte ${position}`);
    this.name = 'OtlpDecodeError';
    this.reason = reason;
    this.field = field;
    this.position = position;
  }
}

/**
 * Every part has a copy of what its spans share. A large resource whose spans go to many partitions would become many times the
 * request.
 */
export class CopiesTooLarge extends Error {
  constructor(maxCopiedBytes: number) {
    super(
      `what the spans share would be copied into more than ${maxCopiedBytes} bytes, as their traces go to many partitions`,
    );
    this.name = 'CopiesTooLarge';
  }
}
