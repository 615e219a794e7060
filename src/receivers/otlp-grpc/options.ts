// What an OTLP/gRPC receiver is made of, and what it tells of its work.

import type { LogSink } from '../../log/index.ts';
import type { Admission } from '../admission/admission.ts';
import type { Compression, ReceiverLogger, RefusalReason } from '../otlp-http/options.ts';

/** A request that was acknowledged. */
export interface GrpcReceivedInfo {
  tenant: string;
  format: 'protobuf';
  compression: Compression;
  /** Bytes of the message as sent (without the 5 bytes of its frame), and after decompression. */
  wireBytes: number;
  bodyBytes: number;
  spans: number;
  /** Records that were appended: one per partition. */
  records: number;
  /** From the request's head to the log's answer, ms. */
  durationMs: number;
}

/** Plain callbacks for metrics. They must not throw. */
export interface GrpcReceiverEvents {
  received?(info: GrpcReceivedInfo): void;
  /** `code` is a gRPC status code (1 to 16). */
  refused?(reason: RefusalReason, code: number): void;
  /** Spans of an acknowledged request whose ids have an unusual length or are all zero. They were appended like the others. */
  oddIds?(spans: number, tenant: string): void;
  /** The client went away, was too slow, or sent no or several messages, before one was taken up. Nothing of it was appended. */
  aborted?(): void;
}

export interface OtlpGrpcReceiverOptions {
  host: string;
  /** 0 picks a free one. */
  port: number;
  sink: LogSink;
  /** May be shared by receivers. Whoever made it stops it. */
  admission: Admission;
  /**
   * From the call's metadata: names in lower case, values of a repeated name joined by `, `, binary (`-bin`) values left out.
   * Undefined means that the request names no tenant: it is refused as UNAUTHENTICATED.
   */
  tenantOf(headers: Readonly<Record<string, string | undefined>>): string | undefined;
  /** Limit of a message, as sent and after decompression. Default 20 MiB. */
  maxBodyBytes?: number;
  /** Bytes of all messages that are being read or appended; above, requests get UNAVAILABLE. Default 256 MiB. */
  maxInFlightBytes?: number;
  /** Time for all of a request's message to arrive. Default 60 s. */
  requestTimeoutMs?: number;
  events?: GrpcReceiverEvents;
  logger?: ReceiverLogger;
  /** Milliseconds; for durations and for spacing log lines. */
  now(): number;
}

export interface OtlpGrpcReceiver {
  /** @throws the error of `listen`, such as EADDRINUSE. */
  start(): Promise<{ address: string; port: number }>;
  /**
   * Takes no new request, says NOT_SERVING to those who watch its health, lets requests that are being answered finish, and cuts
   * what is left after `deadlineMs`. Idempotent.
   */
  stop(deadlineMs: number): Promise<void>;
}
