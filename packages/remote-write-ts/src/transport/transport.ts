// One HTTP request at a time, over kept-alive connections: undici's Pool, not fetch (a fifth of the CPU per request). The
// body of an answer is always read or its connection given up, so that no socket is left unusable.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Pool, ProxyAgent } from 'undici';
import { type ProxyOptions, proxyFor } from './proxy.ts';
import { loadTls, type TlsConnect, type TlsOptions, tlsVersion, tlsVersionSync } from './tls.ts';

export interface TransportRequest {
  /** Path and query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  signal: AbortSignal;
}

export interface TransportResponse {
  status: number;
  /** By name in lower case; of a repeated header the first value. */
  header(name: string): string | undefined;
  /** The start of the body as text: 1 KiB for a sender. */
  text: string;
  /** Whether the body went on after `text`, or broke off. */
  cut: boolean;
}

/** What a sender needs of a network: so another client, or none at all, can stand in. */
export interface Transport {
  /** Posts to the one origin that the transport was made for. Rejects if no status arrives. */
  post(request: TransportRequest): Promise<TransportResponse>;
  /** Ends all requests and connections. */
  close(): Promise<void>;
}

export interface PoolTransportOptions {
  origin: string;
  connections: number;
  connectTimeoutMs: number;
  tls?: TlsOptions | undefined;
  proxy?: ProxyOptions | undefined;
  /** How much of an answer is kept as text. Default: 1,024. */
  keptBytes?: number;
  /** Told when changed TLS files can't be used: the connections go on with the material before. */
  onWarning?: ((message: string) => void) | undefined;
}

const KEPT_BYTES = 1024;
/** A longer answer isn't worth a connection: it is closed instead. */
const DRAINED_BYTES = 2 * 1024 * 1024;
/** Longer than the usual pause between two batches. A receiver's own Keep-Alive hint still goes first. */
const KEEP_ALIVE_MS = 60_000;

/** @throws SenderError `bad_tls`, `bad_proxy` */
export function createPoolTransport(options: PoolTransportOptions): Transport {
  const { tls, keptBytes = KEPT_BYTES, onWarning } = options;
  let version = tls === undefined ? undefined : versionNow(tls);
  let dispatcher = createDispatcher(options, loadTls(tls ?? {}));
  let isClosed = false;

  // New connections for new certificates. Requests under way end on the old ones.
  async function reload(): Promise<void> {
    const current = await tlsVersion(tls);
    if (current === version || isClosed) return;
    version = current;
    try {
      const renewed = createDispatcher(options, loadTls(tls!));
      const old = dispatcher;
      dispatcher = renewed;
      old.close().catch(() => {}); // its requests tell their own errors
    } catch (error) {
      onWarning?.(error instanceof Error ? error.message : 'the TLS material is unreadable');
    }
  }

  return {
    async post({ path, headers, body, signal }) {
      if (version !== undefined) await reload();
      const response = await dispatcher.request({
        origin: options.origin,
        path,
        method: 'POST',
        headers: { ...headers },
        body,
        signal,
      });
      const { text, cut } = await readStart(response.body, keptBytes);
      // undici frees a connection one turn of the event loop after its answer: a request sooner would open another one.
      await nextTurn();
      return {
        status: response.statusCode,
        header(name) {
          const value = response.headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        text,
        cut,
      };
    },
    async close() {
      isClosed = true;
      await dispatcher.destroy();
    },
  };
}

function versionNow(tls: TlsOptions): string | undefined {
  try {
    return tlsVersionSync(tls);
  } catch {
    return 'missing'; // loadTls says it better
  }
}

function createDispatcher(options: PoolTransportOptions, tls: TlsConnect): Pool | ProxyAgent {
  const target = new URL(options.origin);
  const proxy = proxyFor(target, options.proxy);
  const settings = {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // One deadline for the whole attempt, the request's signal, instead of one for each of its phases.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  const connect = { timeout: options.connectTimeoutMs, ...tls };
  if (proxy === undefined) return new Pool(options.origin, { ...settings, connect });
  return new ProxyAgent({
    uri: proxy.url.href,
    headers: proxy.headers,
    connectTimeout: options.connectTimeoutMs,
    requestTls: { ...tls },
    proxyTls: { ...loadTls(proxy.tls ?? {}) },
    // Whatever stands between, the connections to it are like those without a proxy.
    factory: (origin: URL | string, own: object) => new Pool(origin, { ...own, ...settings }),
  });
}

async function readStart(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<{ text: string; cut: boolean }> {
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  let seenBytes = 0;
  let cut = false;
  try {
    for await (const chunk of body) {
      seenBytes += chunk.length;
      if (keptBytes < maxBytes) {
        const part = chunk.subarray(0, maxBytes - keptBytes);
        kept.push(part);
        keptBytes += part.length;
      }
      if (seenBytes > DRAINED_BYTES) break; // leaving the loop destroys the stream and its socket
    }
  } catch {
    // The status has arrived, and it alone decides: a body that breaks off or stalls only shortens the message.
    cut = true;
  }
  cut ||= seenBytes > keptBytes;
  // `stream` drops a character that was cut in two.
  return { text: new TextDecoder().decode(Buffer.concat(kept), { stream: cut }), cut };
}
