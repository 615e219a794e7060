// Sends request bodies to one receiver, each until a final answer. It must never change a body between attempts (a resend
// is then an exact duplicate, which receivers accept), never give up on its own, and never say a secret.
// Source: Prometheus Remote-Write 1.0, "Protocol" and "Retries & Backoff".

import { setTimeout as timer } from 'node:timers/promises';
import { type AttemptContext, type AttemptResult, attemptOnce, type WrittenCounts } from './attempt.ts';
import { createBackoff } from './backoff.ts';
import { type AttemptInfo, resolveOptions, type SenderOptions } from './options.ts';
import { createSlots } from './slots.ts';
import { createPoolTransport } from './transport.ts';

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

export interface Sender {
  readonly name: string;
  /**
   * Sends a compressed request and retries network errors, timeouts, 429 and 5xx for ever: until the signal aborts.
   * Rejects only for a mistake of the caller (a body that is no Uint8Array, an injected function that throws).
   * @param body must not change until the promise settles.
   */
  send(body: Uint8Array, options?: { signal?: AbortSignal }): Promise<SendOutcome>;
  stats(): SenderStats;
  /** Aborts what is under way and closes the connections. Idempotent; sends after it are `aborted` at once. */
  close(): Promise<void>;
}

/** @throws SenderError for options that can't work. */
export function createSender(options: SenderOptions): Sender {
  const resolved = resolveOptions(options);
  const { random = Math.random, now = Date.now, sleep = defaultSleep } = options;
  const transport =
    options.transport ??
    createPoolTransport({
      origin: resolved.url.origin,
      connections: resolved.maxConcurrent,
      connectTimeoutMs: resolved.timeoutMs,
      tls: options.tls,
    });
  const context: AttemptContext = { ...resolved, transport, now };
  const slots = createSlots(resolved.maxConcurrent);
  const stats: SenderStats = { attempts: 0, retries: 0, accepted: 0, refused: 0, aborted: 0, bytes: 0 };
  const underWay = new Set<AbortController>();
  let closing: Promise<void> | undefined;

  async function untilFinal(body: Uint8Array, signal: AbortSignal): Promise<SendOutcome> {
    const backoff = createBackoff({
      minMs: resolved.minBackoffMs,
      maxMs: resolved.maxBackoffMs,
      maxAskedMs: resolved.maxRetryAfterMs,
      random,
    });
    for (let attempt = 0; !signal.aborted; attempt++) {
      stats.attempts++;
      if (attempt > 0) stats.retries++;
      const startedMs = now();
      const result = await attemptOnce(context, body, attempt, signal);
      const waitMs = result.kind === 'retry' ? backoff.next(result.askedMs) : undefined;
      note(result, attempt, now() - startedMs, waitMs);
      const attempts = attempt + 1;
      if (result.kind !== 'retry') return { ...result, attempts };
      // A sleep that rejects because of the signal is as good as one that returns: the loop looks at the signal itself.
      await sleep(waitMs ?? 0, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (signal.aborted) return { kind: 'aborted', attempts };
    }
    return { kind: 'aborted', attempts: 0 };
  }

  function note(result: AttemptResult, attempt: number, durationMs: number, waitMs: number | undefined): void {
    const info: AttemptInfo = { name: resolved.name, attempt, result: result.kind, durationMs };
    if ('status' in result && result.status !== undefined) {
      info.status = result.status;
      stats.lastStatus = result.status;
    }
    if (result.kind === 'retry' || result.kind === 'refused') {
      info.error = result.message;
      stats.lastError = result.status === undefined ? result.message : `status ${result.status}: ${result.message}`;
    }
    if (waitMs !== undefined) info.waitMs = waitMs;
    try {
      options.onAttempt?.(info);
    } catch {
      // An observer's fault must not cost data.
    }
  }

  return {
    name: resolved.name,
    async send(body, { signal } = {}) {
      const stop = new AbortController();
      const onAbort = () => stop.abort();
      if (closing !== undefined || signal?.aborted) stop.abort();
      signal?.addEventListener('abort', onAbort, { once: true });
      underWay.add(stop);
      try {
        let outcome: SendOutcome = { kind: 'aborted', attempts: 0 };
        if (await slots.acquire(stop.signal)) {
          // Held over the waits as well: batches keep their order, and a receiver in trouble isn't pressed by others.
          try {
            outcome = await untilFinal(body, stop.signal);
          } finally {
            slots.release();
          }
        }
        stats[outcome.kind]++;
        if (outcome.kind === 'accepted') stats.bytes += body.length;
        return outcome;
      } finally {
        underWay.delete(stop);
        signal?.removeEventListener('abort', onAbort);
      }
    },
    stats: () => ({ ...stats }),
    close() {
      closing ??= (async () => {
        for (const stop of underWay) stop.abort();
        await transport.close();
      })();
      return closing;
    },
  };
}

async function defaultSleep(waitMs: number, signal: AbortSignal): Promise<void> {
  await timer(waitMs, undefined, { signal });
}
