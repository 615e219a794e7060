// One GET, redirects followed. Not by fetch: that refuses ports which browsers keep away from, and exporters don't. It must
// never hold more of an answer than has been asked for: the body is a stream.

import { get as getHttp, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { get as getHttps } from 'node:https';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

export interface PageAnswer {
  status: number;
  contentType: string | null;
  /** Decompressed. Given up by `destroy`. */
  body: Readable;
}

/** As Prometheus'. */
const MAX_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];

/** Rejects if no answer comes, when the signal aborts, or for an answer that can't be followed or decompressed. */
export async function fetchPage(url: URL, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<PageAnswer> {
  let at = url;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const answer = await ask(at, { ...headers, 'accept-encoding': 'gzip' }, signal);
    const { statusCode: status = 0, headers: said } = answer;
    if (!REDIRECTS.includes(status) || said.location === undefined) {
      return { status, contentType: said['content-type'] ?? null, body: decompressed(answer) };
    }
    answer.destroy();
    at = redirectedTo(said.location, at);
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

function ask(url: URL, headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<IncomingMessage> {
  const get: typeof getHttp = url.protocol === 'https:' ? getHttps : getHttp;
  const once = () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const request = get(url, { headers, signal });
      let isAnswered = false;
      request.on('response', (answer) => {
        isAnswered = true;
        resolve(answer);
      });
      // A kept connection may be closed at the very moment that it is used: no fault of the target.
      request.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = request.reusedSocket && error.code === 'ECONNRESET';
        if (isStale && !isAnswered && !signal.aborted) resolve(once());
        else reject(error);
      });
    });
  return once();
}

function redirectedTo(location: string, from: URL): URL {
  const url = URL.parse(location, from.href);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new Error('a redirect to what is no http or https URL');
}

function decompressed(answer: IncomingMessage): Readable {
  const encoding = (answer.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return answer;
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    answer.destroy();
    throw new Error(`the page is compressed in a way that wasn't asked for: ${JSON.stringify(encoding)}`);
  }
  // An error of either is one of the result, and who gives up the result gives up the answer.
  return pipeline(answer, createGunzip(), () => {});
}
