// Sends one request to an OTLP/gRPC receiver and tells what its answer means for the account. It never repeats a request that may have
// reached the receiver: a second copy would count twice. So it sends only on a connection that stands, without the library's retries.
import * as grpc from '@grpc/grpc-js';
import { type Attempt, type Exporter, type ExporterOptions, judge } from './http-exporter.ts';

const EXPORT_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const CONNECT_MS = 1_000;
const MAX_BACKOFF_MS = 2_000;

/** Codes with which a receiver says that it did not and will not take the request. Others leave open what happened. */
const REFUSING: ReadonlySet<grpc.status> = new Set([
  grpc.status.INVALID_ARGUMENT,
  grpc.status.NOT_FOUND,
  grpc.status.PERMISSION_DENIED,
  grpc.status.RESOURCE_EXHAUSTED,
  grpc.status.FAILED_PRECONDITION,
  grpc.status.UNIMPLEMENTED,
  grpc.status.UNAUTHENTICATED,
]);

/** `url` is `grpc://host:port`, or `grpcs://` with TLS. */
export function grpcExporter(options: ExporterOptions): Exporter {
  const { url, isGzip, tenant } = options;
  const client = new grpc.Client(
    `${url.hostname}:${url.port}`,
    url.protocol === 'grpcs:' ? grpc.credentials.createSsl() : grpc.credentials.createInsecure(),
    {
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': MAX_BACKOFF_MS,
      'grpc.primary_user_agent': 'spanmill-generate',
      'grpc.default_compression_algorithm': isGzip
        ? grpc.compressionAlgorithms.gzip
        : grpc.compressionAlgorithms.identity,
    },
  );
  const metadata = new grpc.Metadata();
  if (tenant !== '') metadata.set('x-scope-orgid', tenant);
  let connecting: Promise<void> | undefined;

  /** One wait for all requests: the library keeps each of them for as long as there is no connection. */
  function connected(): Promise<void> {
    connecting ??= new Promise((resolve) => {
      client.waitForReady(Number.POSITIVE_INFINITY, () => {
        connecting = undefined;
        resolve();
      });
    });
    return connecting;
  }

  async function isConnected(signal: AbortSignal): Promise<boolean> {
    const isReady = () => client.getChannel().getConnectivityState(true) === grpc.connectivityState.READY;
    if (isReady() || signal.aborted) return isReady();
    let giveUp = () => {};
    const givenUp = new Promise<void>((resolve) => {
      giveUp = resolve;
    });
    const timer = setTimeout(giveUp, CONNECT_MS);
    signal.addEventListener('abort', giveUp, { once: true });
    await Promise.race([connected(), givenUp]);
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    return isReady();
  }

  return {
    async send(bytes, spans, signal) {
      if (!(await isConnected(signal)) || signal.aborted) {
        return { type: 'retry', reason: 'no connection', afterMs: undefined };
      }
      return await new Promise<Attempt>((resolve) => {
        let reason: string | undefined;
        const request = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const call = client.makeUnaryRequest(EXPORT_PATH, asIs, asIs, request, metadata, (error, answer) => {
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          if (error !== null) resolve(judgeStatus(error, reason));
          // An answer is the same message in OTLP/HTTP and OTLP/gRPC.
          else resolve(judge({ statusCode: 200, headers: {}, complete: true }, answer ?? NOTHING, spans));
        });
        const end = (why: string) => {
          reason ??= why;
          call.cancel();
        };
        const abort = () => end('given up');
        const timer = setTimeout(end, options.answerTimeoutMs, 'no answer in time');
        signal.addEventListener('abort', abort);
      });
    },
    close() {
      client.close();
    },
  };
}

const asIs = (bytes: Buffer): Buffer => bytes;
const NOTHING = Buffer.alloc(0);

/**
 * What a status means. OTLP/gRPC calls more codes retryable; only one with RetryInfo surely comes from a receiver that has processed
 * nothing. UNAVAILABLE alone is also what the library says of a connection that was lost after the request went out.
 */
export function judgeStatus(error: Pick<grpc.ServiceError, 'code' | 'metadata'>, endedBecause?: string): Attempt {
  const { code } = error;
  const reason = endedBecause ?? `gRPC ${grpc.status[code] ?? code}`;
  if (code === grpc.status.UNAVAILABLE || code === grpc.status.RESOURCE_EXHAUSTED) {
    const [details] = error.metadata.get('grpc-status-details-bin');
    const afterMs = typeof details === 'string' || details === undefined ? undefined : retryDelayMs(details);
    if (afterMs !== undefined) return { type: 'retry', reason, afterMs };
  }
  return { type: REFUSING.has(code) ? 'refused' : 'unknown', reason };
}

/** google.rpc.Status: 3 details (Any: 1 type_url, 2 value); RetryInfo: 1 retry_delay (Duration: 1 seconds, 2 nanos). */
function retryDelayMs(status: Uint8Array): number | undefined {
  for (const detail of fields(status)) {
    if (detail.number !== 3) continue;
    const any = fields(detail.bytes);
    const typeUrl = any.find(({ number }) => number === 1)?.bytes ?? NOTHING;
    if (!Buffer.from(typeUrl).toString().endsWith('/google.rpc.RetryInfo')) continue;
    const retryInfo = any.find(({ number }) => number === 2)?.bytes ?? NOTHING;
    const duration = fields(fields(retryInfo).find(({ number }) => number === 1)?.bytes ?? NOTHING);
    const partOf = (wanted: number) => duration.find(({ number }) => number === wanted)?.value ?? 0;
    return partOf(1) * 1000 + partOf(2) / 1_000_000;
  }
  return undefined;
}

/** Fields that are numbers or length-delimited, up to the first that is neither or is cut short. */
function fields(bytes: Uint8Array): { number: number; value: number; bytes: Uint8Array }[] {
  const found: { number: number; value: number; bytes: Uint8Array }[] = [];
  let at = 0;
  const take = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const key = take();
    const number = Math.floor(key / 8);
    const value = take();
    if (key % 8 === 0) found.push({ number, value, bytes: NOTHING });
    else if (key % 8 === 2 && value <= bytes.length - at) {
      found.push({ number, value, bytes: bytes.subarray(at, at + value) });
      at += value;
    } else break;
  }
  return found;
}
