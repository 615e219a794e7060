// Sends one request to an OTLP/HTTP receiver and tells what its answer means for the account. It never repeats a request whose body
// may have reached the receiver: a second copy would count twice.
import * as http from 'node:http';
import * as https from 'node:https';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** One attempt's end. `retry` says that the receiver surely did not take it. */
export type Attempt =
  | { type: 'acknowledged' }
  | { type: 'refused'; reason: string }
  | { type: 'unknown'; reason: string }
  | { type: 'retry'; reason: string; afterMs: number | undefined };

export interface ExporterOptions {
  url: URL;
  isGzip: boolean;
  tenant: string;
  concurrency: number;
  /** How long an answer may take once the request is under way. */
  answerTimeoutMs: number;
}

export interface Exporter {
  /** One attempt. Aborting it after the body went out leaves it `unknown`. Never rejects. */
  send(bytes: Uint8Array, spans: number, signal: AbortSignal): Promise<Attempt>;
  close(): void;
}

const zip = promisify(gzip);
const MAX_ANSWER_BYTES = 64 * 1024;

/** The traces endpoint of a base URL, as OTEL_EXPORTER_OTLP_ENDPOINT is read: `/v1/traces` is added unless it is there. */
export function tracesUrl(base: string): URL {
  const url = new URL(base);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`not an http or https address`);
  const path = url.pathname.replace(/\/+$/, '');
  if (!path.endsWith('/v1/traces')) url.pathname = `${path}/v1/traces`;
  return url;
}

export function httpExporter(options: ExporterOptions): Exporter {
  const { url, isGzip, tenant } = options;
  const client = url.protocol === 'https:' ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: options.concurrency });
  const headers: Record<string, string> = {
    'content-type': 'application/x-protobuf',
    'user-agent': 'spanmill-generate',
  };
  if (isGzip) headers['content-encoding'] = 'gzip';
  if (tenant !== '') headers['x-scope-orgid'] = tenant;

  return {
    async send(bytes, spans, signal) {
      const body = isGzip ? await zip(bytes, { level: 1 }) : bytes;
      return await new Promise<Attempt>((resolve) => {
        let isConnected = false;
        let answer: http.IncomingMessage | undefined;
        const request = client.request(url, {
          agent,
          method: 'POST',
          headers: { ...headers, 'content-length': body.length },
        });
        const abort = () => request.destroy(new Error('given up'));
        const timer = setTimeout(() => request.destroy(new Error('no answer in time')), options.answerTimeoutMs);
        const settle = (attempt: Attempt) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          resolve(attempt);
        };
        if (signal.aborted) abort();
        signal.addEventListener('abort', abort);
        request.on('socket', (socket) => {
          // A socket kept from an earlier request may be dead by now, and there is no telling what of the body went out: unknown.
          if (!socket.connecting) isConnected = true;
          else socket.once('connect', () => (isConnected = true));
        });
        // Without a connection nothing was sent. After it, the receiver may have taken the body, whatever the error says.
        request.on('error', (error) => {
          if (answer !== undefined) return;
          const reason = reasonOf(error);
          settle(isConnected ? { type: 'unknown', reason } : { type: 'retry', reason, afterMs: undefined });
        });
        request.on('response', (response) => {
          answer = response;
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size <= MAX_ANSWER_BYTES) chunks.push(chunk);
          });
          response.on('error', () => undefined);
          response.on('close', () => settle(judge(response, Buffer.concat(chunks), spans)));
        });
        request.end(body);
      });
    },
    close() {
      agent.destroy();
    },
  };
}

/**
 * What an answer means. OTLP/HTTP calls 429, 502, 503 and 504 retryable; only 429 and 503 are taken to say that nothing was
 * processed. A gateway's 502 or 504, or a 500, leaves open what happened behind it.
 */
export function judge(
  response: Pick<http.IncomingMessage, 'statusCode' | 'headers' | 'complete'>,
  body: Uint8Array,
  spans: number,
): Attempt {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) {
    if (!response.complete) return { type: 'unknown', reason: 'answer cut short' };
    const rejected = rejectedSpans(body);
    if (rejected === 0) return { type: 'acknowledged' };
    if (rejected >= spans) return { type: 'refused', reason: 'all spans rejected' };
    return { type: 'unknown', reason: 'some spans rejected' };
  }
  if (status === 429 || status === 503) {
    const after = Number(response.headers['retry-after']);
    return { type: 'retry', reason: `HTTP ${status}`, afterMs: after >= 0 ? after * 1000 : undefined };
  }
  if (status >= 500) return { type: 'unknown', reason: `HTTP ${status}` };
  return { type: 'refused', reason: `HTTP ${status}` };
}

/** ExportTraceServiceResponse: 1 partial_success, in it 1 rejected_spans. Both stand first where they are written at all. */
function rejectedSpans(body: Uint8Array): number {
  if (body[0] !== 0x0a) return 0;
  let at = 1;
  while (at < body.length && body[at]! >= 0x80) at++;
  at++;
  if (body[at] !== 0x08) return 0;
  let value = 0;
  let scale = 1;
  for (at++; at < body.length; at++) {
    value += (body[at]! & 0x7f) * scale;
    if (body[at]! < 0x80) break;
    scale *= 128;
  }
  return value;
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
