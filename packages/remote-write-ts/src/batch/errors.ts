// The errors of stable batches: mistakes of the caller, found before a byte is changed.

/**
 * - `no_series`: a batch of nothing.
 * - `duplicate_series`: two series with the same labels; their samples would have the same timestamp, which receivers refuse.
 * - `bad_starts`: not one start per series.
 * - `bad_values`: not one value per series.
 * - `busy`: too many pushes wait already for the one on its way.
 */
export type BatchErrorCode = 'no_series' | 'duplicate_series' | 'bad_starts' | 'bad_values' | 'busy';

export class BatchError extends Error {
  readonly code: BatchErrorCode;
  constructor(code: BatchErrorCode, message: string) {
    super(message);
    this.name = 'BatchError';
    this.code = code;
  }
}
