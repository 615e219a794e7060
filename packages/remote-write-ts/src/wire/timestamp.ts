// Timestamps: int64 on the wire, safe integers here.

/** @throws RangeError for what is no safe integer. */
export function checkTimestamp(timestampMs: number): void {
  if (!Number.isSafeInteger(timestampMs)) throw new RangeError(`not a timestamp in milliseconds: ${timestampMs}`);
}

/**
 * @param startMs 0 for "not known".
 * @throws RangeError for what is no timestamp, or later than the sample's.
 */
export function checkStart(startMs: number, timestampMs: number): void {
  checkTimestamp(startMs);
  if (startMs > timestampMs) throw new RangeError(`starts at ${startMs}, after its timestamp ${timestampMs}`);
}
