// What comes of sending.

import type { WrittenCounts } from './attempt.ts';

/**
 * How sending a batch ended. `attempts` counts the requests that were made.
 * - `accepted`: any 2xx.
 * - `refused`: any other final status; `message` is the first KiB of the answer, for a log.
 * - `aborted`: by the signal or by `close`. Attempts made before may have been stored nevertheless.
 */
export type SendOutcome =
  | { kind: 'accepted'; status: number; attempts: number; written?: WrittenCounts }
  | { kind: 'refused'; status: number; message: string; attempts: number; written?: WrittenCounts }
  | { kind: 'aborted'; attempts: number };

/** Sums since the sender was made. */
export interface SenderStats {
  attempts: number;
  /** Attempts after a batch's first. */
  retries: number;
  /** Batches by outcome. */
  accepted: number;
  refused: number;
  aborted: number;
  /** Compressed bytes of accepted batches. */
  bytes: number;
  /** The latest failed attempt, also if a later one succeeded. */
  lastError?: string;
  /** The latest status of all. */
  lastStatus?: number;
}
