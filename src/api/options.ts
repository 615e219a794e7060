// What the HTTP API is made of: where it listens, and what it asks for its answers. It holds no data of its own.

import type { TenantExplanation } from '../config/index.ts';
import type { StatusView } from './status-view.ts';

/** Each is asked anew for each request: nothing is cached. */
export interface ApiProviders {
  /** The newest durable boundary of a tenant over all shards, as Prometheus text 0.0.4 or OpenMetrics 1.0; undefined if it has none. */
  spanMetrics(tenant: string, openMetrics: boolean): Promise<string | undefined>;
  ownMetrics(): Promise<{ contentType: string; body: string }>;
  readiness(): { ready: boolean; reasons: string[] };
  status(): StatusView;
  overrides(): OverridesView;
  /** What a tenant gets, and where from. */
  tenantOverrides(tenant: string): TenantExplanation;
}

/** The per-tenant file as it was last found valid. */
export interface OverridesView {
  merge: 'deep' | 'replace';
  /** Absent: there is none. */
  file?: string;
  /** Since the start. */
  reloadFailures: number;
  /** Ms since the epoch. */
  lastReloadSuccessfulMs: number;
  /** With a block of their own, or `*`; ascending. */
  tenants: string[];
}

/** The part of a pino logger that is used. */
export interface ApiLogger {
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface ApiServerOptions {
  /** Empty = all addresses. */
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** Tenants come from `X-Scope-OrgID`; else there is one. */
  multitenancy: boolean;
  providers: ApiProviders;
  logger: ApiLogger;
  version: string;
  startedAtMs: number;
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** A provider that takes longer gets the request a 503. Default 30 s. */
  providerTimeoutMs?: number;
  /** Time for a request's head, and for all of it. Defaults 10 s and 30 s. */
  headersTimeoutMs?: number;
  requestTimeoutMs?: number;
}

export interface ApiServer {
  /** @throws an error with one line for the user and the `code` of `listen` (EADDRINUSE, EACCES, EADDRNOTAVAIL, …). */
  start(): Promise<{ address: string; port: number }>;
  /** Lets requests that are being answered finish and cuts what is left after `deadlineMs`. Idempotent. */
  stop(deadlineMs: number): Promise<void>;
}
