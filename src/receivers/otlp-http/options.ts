// What an OTLP/HTTP receiver is made of, and what it tells of its work.

import type { IncomingHttpHeaders } from 'node:http';
import type { LogSink } from '../../log/index.ts';
import type { Admission } from '../admission/admission.ts';

/** Why a request was not acknowledged. A closed list: it becomes a label value. */
export const REFUSAL_REASONS = [
  'not_found',
  'method',
  'content_type',
  'content_encoding',
  'no_tenant',
  'bad_tenant',
  'too_large',
  'bad_encoding',
  'bad_json',
  'bad_protobuf',
  'too_complex',
  'overloaded',
  'worker_lost',
  'stopping',
  'disk_full',
  'log_unavailable',
  'log_incompatible',
  'log_closed',
  'internal',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** A request that was acknowledged. */
export interface ReceivedInfo {
  tenant: string;
  format: 'protobuf' | 'json';
  compression: Compression;
  /** Bytes of the body as sent, and after decompression. */
  wireBytes: number;
  bodyBytes: number;
  spans: number;
  /** Records that were appended: one per partition. */
  records: number;
  /** From the request's head to the log's answer, ms. */
  durationMs: number;
}

export type Compression = 'identity' | 'gzip' | 'deflate' | 'zstd';

/** Plain callbacks for metrics. They must not throw. */
export interface ReceiverEvents {
  received?(info: ReceivedInfo): void;
  refused?(reason: RefusalReason, status: number): void;
  /** Spans of an acknowledged request whose ids have an unusual length or are all zero. They were appended like the others. */
  oddIds?(spans: number, tenant: string): void;
  /** The client went away, or was too slow, before its body was complete or taken up. Nothing of it was appended. */
  aborted?(): void;
}

/** The part of a pino logger that is used. */
export interface ReceiverLogger {
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface OtlpHttpReceiverOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  sink: LogSink;
  /** May be shared by receivers. Whoever made it stops it. */
  admission: Admission;
  /** Undefined means that the request names no tenant: it is refused with 401. */
  tenantOf(headers: IncomingHttpHeaders): string | undefined;
  /** Limit of a body, as sent and after decompression. Default 20 MiB (recommended by the OTLP specification). */
  maxBodyBytes?: number;
  /** Bytes of all bodies that are being read or appended; above, requests get 503. Default 256 MiB. */
  maxInFlightBytes?: number;
  /** Origins that browsers may send from, like `https://app.example.com` or `https://*.example.com`; `*` is any. Default none. */
  allowedOrigins?: readonly string[];
  /** Time for a request's head, and for all of it. Defaults 10 s and 60 s. */
  headersTimeoutMs?: number;
  requestTimeoutMs?: number;
  events?: ReceiverEvents;
  logger?: ReceiverLogger;
  /** Milliseconds; for durations and for spacing log lines. */
  now(): number;
}

export interface OtlpHttpReceiver {
  /** @throws the error of `listen`, such as EADDRINUSE. */
  start(): Promise<{ address: string; port: number }>;
  /**
   * Takes no new request, lets those that are being answered finish, and cuts what is left after `deadlineMs`. Idempotent.
   */
  stop(deadlineMs: number): Promise<void>;
}
