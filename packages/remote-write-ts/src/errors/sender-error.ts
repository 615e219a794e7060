// The errors of making a sender. They are for configuration that can't work; what happens on the network is an outcome.

/**
 * - `bad_url`: not absolute, not http or https, or with credentials inside.
 * - `forbidden_header`: a header that the protocol or the sender itself sets.
 * - `bad_header`: not a legal name or value, or given twice.
 * - `bad_auth`: more than one kind at once, a value that no header can carry, or an environment variable that isn't set.
 * - `bad_tls`: certificates or keys that can't be read or used, or versions of which none is left.
 * - `bad_proxy`: a proxy's URL or header that can't be used.
 * - `bad_option`: a number out of range, an option that isn't known or is of another type, or options that contradict each other.
 */
export type SenderErrorCode =
  | 'bad_url'
  | 'forbidden_header'
  | 'bad_header'
  | 'bad_auth'
  | 'bad_tls'
  | 'bad_proxy'
  | 'bad_option';

/** The message never holds a secret, a header's value or the URL. */
export class SenderError extends Error {
  readonly code: SenderErrorCode;
  constructor(code: SenderErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SenderError';
    this.code = code;
  }
}
