// The numbers of bodies. No two bodies of a directory may ever get the same one: a cursor or a file that turns up late would
// take the second for the first. Where it isn't known which have been given, more than that are jumped over.

/** More than a segment holds: 2^30 bytes and a body, at 80 bytes each or more. */
export const SEGMENT_JUMP = 2 ** 24;
/** The last that is given: what claims to have more was not written by a disk queue. Far from what can't be counted any more. */
export const MAX_SEQUENCE = 2 ** 52;

/** A place in the row of sequences. */
export interface Position {
  sequence: number;
  /** How many before it were jumped over, so never given. */
  jumped: number;
}

/**
 * Where to go on.
 * @param known behind all that were given, as far as is known
 * @param needed at least
 */
export function startAt({ sequence, jumped }: Position, needed: number): Position {
  const jump = Math.max(0, Math.min(needed, Number.MAX_SAFE_INTEGER) - sequence);
  return { sequence: sequence + jump, jumped: jumped + jump };
}

/** Behind the last that was given before `next`, counted on from `from`. */
export function givenUpTo(from: Position, next: Position): number {
  return next.sequence - Math.max(0, next.jumped - from.jumped);
}

/** @returns undefined if it is none: beyond 2^53 numbers are no longer whole. */
export function readSequence(bytes: Buffer, at: number): number | undefined {
  const sequence = Number(bytes.readBigUInt64LE(at));
  return Number.isSafeInteger(sequence) ? sequence : undefined;
}
