// A sender's options, checked once and for all: what can't work is said when the sender is made, not batch after batch.

import { createSecureContext } from 'node:tls';
import { SenderError } from './errors.ts';
import { requestHeaders } from './headers.ts';
import type { TlsOptions, Transport } from './transport.ts';

/** Told after each attempt. */
export interface AttemptInfo {
  /** The sender's name. */
  name: string;
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

export interface SenderOptions {
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
  basicAuth?: { username: string; password: string };
  bearerToken?: string;
  tls?: TlsOptions;
  /** The first wait before a retry; it doubles from there. Default: 30. */
  minBackoffMs?: number;
  /** Default: 5,000. */
  maxBackoffMs?: number;
  /** The most that a receiver's Retry-After is obeyed. Default: 300,000. */
  maxRetryAfterMs?: number;
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
  /** What it throws is ignored. */
  onAttempt?: (info: AttemptInfo) => void;
  /** Stands in for the connection pool. `tls` and `url`'s origin mean nothing to it then. */
  transport?: Transport;
}

export interface ResolvedOptions {
  url: URL;
  name: string;
  timeoutMs: number;
  minBackoffMs: number;
  maxBackoffMs: number;
  maxRetryAfterMs: number;
  maxConcurrent: number;
  headers: Readonly<Record<string, string>>;
  secrets: readonly string[];
}

/** setTimeout's longest delay: beyond it, it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** @throws SenderError */
export function resolveOptions(options: SenderOptions): ResolvedOptions {
  const minBackoffMs = whole('minBackoffMs', options.minBackoffMs ?? 30, MAX_TIMER_MS);
  const maxBackoffMs = whole('maxBackoffMs', options.maxBackoffMs ?? 5_000, MAX_TIMER_MS);
  if (maxBackoffMs < minBackoffMs) throw new SenderError('bad_option', 'maxBackoffMs is below minBackoffMs');
  checkTls(options.tls);
  return {
    url: receiverUrl(options.url),
    name: options.name ?? 'default',
    timeoutMs: whole('timeoutMs', options.timeoutMs ?? 30_000, MAX_TIMER_MS),
    minBackoffMs,
    maxBackoffMs,
    maxRetryAfterMs: whole('maxRetryAfterMs', options.maxRetryAfterMs ?? 300_000, MAX_TIMER_MS),
    maxConcurrent: whole('maxConcurrent', options.maxConcurrent ?? 8, 10_000),
    ...requestHeaders(options),
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

function whole(name: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw new SenderError('bad_option', `${name} must be a whole number from 1 to ${max}`);
  }
  return value;
}

// Unreadable material would otherwise fail each connection, and look like a network error worth retrying for ever.
function checkTls(tls: TlsOptions | undefined): void {
  if (tls === undefined) return;
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw new SenderError('bad_tls', 'a client certificate needs both cert and key');
  }
  try {
    createSecureContext({ ca: tls.ca, cert: tls.cert, key: tls.key });
  } catch (cause) {
    throw new SenderError('bad_tls', 'the TLS material is unreadable', { cause });
  }
}
