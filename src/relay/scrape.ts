// One GET of the page, within a time and a size. What goes wrong is a ScrapeError with a reason of a closed list.

import type { Readable } from 'node:stream';
import { ExpositionError, formatOf, parsePage, type Sample } from './exposition/index.ts';
import { fetchPage } from './fetch-page.ts';

/**
 * - `unreachable`: no answer, or one that broke off.
 * - `timeout`: none in time.
 * - `bad_status`: any but 200.
 * - `too_large`: beyond `maxBytes`.
 * - `malformed`: not what its media type says.
 */
export const SCRAPE_FAILURES = ['unreachable', 'timeout', 'bad_status', 'too_large', 'malformed'] as const;
export type ScrapeFailure = (typeof SCRAPE_FAILURES)[number];

export class ScrapeError extends Error {
  readonly reason: ScrapeFailure;
  constructor(reason: ScrapeFailure, message: string) {
    super(message);
    this.name = 'ScrapeError';
    this.reason = reason;
  }
}

export interface ScrapeOptions {
  url: URL;
  timeoutMs: number;
  /** After decompression. */
  maxBytes: number;
  accept: string;
  userAgent: string;
  takesCreated: boolean;
}

/** OpenMetrics first; the weights are Prometheus' own. */
export const ACCEPT =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,' +
  'application/openmetrics-text;version=1.0.0;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

/** Rejects with a ScrapeError, or when the signal aborts. */
export async function scrape(options: ScrapeOptions, signal: AbortSignal): Promise<Sample[]> {
  const { url, timeoutMs, accept, userAgent, takesCreated, maxBytes } = options;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const headers = {
      accept,
      'user-agent': userAgent,
      'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
    };
    const { status, contentType, body } = await fetchPage(url, headers, AbortSignal.any([signal, timeout]));
    if (status !== 200) {
      body.destroy();
      throw new ScrapeError('bad_status', `the target answered ${status}`);
    }
    const bytes = await readBody(body, maxBytes);
    return parsePage(bytes, { format: formatOf(contentType), takesCreated });
  } catch (error) {
    if (error instanceof ScrapeError) throw error;
    if (error instanceof ExpositionError) throw new ScrapeError('malformed', error.message);
    signal.throwIfAborted();
    if (timeout.aborted) throw new ScrapeError('timeout', `no whole page within ${timeoutMs} ms`);
    throw new ScrapeError('unreachable', causeOf(error));
  }
}

async function readBody(body: Readable, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Leaving the loop gives up the rest.
    if (size > maxBytes) throw new ScrapeError('too_large', `the page has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

// Where a host has several addresses, what happened is one level below.
function causeOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [];
  return first?.message || message || code || 'no answer';
}
