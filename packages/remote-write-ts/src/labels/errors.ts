// The errors of label sets. A message names the label, never its value: values may be secret or huge.

/**
 * - `no_metric_name`: there is no `__name__`.
 * - `empty_name`, `empty_value`: an empty value means "label absent", so it must not be sent.
 * - `duplicate_name`: some receivers answer 500 to it, which a sender would repeat for ever.
 * - `not_unicode`: a lone surrogate, which has no UTF-8 form; replacing it could merge two series into one.
 * - `untranslatable_name`: nothing is left of a name where it must be a legacy one.
 * - `unknown_type`: metadata with a type that isn't one of `METRIC_TYPES`; a request with it can't be decoded.
 * - `exemplar_too_long`: more than 128 characters in an exemplar's names and values; receivers drop it silently.
 */
export type LabelErrorCode =
  | 'no_metric_name'
  | 'empty_name'
  | 'empty_value'
  | 'duplicate_name'
  | 'not_unicode'
  | 'untranslatable_name'
  | 'unknown_type'
  | 'exemplar_too_long';

export class LabelError extends Error {
  readonly code: LabelErrorCode;
  constructor(code: LabelErrorCode, message: string) {
    super(message);
    this.name = 'LabelError';
    this.code = code;
  }
}
