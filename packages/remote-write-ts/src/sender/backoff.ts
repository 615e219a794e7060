// How long to wait before the next attempt: doubling from a minimum to a maximum, with jitter. Pure but for the random
// numbers it is given.

/**
 * Jitter shortens a wait by up to this share. Not more: an interval must not shrink below 0.8 of the one before it, and at the
 * maximum both are jittered. Not longer, so that the maximum is one.
 */
const JITTER = 0.2;

export interface Backoff {
  /**
   * The next wait, ms. What the receiver asked for is waited in full, without jitter, and the doubling goes on from there.
   * @param askedMs from Retry-After.
   */
  next(askedMs: number | undefined): number;
}

export interface BackoffOptions {
  minMs: number;
  maxMs: number;
  /** A receiver can't ask for more: a mistaken header must not silence a sender for days. */
  maxAskedMs: number;
  random: () => number;
}

export function createBackoff(options: BackoffOptions): Backoff {
  const { minMs, maxMs, maxAskedMs, random } = options;
  let nominalMs = minMs;
  return {
    next(askedMs) {
      const baseMs = askedMs === undefined ? nominalMs : Math.min(askedMs, maxAskedMs);
      nominalMs = Math.min(baseMs * 2, maxMs);
      return askedMs === undefined ? baseMs * (1 - JITTER * random()) : baseMs;
    },
  };
}
