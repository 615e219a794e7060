// One HTTP request at a time, over kept-alive connections: undici's Pool, not fetch (a fifth of the CPU per request). The
// body of an answer is always read or its connection given up, so that no socket is left unusable.

import { Pool, ProxyAgent } from 'undici';
import { post } from './exchange.ts';
import { type Proxy as ChosenProxy, type ProxyOptions, proxyFor } from './proxy.ts';
import { tell } from './tell.ts';
import { isUnreadFile, loadTls, type TlsConnect, type TlsOptions, tlsVersion, tlsVersionSync } from './tls.ts';

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
  /** Told when changed TLS files can't be used: the connections go on with the material before. What it throws is ignored. */
  onWarning?: ((message: string) => void) | undefined;
  /** Whose `tls` and `proxy` these are, where they aren't the sender's own: `oauth2`. */
  owner?: string;
}

const KEPT_BYTES = 1024;
/** Longer than the usual pause between two batches. A receiver's own Keep-Alive hint still goes first. */
const KEEP_ALIVE_MS = 60_000;
/** Differs from every version of files. */
const UNREAD = 'unread';

/** @throws SenderError `bad_tls`, `bad_proxy`, `bad_option` */
export function createPoolTransport(options: PoolTransportOptions): Transport {
  const { tls, keptBytes = KEPT_BYTES, onWarning, owner } = options;
  const tlsName = owner === undefined ? '' : `${owner}.tls.`;
  const proxyName = owner === undefined ? 'proxy' : `${owner}.proxy`;
  // Once: a reload must not look at an environment that has changed.
  const proxy = proxyFor(new URL(options.origin), options.proxy, proxyName);
  let version = tlsVersionSync(tls, proxy?.tls);
  let dispatcher = load();
  let fault: string | undefined;
  let isClosed = false;

  function load(): Pool | ProxyAgent {
    const connect = loadTls(tls ?? {}, tlsName);
    return createDispatcher(options, connect, proxy, loadTls(proxy?.tls ?? {}, `${proxyName}.tls.`));
  }

  // New connections for new certificates. Requests under way end on the old ones.
  async function reload(): Promise<void> {
    const current = await tlsVersion(tls, proxy?.tls);
    if (current === version || isClosed) return;
    version = current;
    try {
      const renewed = load();
      const old = dispatcher;
      dispatcher = renewed;
      fault = undefined;
      old.close().catch(() => {}); // its requests tell their own errors
    } catch (error) {
      // What holds nonsense isn't loaded again until it changes. What can't even be read is, but it is told once.
      if (isUnreadFile(error)) version = UNREAD;
      const message = error instanceof Error ? error.message : 'the TLS files are unreadable';
      if (message !== fault) tell(() => onWarning?.(`${message}. Connections go on with what was loaded before`));
      fault = message;
    }
  }

  return {
    async post({ path, headers, body, signal }) {
      if (version !== undefined) await reload();
      return post(dispatcher, { origin: options.origin, path, headers, body, signal, keptBytes });
    },
    async close() {
      isClosed = true;
      await dispatcher.destroy();
    },
  };
}

function createDispatcher(
  { origin, connections, connectTimeoutMs }: PoolTransportOptions,
  tls: TlsConnect,
  proxy: ChosenProxy | undefined,
  proxyTls: TlsConnect,
): Pool | ProxyAgent {
  const settings = {
    connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // One deadline for the whole attempt, the request's signal, instead of one for each of its phases.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  if (proxy === undefined) return new Pool(origin, { ...settings, connect: { timeout: connectTimeoutMs, ...tls } });
  return new ProxyAgent({
    uri: proxy.url.href,
    headers: proxy.headers,
    connectTimeout: connectTimeoutMs,
    requestTls: { ...tls },
    proxyTls: { ...proxyTls },
    // Whatever stands between, the connections to it are like those without a proxy.
    factory: (to: URL | string, own: object) => new Pool(to, { ...own, ...settings }),
  });
}
