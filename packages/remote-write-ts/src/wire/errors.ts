// The error of reading a message.

/**
 * - `truncated`: a field goes past the end of what holds it.
 * - `bad_varint`: longer than ten bytes.
 * - `bad_tag`: field number 0, a group, or a wire type that doesn't exist or doesn't fit the field.
 * - `bad_utf8`: a string that is not UTF-8.
 * - `bad_ref`: a reference to a string that isn't there, or a name without a value.
 */
export type WireErrorCode = 'truncated' | 'bad_varint' | 'bad_tag' | 'bad_utf8' | 'bad_ref';

export class WireError extends Error {
  readonly code: WireErrorCode;
  constructor(code: WireErrorCode, message: string) {
    super(message);
    this.name = 'WireError';
    this.code = code;
  }
}
