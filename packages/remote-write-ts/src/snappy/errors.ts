// The errors of the snappy codec.

/**
 * - `too_large`: the preamble says more than the caller allows, or than the format can hold.
 * - `truncated`: the stream ends inside an element, or before the promised length is reached.
 * - `bad_preamble`: the preamble is no varint of at most 32 bits, or promises more than any stream of this size could hold.
 * - `bad_offset`: a copy reaches before the beginning of the output.
 * - `overrun`: an element writes past the promised length.
 */
export type SnappyErrorCode = 'too_large' | 'truncated' | 'bad_preamble' | 'bad_offset' | 'overrun';

export class SnappyError extends Error {
  readonly code: SnappyErrorCode;
  constructor(code: SnappyErrorCode, message: string) {
    super(message);
    this.name = 'SnappyError';
    this.code = code;
  }
}
