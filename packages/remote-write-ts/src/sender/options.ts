// A sender's options, checked once and for all: what can't work is said when the sender is made, not batch after batch.

import type { AuthOptions } from '../auth/index.ts';
import { SenderError } from '../errors/index.ts';
import { checkKeys, keysOf, type ProxyOptions, proxyFor, type TlsOptions, type Transport } from '../transport/index.ts';
import type { Protocol } from '../wire/index.ts';
import { type RequestHeaders, requestHeaders } from './headers.ts';

/** Told after each attempt. */
export interface AttemptInfo {
  /** The sender's name. */
  name: string;
  protocol: Protocol;
  /** 0 for the first attempt of a batch. */
  attempt: number;
  result: 'accepted' | 'refused' | 'retry' | 'aborted';
  /** Missing if no answer came. */
  status?: number;
  /** What went wrong: a network error, or the start of the receiver's answer. */
  error?: string;
  durationMs: number;
  /** For `retry`: how long until the next attempt. */
  waitMs?: number;
}

export interface SenderOptions extends AuthOptions {
  /** The whole URL of the receiver, http or https, without credentials. */
  url: string;
  /** Names the sender in `onAttempt`. Default: `default`. */
  name?: string;
  /** Deadline of one attempt, from connecting to the last byte of the answer. Default: 30,000. */
  timeoutMs?: number;
  /** More headers. Those of the protocol, of the connection and of authorization are refused. */
  headers?: Readonly<Record<string, string>>;
  /** `name/version`: the protocol requires one. */
  userAgent: string;
  tls?: TlsOptions;
  /** Default: none, whatever the environment says. */
  proxy?: ProxyOptions;
  /** The first wait before a retry; it doubles from there. Default: 30. */
  minBackoffMs?: number;
  /** Default: 5,000. */
  maxBackoffMs?: number;
  /** The most that a receiver's Retry-After is obeyed. Default: 300,000. */
  maxRetryAfterMs?: number;
  /** Whether a status of 429 is retried like a 5xx, rather than refused. Default: true. */
  retryOn429?: boolean;
  /** Whether 307 and 308 are followed, within the origin. Otherwise they are refusals. Default: true. */
  followRedirects?: boolean;
  /**
   * Batches on their way at a time, waits between attempts included; further ones wait their turn, first come, first served.
   * With 1, batches arrive in the order of the calls. Default: 8.
   */
  maxConcurrent?: number;
  /** Default: `Math.random`. */
  random?: () => number;
  /** Milliseconds since the Unix epoch. Default: `Date.now`. */
  now?: () => number;
  /** Must settle, either way, when the signal aborts. Default: a timer. */
  sleep?: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** What it throws, or rejects with, is ignored. */
  onAttempt?: (info: AttemptInfo) => void;
  /**
   * Told in words what doesn't stop the sender but should be known: TLS files that can't be loaded again. What it throws, or
   * rejects with, is ignored.
   */
  onWarning?: (message: string) => void;
  /** Stands in for the connection pool. `tls`, `proxy` and `url`'s origin mean nothing to it then. */
  transport?: Transport;
}

export interface ResolvedOptions extends RequestHeaders {
  url: URL;
  name: string;
  timeoutMs: number;
  minBackoffMs: number;
  maxBackoffMs: number;
  maxRetryAfterMs: number;
  maxConcurrent: number;
  retryOn429: boolean;
  followRedirects: boolean;
}

/** setTimeout's longest delay: beyond it, it fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

const KEYS = keysOf<SenderOptions>({
  url: true,
  name: true,
  timeoutMs: true,
  headers: true,
  userAgent: true,
  basicAuth: true,
  bearerToken: true,
  authorization: true,
  oauth2: true,
  sigv4: true,
  tls: true,
  proxy: true,
  minBackoffMs: true,
  maxBackoffMs: true,
  maxRetryAfterMs: true,
  retryOn429: true,
  followRedirects: true,
  maxConcurrent: true,
  random: true,
  now: true,
  sleep: true,
  onAttempt: true,
  onWarning: true,
  transport: true,
});
const FUNCTIONS = ['random', 'now', 'sleep', 'onAttempt', 'onWarning'] as const;

/**
 * @param more further options that the caller knows. Without them, only what looks like a misspelt option of a sender is refused:
 *   who builds on a sender may hand on options of its own.
 * @throws SenderError
 */
export function resolveOptions(options: SenderOptions, more?: readonly string[]): ResolvedOptions {
  checkKeys('', options, [...KEYS, ...(more ?? [])], more === undefined);
  for (const name of FUNCTIONS) {
    if (options[name] !== undefined && typeof options[name] !== 'function') {
      throw new SenderError('bad_option', `${name} is not a function`);
    }
  }
  const minBackoffMs = whole('minBackoffMs', options.minBackoffMs ?? 30, MAX_TIMER_MS);
  const maxBackoffMs = whole('maxBackoffMs', options.maxBackoffMs ?? 5_000, MAX_TIMER_MS);
  if (maxBackoffMs < minBackoffMs) throw new SenderError('bad_option', 'maxBackoffMs is below minBackoffMs');
  const url = receiverUrl(options.url);
  const { headers, secrets } = requestHeaders(options);
  return {
    url,
    headers,
    secrets: [...secrets, ...(proxyFor(url, options.proxy)?.secrets ?? [])],
    name: options.name ?? 'default',
    timeoutMs: whole('timeoutMs', options.timeoutMs ?? 30_000, MAX_TIMER_MS),
    minBackoffMs,
    maxBackoffMs,
    maxRetryAfterMs: whole('maxRetryAfterMs', options.maxRetryAfterMs ?? 300_000, MAX_TIMER_MS),
    maxConcurrent: whole('maxConcurrent', options.maxConcurrent ?? 8, 10_000),
    retryOn429: flag('retryOn429', options.retryOn429 ?? true),
    followRedirects: flag('followRedirects', options.followRedirects ?? true),
  };
}

// The URL stays out of the messages: its path or query may be a secret.
function receiverUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null) throw new SenderError('bad_url', 'the URL is not an absolute one');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new SenderError('bad_url', 'the URL is neither http nor https');
  }
  if (url.username !== '' || url.password !== '') {
    throw new SenderError('bad_url', 'the URL holds credentials: use basicAuth');
  }
  return url;
}

/** @throws SenderError `bad_option` unless it is a whole number from 1 to `max`. */
export function whole(name: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new SenderError('bad_option', `${name} must be a whole number from 1 to ${max}`);
  }
  return value;
}

function flag(name: string, value: boolean): boolean {
  if (typeof value !== 'boolean') throw new SenderError('bad_option', `${name} is neither true nor false`);
  return value;
}
