// The error of a native histogram that a receiver would refuse, or worse, take.

/**
 * - `bad_schema`: neither -4 to 8 nor -53 (custom buckets).
 * - `bad_spans`: lengths that don't fit the counts, an offset below 0 after the first span, or a number that is no 32-bit one.
 * - `bad_count`: negative, or not whole in an integer histogram; a sum that is no number.
 * - `count_mismatch`: buckets and zero bucket don't add up to the count.
 * - `bad_bounds`: custom bounds that don't increase, aren't finite, or are too few; or bounds of a schema that has none.
 * - `bad_reset_hint`: none of `RESET_HINTS`.
 * - `bad_zero`: a zero threshold that is negative or not finite, or a zero or negative bucket beside custom ones.
 */
export type HistogramErrorCode =
  | 'bad_schema'
  | 'bad_spans'
  | 'bad_count'
  | 'count_mismatch'
  | 'bad_bounds'
  | 'bad_reset_hint'
  | 'bad_zero';

export class HistogramError extends Error {
  readonly code: HistogramErrorCode;
  constructor(code: HistogramErrorCode, message: string) {
    super(message);
    this.name = 'HistogramError';
    this.code = code;
  }
}
