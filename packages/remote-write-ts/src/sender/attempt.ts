// One attempt: a POST with its deadline, redirects within the origin included, and what its answer means. It never throws
// for what happens on the network.

import type { Authorizer } from '../auth/index.ts';
import type { Transport, TransportResponse } from '../transport/index.ts';
import type { Protocol } from '../wire/index.ts';
import { redact } from './redact.ts';
import { retryAfterMs } from './retry-after.ts';
import { verdict } from './verdict.ts';

/** What the receiver says it stored (X-Prometheus-Remote-Write-…-Written); 2.0 receivers only. */
export interface WrittenCounts {
  samples?: number;
  histograms?: number;
  exemplars?: number;
}

export type AttemptResult =
  | { kind: 'accepted'; status: number; written?: WrittenCounts }
  | { kind: 'refused'; status: number; message: string; written?: WrittenCounts }
  | { kind: 'retry'; status?: number; message: string; askedMs?: number }
  | { kind: 'aborted' };

export interface AttemptContext {
  transport: Transport;
  url: URL;
  authorizer: Authorizer;
  headers: Readonly<Record<Protocol, Readonly<Record<string, string>>>>;
  /** All that must not show up in a message, as of now. */
  secrets: () => readonly string[];
  timeoutMs: number;
  retryOn429: boolean;
  followRedirects: boolean;
  now: () => number;
}

const MAX_REDIRECTS = 5;

/** A body and the version of the protocol that it is written in. */
export interface OutgoingRequest {
  protocol: Protocol;
  /** Compressed. */
  body: Uint8Array;
}

export interface AttemptOfMany {
  /** 0 for the first. */
  number: number;
  /** Whether the one before was answered 401, with credentials that were kept: a second 401 is final. */
  wasUnauthorized: boolean;
}

/**
 * @param signal ends the attempt as `aborted`, unless its status has come already.
 * @throws only for a request that no network could carry, which is a mistake in this package or its caller.
 */
export async function attemptOnce(
  context: AttemptContext,
  { protocol, body }: OutgoingRequest,
  attempt: AttemptOfMany,
  signal: AbortSignal,
): Promise<AttemptResult> {
  if (signal.aborted) return { kind: 'aborted' };
  const own = context.headers[protocol];
  const headers = attempt.number === 0 ? own : { ...own, 'retry-attempt': String(attempt.number) };
  const request = new AbortController();
  const onAbort = () => request.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  const progress: Progress = { isAuthorizing: false };
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    request.abort();
  }, context.timeoutMs);
  try {
    return await follow(context, { headers, body, signal: request.signal, attempt, progress });
  } catch (error) {
    if (signal.aborted) return { kind: 'aborted' };
    if (timedOut) {
      const whose = progress.isAuthorizing ? ` from ${context.authorizer.waitsFor}` : '';
      return { kind: 'retry', message: `no answer${whose} within ${context.timeoutMs} ms` };
    }
    const message = describe(error);
    // The same every time: retrying would never end. But undici says so of a proxy's 407 as well.
    if (errorCode(error) === 'UND_ERR_INVALID_ARG' && !message.includes('407')) throw error;
    return { kind: 'retry', message: redact(message, context.secrets()) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** What an attempt is at: credentials may be waited for, too. */
interface Progress {
  isAuthorizing: boolean;
}

interface Followed {
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  signal: AbortSignal;
  attempt: AttemptOfMany;
  progress: Progress;
}

async function follow(context: AttemptContext, followed: Followed): Promise<AttemptResult> {
  const { headers, body, signal, attempt, progress } = followed;
  let url = context.url;
  for (let hops = 0; ; hops++) {
    const path = url.pathname + url.search;
    progress.isAuthorizing = true;
    const authorization = await context.authorizer.headers({ url, body, signal });
    progress.isAuthorizing = false;
    const response = await context.transport.post({ path, headers: { ...headers, ...authorization }, body, signal });
    // What was kept may have been revoked: that is no fault of the batch. With others in hand it is tried once more.
    if (response.status === 401 && context.authorizer.unauthorized(authorization) && !attempt.wasUnauthorized) {
      return { kind: 'retry', status: 401, message: redact(response.text, context.secrets(), response.cut) };
    }
    if (verdict(response.status, context.retryOn429) !== 'redirect') return judge(context, response);
    // Credentials and samples go to the origin they were configured for, and nowhere else.
    if (!context.followRedirects) {
      return { kind: 'refused', status: response.status, message: 'redirects are not followed' };
    }
    const target = URL.parse(response.header('location') ?? 'about:blank', url.href);
    if (target === null || target.origin !== url.origin || hops === MAX_REDIRECTS) {
      const why = target?.origin === url.origin ? 'too many redirects' : 'a redirect to another origin is not followed';
      return { kind: 'refused', status: response.status, message: why };
    }
    url = target;
  }
}

function judge(context: AttemptContext, response: TransportResponse): AttemptResult {
  const { status } = response;
  const message = redact(response.text, context.secrets(), response.cut);
  const written = writtenCounts(response);
  switch (verdict(status, context.retryOn429, response.text)) {
    case 'accepted':
      return { kind: 'accepted', status, ...(written && { written }) };
    case 'retry': {
      const askedMs = retryAfterMs(response.header('retry-after'), context.now());
      return { kind: 'retry', status, message, ...(askedMs !== undefined && { askedMs }) };
    }
    default:
      return { kind: 'refused', status, message, ...(written && { written }) };
  }
}

function writtenCounts(response: TransportResponse): WrittenCounts | undefined {
  const counts: WrittenCounts = {};
  for (const kind of ['samples', 'histograms', 'exemplars'] as const) {
    const text = response.header(`x-prometheus-remote-write-${kind}-written`);
    if (text !== undefined && /^\d{1,15}$/.test(text)) counts[kind] = Number(text);
  }
  return Object.keys(counts).length > 0 ? counts : undefined;
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

// An AggregateError (several addresses tried) has a code but no message.
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const code = errorCode(error);
  const message = error.message === '' ? error.name : error.message;
  return code === undefined || message.includes(code) ? message : `${code}: ${message}`;
}
