// One HTTP request at a time, over kept-alive connections: undici's Pool, not fetch (a fifth of the CPU per request). The
// body of an answer is always read or its connection given up, so that no socket is left unusable.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Pool } from 'undici';

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
  /** The first KiB of the body as text. */
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

export interface TlsOptions {
  /** PEM. */
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  /** The name that the certificate must carry, where it is not the URL's host. */
  serverName?: string;
  /** Accepts any certificate. */
  insecureSkipVerify?: boolean;
}

export interface PoolTransportOptions {
  origin: string;
  connections: number;
  connectTimeoutMs: number;
  tls?: TlsOptions | undefined;
}

const KEPT_BYTES = 1024;
/** A longer answer isn't worth a connection: it is closed instead. */
const DRAINED_BYTES = 2 * 1024 * 1024;
/** Longer than the usual pause between two batches. A receiver's own Keep-Alive hint still goes first. */
const KEEP_ALIVE_MS = 60_000;

export function createPoolTransport(options: PoolTransportOptions): Transport {
  const { tls } = options;
  const pool = new Pool(options.origin, {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // One deadline for the whole attempt, the request's signal, instead of one for each of its phases.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: options.connectTimeoutMs,
      ...(tls?.ca !== undefined && { ca: tls.ca }),
      ...(tls?.cert !== undefined && { cert: tls.cert }),
      ...(tls?.key !== undefined && { key: tls.key }),
      ...(tls?.serverName !== undefined && { servername: tls.serverName }),
      ...(tls?.insecureSkipVerify !== undefined && { rejectUnauthorized: !tls.insecureSkipVerify }),
    },
  });
  return {
    async post({ path, headers, body, signal }) {
      const response = await pool.request({ path, method: 'POST', headers: { ...headers }, body, signal });
      const { text, cut } = await readStart(response.body);
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
    close: () => pool.destroy(),
  };
}

async function readStart(body: AsyncIterable<Uint8Array>): Promise<{ text: string; cut: boolean }> {
  const kept: Uint8Array[] = [];
  let keptBytes = 0;
  let seenBytes = 0;
  let cut = false;
  try {
    for await (const chunk of body) {
      seenBytes += chunk.length;
      if (keptBytes < KEPT_BYTES) {
        const part = chunk.subarray(0, KEPT_BYTES - keptBytes);
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
