// One attempt: a POST with its deadline, redirects within the origin included, and what its answer means. It never throws
// for what happens on the network.

import { redact } from './redact.ts';
import { retryAfterMs } from './retry-after.ts';
import type { Transport, TransportResponse } from './transport.ts';
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
  headers: Readonly<Record<string, string>>;
  secrets: readonly string[];
  timeoutMs: number;
  now: () => number;
}

const MAX_REDIRECTS = 5;

/**
 * @param signal ends the attempt as `aborted`, unless its status has come already.
 * @throws only for a request that no network could carry, which is a mistake in this package or its caller.
 */
export async function attemptOnce(
  context: AttemptContext,
  body: Uint8Array,
  attempt: number,
  signal: AbortSignal,
): Promise<AttemptResult> {
  if (signal.aborted) return { kind: 'aborted' };
  const headers = attempt === 0 ? context.headers : { ...context.headers, 'retry-attempt': String(attempt) };
  const request = new AbortController();
  const onAbort = () => request.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    request.abort();
  }, context.timeoutMs);
  try {
    return await follow(context, headers, body, request.signal);
  } catch (error) {
    if (signal.aborted) return { kind: 'aborted' };
    if (timedOut) return { kind: 'retry', message: `no answer within ${context.timeoutMs} ms` };
    if (errorCode(error) === 'UND_ERR_INVALID_ARG') throw error; // the same every time: retrying would never end
    return { kind: 'retry', message: redact(describe(error), context.secrets) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function follow(
  context: AttemptContext,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<AttemptResult> {
  let url = context.url;
  for (let hops = 0; ; hops++) {
    const path = url.pathname + url.search;
    const response = await context.transport.post({ path, headers, body, signal });
    if (verdict(response.status) !== 'redirect') return judge(context, response);
    // Credentials and samples go to the origin they were configured for, and nowhere else.
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
  const message = redact(response.text, context.secrets, response.cut);
  const written = writtenCounts(response);
  switch (verdict(status)) {
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
