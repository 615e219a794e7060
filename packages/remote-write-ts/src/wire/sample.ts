// A sample, and the point of an exemplar, as both protocols write them: only the labels around them differ. One layout for all
// samples, zeros written out, so that who knows where a sample ends knows where its value stands. See FORMAT.md.

import { int64Size, type WireWriter } from './writer.ts';

/** The field `samples`, in both protocols. */
export const TAG_SAMPLES = 0x12;
const TAG_VALUE = 0x09;
const TAG_TIMESTAMP = 0x10;
const TAG_START = 0x18;
const TAG_EXEMPLAR_VALUE = 0x11;
const TAG_EXEMPLAR_TIMESTAMP = 0x18;
/** Tag and eight bytes of a double. */
const DOUBLE_FIELD_BYTES = 9;

/** From the start of the field `samples` to its value: tag, length, tag of the value. */
export const SAMPLE_HEADER_BYTES = 3;
/** Of the field `samples`, whatever the numbers: its length always is one byte. */
export const MAX_SAMPLE_BYTES = SAMPLE_HEADER_BYTES + 8 + 11 + 11;

/** The bytes that `putSample` writes. @param startMs 0 for none. */
export function sampleFieldSize(timestampMs: number, startMs: number): number {
  return 2 + sampleSize(timestampMs, startMs);
}

/** Writes the field `samples` into room that was reserved. @param startMs 0 for none; only 2.0 has one. */
export function putSample(
  out: WireWriter,
  value: number,
  isStale: boolean,
  timestampMs: number,
  startMs: number,
): void {
  out.byte(TAG_SAMPLES);
  out.byte(sampleSize(timestampMs, startMs));
  out.byte(TAG_VALUE);
  if (isStale) out.stale();
  else out.double(value);
  out.byte(TAG_TIMESTAMP);
  out.timestamp(timestampMs);
  if (startMs !== 0) {
    out.byte(TAG_START);
    out.int64(startMs);
  }
}

/** The most bytes that `putExemplarPoint` writes. */
export const MAX_EXEMPLAR_POINT_BYTES = DOUBLE_FIELD_BYTES + 11;

/** The bytes that `putExemplarPoint` writes. */
export function exemplarPointSize(timestampMs: number): number {
  return DOUBLE_FIELD_BYTES + 1 + int64Size(timestampMs);
}

/** Value and timestamp of an exemplar, after its labels. */
export function putExemplarPoint(out: WireWriter, value: number, timestampMs: number): void {
  out.byte(TAG_EXEMPLAR_VALUE);
  out.double(value);
  out.byte(TAG_EXEMPLAR_TIMESTAMP);
  out.int64(timestampMs);
}

function sampleSize(timestampMs: number, startMs: number): number {
  return DOUBLE_FIELD_BYTES + 1 + int64Size(timestampMs) + (startMs === 0 ? 0 : 1 + int64Size(startMs));
}
