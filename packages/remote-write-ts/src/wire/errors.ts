// The error of reading a message.

/**
 * - `truncated`: a field goes past the end of what holds it.
 * - `bad_varint`: longer than ten bytes.
 * - `bad_tag`: field number 0, a group, or a wire type that doesn't exist or doesn't fit the field.
 * - `bad_utf8`: a string that is not UTF-8.
 */
export type WireErrorCode = 'truncated' | 'bad_varint' | 'bad_tag' | 'bad_utf8';

export class WireError extends Error {
  readonly code: WireErrorCode;
  constructor(code: WireErrorCode, message: string) {
    super(message);
    this.name = 'WireError';
    this.code = code;
  }
}
