// One request, from its head to its answer. Must never answer 200 before the log has made every part durable.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { BodyAborted, readBody } from './body.ts';
import { allowOrigin, answerPreflight, compileOrigins } from './cors.ts';
import { checkTenant, compressionOf, declaredBytes, formatOf, pathOf, TRACES_PATH } from './head.ts';
import type { OtlpHttpReceiverOptions, RefusalReason } from './options.ts';
import { ANSWERS, appendRefusal, CONTENT_TYPES, type Format, Refusal, statusBody } from './refusal.ts';

const DEFAULT_BODY_BYTES = 20 * 1024 * 1024;
const DEFAULT_IN_FLIGHT_BYTES = 256 * 1024 * 1024;

/** How long the rest of a refused body is thrown away before the connection is cut, so that the client can read the answer. */
const LINGER_MS = 2000;

/** At most one log line per reason in this time. */
const LOG_SPACING_MS = 10_000;

const SUCCESS: Record<Format, Buffer> = { protobuf: Buffer.alloc(0), json: Buffer.from('{"partialSuccess":{}}') };

export interface Handler {
  /** `mayContinue`: the client waits for 100 Continue before it sends the body. */
  handle(request: IncomingMessage, response: ServerResponse, mayContinue: boolean): Promise<void>;
  /** From now on every request is refused with 503. */
  refuseAll(): void;
  /** Bytes of bodies that are being read or appended. */
  inFlightBytes(): number;
}

export function createHandler(options: OtlpHttpReceiverOptions): Handler {
  const { sink, admission, now, events = {}, logger } = options;
  const maxBodyBytes = options.maxBodyBytes ?? DEFAULT_BODY_BYTES;
  const maxInFlightBytes = options.maxInFlightBytes ?? DEFAULT_IN_FLIGHT_BYTES;
  const origins = options.allowedOrigins ?? [];
  const isAllowedOrigin = compileOrigins(origins);
  const lastLineMs = new Map<RefusalReason, number>();
  let inFlight = 0;
  let stopping = false;

  async function handle(request: IncomingMessage, response: ServerResponse, mayContinue: boolean): Promise<void> {
    // A socket that breaks while an answer is written is the client's loss, and nobody else's.
    response.on('error', () => {});
    const format = formatOf(request.headers) ?? 'json';
    let held = 0;
    try {
      if (pathOf(request) !== TRACES_PATH) throw new Refusal('not_found', `there is only ${TRACES_PATH} here`);
      const isCrossOrigin = allowOrigin(request, response, isAllowedOrigin);
      if (request.method === 'OPTIONS' && isCrossOrigin) return answerPreflight(request, response);
      if (request.method !== 'POST') {
        response.setHeader('Allow', origins.length > 0 ? 'POST, OPTIONS' : 'POST');
        throw new Refusal('method', `${request.method} is not allowed, only POST`);
      }
      await exportTraces(request, response, mayContinue, format, (size) => {
        held += size;
        inFlight += size;
      });
    } catch (error) {
      if (error instanceof BodyAborted) events.aborted?.();
      else if (error instanceof Refusal) refuse(response, format, error);
      else refuse(response, format, new Refusal('internal', 'internal error', { cause: error }));
    } finally {
      inFlight -= held;
    }
  }

  async function exportTraces(
    request: IncomingMessage,
    response: ServerResponse,
    mayContinue: boolean,
    format: Format,
    hold: (size: number) => void,
  ): Promise<void> {
    const startMs = now();
    const { headers } = request;
    if (formatOf(headers) === undefined) {
      throw new Refusal('content_type', 'unsupported media type, supported: application/json, application/x-protobuf');
    }
    if (stopping) throw new Refusal('stopping', 'the receiver is stopping');
    const tenant = checkTenant(options.tenantOf(headers));
    const compression = compressionOf(headers);
    if ((declaredBytes(headers) ?? 0) > maxBodyBytes) {
      throw new Refusal('too_large', `the body is larger than ${maxBodyBytes} bytes`);
    }
    const holdWithin = (size: number) => {
      if (inFlight + size > maxInFlightBytes) throw new Refusal('overloaded', 'too many bytes in flight');
      hold(size);
    };
    holdWithin(1); // Full is full, before the first byte is read; and an empty body weighs something too.
    if (mayContinue) response.writeContinue();
    const body = await readBody(request, compression, maxBodyBytes, holdWithin);

    const bodyBytes = body.bytes.length;
    const task = {
      format: format === 'json' ? 'otlp_json' : 'otlp_proto',
      partitions: sink.partitions,
      tenant,
    } as const;
    const { parts, spans, oddIds } = await admission.admit(body.bytes, task, () => response.destroyed);
    if (parts.length > 0) {
      hold(parts.reduce((sum, part) => sum + part.bytes.length, 0) - bodyBytes);
      body.bytes = EMPTY;
      await append(parts.map(({ partition, bytes }) => ({ partition, tenant, encoding: 'otlp', bytes })));
    }
    send(response, 200, CONTENT_TYPES[format], SUCCESS[format]);
    if (oddIds > 0) events.oddIds?.(oddIds, tenant);
    events.received?.({
      tenant,
      format,
      compression,
      wireBytes: body.wireBytes,
      bodyBytes,
      spans,
      records: parts.length,
      durationMs: now() - startMs,
    });
  }

  async function append(records: Parameters<typeof sink.append>[0]): Promise<void> {
    try {
      await sink.append(records);
    } catch (error) {
      throw appendRefusal(error);
    }
  }

  function refuse(response: ServerResponse, format: Format, refusal: Refusal): void {
    const { status, retryAfterSeconds } = ANSWERS[refusal.reason];
    if (retryAfterSeconds !== undefined && !response.headersSent) response.setHeader('Retry-After', retryAfterSeconds);
    send(response, status, CONTENT_TYPES[format], statusBody(format, refusal));
    events.refused?.(refusal.reason, status);
    log(refusal, status);
  }

  function send(response: ServerResponse, status: number, contentType: string, body: Buffer): void {
    if (response.headersSent || response.destroyed) return;
    if (stopping) response.setHeader('Connection', 'close');
    response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': body.length });
    if (response.req.complete) response.end(body);
    else answerAndLinger(response, body);
  }

  /** Server's faults only, and spaced: a client must not be able to fill the disk with lines about its requests. */
  function log(refusal: Refusal, status: number): void {
    if (logger === undefined || status < 500 || refusal.reason === 'stopping') return;
    const atMs = now();
    const last = lastLineMs.get(refusal.reason);
    if (last !== undefined && atMs - last < LOG_SPACING_MS) return;
    lastLineMs.set(refusal.reason, atMs);
    const details = { reason: refusal.reason, status, err: refusal.cause };
    if (status === 500) logger.error(details, 'request failed');
    else logger.warn(details, 'request refused');
  }

  return {
    handle,
    refuseAll() {
      stopping = true;
    },
    inFlightBytes: () => inFlight,
  };
}

const EMPTY = new Uint8Array(0);

/**
 * Answers a request whose body is still coming. Ending the response may close the connection, and closing it on unread bytes
 * resets it, which can take the answer away from a client that has yet to read it. So: say everything, throw away what comes,
 * and end when the client has, or has had its time.
 */
function answerAndLinger(response: ServerResponse, body: Buffer): void {
  const request = response.req;
  const end = () => {
    clearTimeout(timer);
    request.off('end', end).off('close', end);
    response.end();
  };
  const timer = setTimeout(() => {
    end();
    request.socket.destroy();
  }, LINGER_MS);
  timer.unref();
  request.once('end', end).once('close', end);
  response.write(body);
  request.resume();
}
