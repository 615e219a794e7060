// TraceService/Export, from a call's head to its answer. Must never answer OK before the log has made every part durable, and never
// hold more bytes than the limit, however many calls there are or however well their messages were compressed.

import type { IncomingMessage } from 'node:http';
import { constants } from 'node:http2';
import { Readable } from 'node:stream';
import {
  type Metadata,
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { BodyAborted, readBody } from '../otlp-http/body.ts';
import { checkTenant } from '../otlp-http/head.ts';
import type { Compression, RefusalReason } from '../otlp-http/options.ts';
import { ANSWERS, appendRefusal, Refusal } from '../otlp-http/refusal.ts';
import type { OtlpGrpcReceiverOptions } from './options.ts';
import { FRAME_BYTES, listenToFrames, takeRawCall } from './raw-call.ts';
import { ACCEPTED_ENCODINGS, codeOf, statusOf } from './status.ts';

export const EXPORT_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

const DEFAULT_BODY_BYTES = 20 * 1024 * 1024;
const DEFAULT_IN_FLIGHT_BYTES = 256 * 1024 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;

/** At most one log line per reason in this time. */
const LOG_SPACING_MS = 10_000;

/** An empty ExportTraceServiceResponse: everything was accepted. */
const SUCCESS = Buffer.alloc(0);

export interface TracesService {
  /** For the calls of EXPORT_PATH: decides at the head, and counts bytes on their way. */
  intercept: ServerInterceptor;
  handle(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void;
  /** From now on every new request is refused as UNAVAILABLE. */
  refuseAll(): void;
  /** Answers what is still under way: try again elsewhere. */
  cutAll(): void;
}

/** A call between its head and its message. */
interface Inbound {
  tenant: string;
  encoding: string;
  isCompressed: boolean;
  startMs: number;
  /** The message is here: from now on the call ends with `handle`. */
  arrived(): void;
  /** Nothing of the message is held any more. */
  finished(): void;
  hold(sizeBytes: number): void;
}

export function createTracesService(options: OtlpGrpcReceiverOptions): TracesService {
  const { sink, admission, now, events = {}, logger } = options;
  const maxBodyBytes = options.maxBodyBytes ?? DEFAULT_BODY_BYTES;
  const maxInFlightBytes = options.maxInFlightBytes ?? DEFAULT_IN_FLIGHT_BYTES;
  const requestTimeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
  const inbounds = new WeakMap<Metadata, Inbound>();
  const lastLineMs = new Map<RefusalReason, number>();
  let inFlight = 0;
  let stopping = false;
  const pending = new Set<() => void>();

  const holdWithin = (sizeBytes: number, hold: (sizeBytes: number) => void) => {
    if (inFlight + sizeBytes > maxInFlightBytes) throw new Refusal('overloaded', 'too many bytes in flight');
    hold(sizeBytes);
  };

  const intercept: ServerInterceptor = (_method, call) => {
    const { stream, encoding } = takeRawCall(call);
    let held = 0;
    let received = 0;
    let isReading = true;
    let isHandled = false;
    let isClosed = false;
    const hold = (sizeBytes: number) => {
      held += sizeBytes;
      inFlight += sizeBytes;
    };
    const stopReading = () => {
      isReading = false;
      clearTimeout(timer);
    };
    // What the library buffered of a message is free once the stream is gone, unless somebody works on it.
    const letGo = () => {
      if (!isClosed || isHandled) return;
      inFlight -= held;
      held = 0;
    };
    stream.once('close', () => {
      if (isReading) events.aborted?.();
      stopReading();
      isClosed = true;
      letGo();
    });
    const endEarly = (answer: Parameters<typeof call.sendStatus>[0]) => {
      stopReading();
      call.sendStatus(answer);
      // The rest of the message is not wanted (RFC 9113, 8.1): the reset lets the client stop, and keeps the answer.
      setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
    };
    const refuseAtOnce = (error: unknown) => endEarly(refuse(error));
    const timer = setTimeout(() => {
      events.aborted?.();
      endEarly({ code: status.DEADLINE_EXCEEDED, details: 'the request did not arrive in time', metadata: null });
    }, requestTimeoutMs);
    timer.unref();

    listenToFrames(stream, {
      onHead(isCompressed, sizeBytes) {
        inbound.isCompressed = isCompressed;
        if (isReading && sizeBytes > maxBodyBytes) refuseAtOnce(tooLarge());
      },
      onBytes(sizeBytes) {
        if (!isReading) return;
        received += sizeBytes;
        // Whatever the frame says, and also for a second message, which does not belong here.
        if (received > maxBodyBytes + FRAME_BYTES) return refuseAtOnce(tooLarge());
        try {
          holdWithin(sizeBytes, hold);
        } catch (error) {
          refuseAtOnce(error);
        }
      },
    });
    const inbound: Inbound = {
      tenant: '',
      encoding,
      isCompressed: false,
      startMs: now(),
      arrived() {
        stopReading();
        isHandled = true;
      },
      finished() {
        isHandled = false;
        letGo();
      },
      hold,
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        try {
          if (stopping) throw new Refusal('stopping', 'the receiver is stopping');
          inbound.tenant = checkTenant(options.tenantOf(headersOf(metadata)));
          compressionOf(encoding);
          holdWithin(1, hold); // Full is full, before the first byte is read; and an empty message weighs something too.
        } catch (error) {
          refuseAtOnce(error);
          return;
        }
        inbounds.set(metadata, inbound);
        next(metadata);
      })
      .build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };

  function handle(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void {
    const inbound = inbounds.get(call.metadata)!;
    inbound.arrived();
    let isAnswered = false;
    const once = (send: () => void): void => {
      if (isAnswered) return;
      isAnswered = true;
      pending.delete(cut);
      send();
    };
    const cut = () => once(() => answer(refuse(new Refusal('stopping', 'the receiver stopped before the log had it'))));
    pending.add(cut);
    exportTraces(inbound, call)
      .then(
        () => once(() => answer(null, SUCCESS)),
        (error: unknown) => once(() => answer(error instanceof BodyAborted ? abort() : refuse(error))),
      )
      .finally(() => inbound.finished());
  }

  /** Its client hears nothing of it. */
  function abort() {
    events.aborted?.();
    return { code: status.CANCELLED, details: 'the client went away' };
  }

  async function exportTraces(inbound: Inbound, call: ServerUnaryCall<Buffer, Buffer>): Promise<void> {
    const { request: message } = call;
    const { tenant, startMs, hold } = inbound;
    const compression = inbound.isCompressed ? compressionOf(inbound.encoding) : 'identity';
    const wireBytes = message.length;
    let bytes: Uint8Array = message;
    if (compression !== 'identity') {
      // A stream of one chunk is all of a request that the reader looks at.
      const source = Readable.from([message]) as unknown as IncomingMessage;
      bytes = (await readBody(source, compression, maxBodyBytes, (size) => holdWithin(size, hold))).bytes;
    }
    const bodyBytes = bytes.length;
    const task = { format: 'otlp_proto', partitions: sink.partitions, tenant } as const;
    const { parts, spans, oddIds } = await admission.admit(bytes, task, () => call.cancelled);
    if (parts.length > 0) {
      const movedBytes = bodyBytes - bytes.length; // To a worker: they are not here any more.
      hold(parts.reduce((sum, part) => (part.bytes === bytes ? sum : sum + part.bytes.length), -movedBytes));
      await append(parts.map((part) => ({ partition: part.partition, tenant, encoding: 'otlp', bytes: part.bytes })));
    }
    if (oddIds > 0) events.oddIds?.(oddIds, tenant);
    events.received?.({
      tenant,
      format: 'protobuf',
      compression,
      wireBytes,
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

  const tooLarge = () => new Refusal('too_large', `the message is larger than ${maxBodyBytes} bytes`);

  function refuse(error: unknown) {
    const refusal =
      error instanceof Refusal ? error : new Refusal('internal', 'the request failed here', { cause: error });
    events.refused?.(refusal.reason, codeOf(refusal));
    log(refusal);
    return statusOf(refusal);
  }

  /** Server's faults only, and spaced: a client must not be able to fill the disk with lines about its requests. */
  function log(refusal: Refusal): void {
    const { reason, cause } = refusal;
    if (logger === undefined || ANSWERS[reason].status < 500 || reason === 'stopping') return;
    const atMs = now();
    const last = lastLineMs.get(reason);
    if (last !== undefined && atMs - last < LOG_SPACING_MS) return;
    lastLineMs.set(reason, atMs);
    const details = { reason, code: codeOf(refusal), err: cause };
    if (reason === 'internal') logger.error(details, 'request failed');
    else logger.warn(details, 'request refused');
  }

  return {
    intercept,
    handle,
    refuseAll() {
      stopping = true;
    },
    cutAll() {
      for (const cut of [...pending]) cut();
    },
  };
}

const COMPRESSIONS: ReadonlyMap<string, Compression> = new Map([
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['zstd', 'zstd'],
]);

/** @throws Refusal `content_encoding` */
function compressionOf(encoding: string): Compression {
  const compression = COMPRESSIONS.get(encoding);
  if (compression === undefined) {
    throw new Refusal('content_encoding', `unsupported grpc-encoding, supported: ${ACCEPTED_ENCODINGS}`);
  }
  return compression;
}

/** Two values of one name must not become one of them: they are joined, as HTTP/1 does. */
function headersOf(metadata: Metadata): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (const name of Object.keys(metadata.getMap())) {
    const values = metadata.get(name).filter((value) => typeof value === 'string');
    if (values.length > 0) headers[name] = values.join(', ');
  }
  return headers;
}
