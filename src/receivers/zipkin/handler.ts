// One request of a Zipkin reporter, from its head to its answer. Must never answer 202 before the log has made every part durable.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { BodyAborted, readBody } from '../otlp-http/body.ts';
import { allowOrigin, answerPreflight, compileOrigins } from '../otlp-http/cors.ts';
import { checkTenant, compressionOf, declaredBytes, pathOf } from '../otlp-http/head.ts';
import type { RefusalReason } from '../otlp-http/options.ts';
import { ANSWERS, appendRefusal, type Format, Refusal } from '../otlp-http/refusal.ts';
import { answerText } from './answer.ts';
import type { ZipkinReceiverOptions } from './options.ts';

export const SPANS_PATH = '/api/v2/spans';

const DEFAULT_BODY_BYTES = 20 * 1024 * 1024;
const DEFAULT_IN_FLIGHT_BYTES = 256 * 1024 * 1024;

/** At most one log line per reason in this time. */
const LOG_SPACING_MS = 10_000;

export interface Handler {
  /** `mayContinue`: the client waits for 100 Continue before it sends the body. */
  handle(request: IncomingMessage, response: ServerResponse, mayContinue: boolean): Promise<void>;
  /** From now on every request is refused with 503. */
  refuseAll(): void;
}

export function createHandler(options: ZipkinReceiverOptions): Handler {
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
    let held = 0;
    try {
      const path = pathOf(request);
      if (path === '/api/v1/spans') throw new Refusal('not_found', `there is no v1 here, only ${SPANS_PATH}`);
      if (path !== SPANS_PATH) throw new Refusal('not_found', `there is only ${SPANS_PATH} here`);
      const isCrossOrigin = allowOrigin(request, response, isAllowedOrigin);
      if (request.method === 'OPTIONS' && isCrossOrigin) return answerPreflight(request, response);
      if (request.method !== 'POST') {
        response.setHeader('Allow', origins.length > 0 ? 'POST, OPTIONS' : 'POST');
        throw new Refusal('method', `${request.method} is not allowed, only POST`);
      }
      await postSpans(request, response, mayContinue, (size) => {
        held += size;
        inFlight += size;
      });
    } catch (error) {
      if (error instanceof BodyAborted) events.aborted?.();
      else if (error instanceof Refusal) refuse(response, error);
      else refuse(response, new Refusal('internal', 'internal error', { cause: error }));
    } finally {
      inFlight -= held;
    }
  }

  async function postSpans(
    request: IncomingMessage,
    response: ServerResponse,
    mayContinue: boolean,
    hold: (size: number) => void,
  ): Promise<void> {
    const startMs = now();
    const { headers } = request;
    const format = formatOf(headers);
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
      format: format === 'json' ? 'zipkin_json' : 'zipkin_proto',
      partitions: sink.partitions,
      tenant,
    } as const;
    const { parts, spans, oddIds } = await admission.admit(body.bytes, task, () => response.destroyed);
    if (parts.length > 0) {
      hold(parts.reduce((sum, part) => sum + part.bytes.length, 0) - bodyBytes);
      body.bytes = EMPTY;
      await append(parts.map(({ partition, bytes }) => ({ partition, tenant, encoding: 'otlp', bytes })));
    }
    send(response, 202, '');
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

  function refuse(response: ServerResponse, refusal: Refusal): void {
    const { status, retryAfterSeconds } = ANSWERS[refusal.reason];
    if (retryAfterSeconds !== undefined && !response.headersSent) response.setHeader('Retry-After', retryAfterSeconds);
    send(response, status, refusal.message);
    events.refused?.(refusal.reason, status);
    log(refusal, status);
  }

  function send(response: ServerResponse, status: number, text: string): void {
    if (stopping && !response.headersSent) response.setHeader('Connection', 'close');
    answerText(response, status, text);
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
  };
}

const EMPTY = new Uint8Array(0);

/** Zipkin's server takes what is not protobuf or thrift for JSON. Here it must not claim to be something else. */
const JSON_TYPES: ReadonlySet<string> = new Set(['', 'application/json', 'text/plain']);

/** @throws Refusal `content_type` */
function formatOf(headers: IncomingHttpHeaders): Format {
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (mediaType === 'application/x-protobuf') return 'protobuf';
  if (JSON_TYPES.has(mediaType)) return 'json';
  throw new Refusal('content_type', 'unsupported media type, supported: application/json, application/x-protobuf');
}
