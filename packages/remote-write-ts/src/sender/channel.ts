// The way to one receiver: attempts with their waits, several requests at a time at most. What is sent may differ from
// attempt to attempt (its owner may drop what has become too old); when to try again doesn't depend on it.

import { setTimeout as timer } from 'node:timers/promises';
import { createAuthorizer } from '../auth/index.ts';
import { createPoolTransport, tell } from '../transport/index.ts';
import { type AttemptContext, type AttemptResult, attemptOnce, type OutgoingRequest } from './attempt.ts';
import { createBackoff } from './backoff.ts';
import { type AttemptInfo, resolveOptions, type SenderOptions } from './options.ts';
import type { SenderStats, SendOutcome } from './outcome.ts';
import { createSlots } from './slots.ts';

/** `empty`: there was nothing left to send. */
export type ChannelOutcome = SendOutcome | { kind: 'empty'; attempts: number };

export interface ChannelSendOptions {
  /** After so many the outcome is `aborted`; one that is made anew with other credentials isn't counted. Default: any number. */
  maxAttempts?: number;
  /** Told of each attempt of this sending, after the options' `onAttempt`. What it throws, or rejects with, is ignored. */
  onAttempt?: (info: AttemptInfo, request: OutgoingRequest) => void;
}

export interface Channel {
  readonly name: string;
  /**
   * Rejects only for a mistake of the caller (a body that is no Uint8Array, an injected function that throws).
   * @param next asked before each attempt; undefined ends the sending as `empty`.
   */
  send(
    next: () => OutgoingRequest | undefined,
    signal: AbortSignal | undefined,
    options?: ChannelSendOptions,
  ): Promise<ChannelOutcome>;
  stats(): SenderStats;
  /** Aborts what is under way and closes the connections. Idempotent; sends after it are `aborted` at once. */
  close(): Promise<void>;
}

/**
 * @param more names of further options that the caller knows, so that all others are refused. Missing: only those are that look
 *   like a misspelt one.
 * @throws SenderError for options that can't work.
 */
export function createChannel(options: SenderOptions, more?: readonly string[]): Channel {
  const resolved = resolveOptions(options, more);
  const { random = Math.random, now = Date.now, sleep = defaultSleep } = options;
  const authorizer = createAuthorizer(options, options.onWarning);
  const transport =
    options.transport ??
    createPoolTransport({
      origin: resolved.url.origin,
      connections: resolved.maxConcurrent,
      connectTimeoutMs: resolved.timeoutMs,
      tls: options.tls,
      proxy: options.proxy,
      onWarning: options.onWarning,
    });
  const context: AttemptContext = {
    ...resolved,
    transport,
    authorizer,
    now,
    secrets: () => [...resolved.secrets, ...authorizer.secrets().filter((secret) => secret !== '')],
  };
  const slots = createSlots(resolved.maxConcurrent);
  const stats: SenderStats = { attempts: 0, retries: 0, accepted: 0, refused: 0, aborted: 0, bytes: 0 };
  const underWay = new Set<AbortController>();
  let closing: Promise<void> | undefined;

  async function untilFinal(
    next: () => OutgoingRequest | undefined,
    signal: AbortSignal,
    { maxAttempts = Number.POSITIVE_INFINITY, onAttempt }: ChannelSendOptions,
  ): Promise<ChannelOutcome> {
    const backoff = createBackoff({
      minMs: resolved.minBackoffMs,
      maxMs: resolved.maxBackoffMs,
      maxAskedMs: resolved.maxRetryAfterMs,
      random,
    });
    let wasUnauthorized = false;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const request = next();
      if (request === undefined) return { kind: 'empty', attempts: attempt };
      stats.attempts++;
      if (attempt > 0) stats.retries++;
      const startedMs = now();
      const result = await attemptOnce(context, request, { number: attempt, wasUnauthorized }, signal);
      const isUnauthorized = result.kind === 'retry' && result.status === 401;
      wasUnauthorized = isUnauthorized || (wasUnauthorized && result.kind === 'retry' && result.status === undefined);
      const attempts = attempt + 1;
      const isLast = attempts >= maxAttempts && !isUnauthorized;
      const waitMs = result.kind === 'retry' && !isLast ? backoff.next(result.askedMs) : undefined;
      const info = note(result, request, attempt, now() - startedMs, waitMs);
      tell(() => options.onAttempt?.(info));
      tell(() => onAttempt?.(info, request));
      if (result.kind === 'accepted') stats.bytes += request.body.length;
      if (result.kind !== 'retry') return { ...result, attempts };
      if (isLast) return { kind: 'aborted', attempts };
      // A sleep that rejects because of the signal is as good as one that returns: the loop looks at the signal itself.
      await sleep(waitMs ?? 0, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (signal.aborted) return { kind: 'aborted', attempts };
    }
    return { kind: 'aborted', attempts: 0 };
  }

  function note(
    result: AttemptResult,
    { protocol }: OutgoingRequest,
    attempt: number,
    durationMs: number,
    waitMs: number | undefined,
  ): AttemptInfo {
    const info: AttemptInfo = { name: resolved.name, protocol, attempt, result: result.kind, durationMs };
    if ('status' in result && result.status !== undefined) {
      info.status = result.status;
      stats.lastStatus = result.status;
    }
    if (result.kind === 'retry' || result.kind === 'refused') {
      info.error = result.message;
      stats.lastError = result.status === undefined ? result.message : `status ${result.status}: ${result.message}`;
    }
    if (waitMs !== undefined) info.waitMs = waitMs;
    return info;
  }

  return {
    name: resolved.name,
    async send(next, signal, sendOptions = {}) {
      const stop = new AbortController();
      const onAbort = () => stop.abort();
      if (closing !== undefined || signal?.aborted) stop.abort();
      signal?.addEventListener('abort', onAbort, { once: true });
      underWay.add(stop);
      try {
        let outcome: ChannelOutcome = { kind: 'aborted', attempts: 0 };
        if (await slots.acquire(stop.signal)) {
          // Held over the waits as well: batches keep their order, and a receiver in trouble isn't pressed by others.
          try {
            outcome = await untilFinal(next, stop.signal, sendOptions);
          } finally {
            slots.release();
          }
        }
        if (outcome.kind !== 'empty') stats[outcome.kind]++;
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
        await Promise.all([transport.close(), authorizer.close()]);
      })();
      return closing;
    },
  };
}

async function defaultSleep(waitMs: number, signal: AbortSignal): Promise<void> {
  await timer(waitMs, undefined, { signal });
}
