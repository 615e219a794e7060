// The whole configuration with every value resolved: milliseconds, bytes, lists. What one tenant gets of it is `resolveTenant`'s business.

import type { z } from 'zod';
import type { generatorBlock } from './schema/generator.ts';
import type { generatorOverrides, tenantBlock } from './schema/overrides.ts';
import type { remoteWrite } from './schema/remote-write.ts';

/** The tenant when multitenancy is off. */
export const SINGLE_TENANT = 'single-tenant';

export type GeneratorStatic = z.output<ReturnType<typeof generatorBlock>>;
export type GeneratorOverrides = z.output<ReturnType<typeof generatorOverrides>>;
export type TenantBlock = z.output<typeof tenantBlock>;
export type RelabelRule = z.output<typeof remoteWrite>[number]['writeRelabelConfigs'][number];

export interface TlsSettings {
  /** PEM texts, or files that hold them. */
  ca?: string;
  caFile?: string;
  cert?: string;
  certFile?: string;
  key?: string;
  keyFile?: string;
  serverName?: string;
  insecureSkipVerify: boolean;
  minVersion: TlsVersion;
  maxVersion?: TlsVersion;
}
export type TlsVersion = 'TLS10' | 'TLS11' | 'TLS12' | 'TLS13';

export interface RemoteWriteEndpoint {
  url: string;
  /** Unique; the same across restarts for the same URL. */
  name: string;
  remoteTimeoutMs: number;
  headers: Record<string, string>;
  basicAuth?: { username?: string; usernameFile?: string; password?: string; passwordFile?: string };
  /** The Authorization header: the scheme, and one of the two that follow. */
  authorizationScheme: string;
  bearerToken?: string;
  bearerTokenFile?: string;
  tls?: TlsSettings;
  followRedirects: boolean;
  sendExemplars: boolean;
  maxSamplesPerSend: number;
  maxParallelRequests: number;
  minBackoffMs: number;
  maxBackoffMs: number;
  /** 0 = never given up by age. */
  sampleAgeLimitMs: number;
  /** In order. Empty for now: the schema refuses rules until they are built. */
  writeRelabelConfigs: RelabelRule[];
}

export interface EmbeddedLogSettings {
  path: string;
  partitions: number;
  segmentBytes: number;
  retention: { maxAgeMs: number; maxBytes: number };
}

export interface KafkaLogSettings {
  brokers: string[];
  topic: string;
  encoding:
    | 'push-bytes'
    | 'otlp'
    | 'otlp_json'
    | 'jaeger_proto'
    | 'jaeger_json'
    | 'zipkin_proto'
    | 'zipkin_json'
    | 'auto';
  start: 'earliest' | 'latest' | { agoMs: number };
  consumerGroup: string;
  clientId: string;
  onLogGap: 'continue' | 'stop';
  deadLetterTopic?: string;
  /** Of what is written to the topic. */
  compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  tls?: Omit<TlsSettings, 'minVersion' | 'maxVersion'>;
  sasl?: {
    mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    username: string;
    password?: string;
    passwordFile?: string;
  };
}

export interface OverridesSettings {
  merge: 'deep' | 'replace';
  defaults: TenantBlock;
  /** Blocks of the per-tenant file; `*` is for tenants without one. */
  tenants: Record<string, TenantBlock>;
  perTenantFile?: string;
  perTenantPeriodMs: number;
  /** Variables for `${…}` in the per-tenant file; absent = they are taken as they stand. */
  expandWith?: Readonly<Record<string, string | undefined>>;
}

export interface Config {
  server: { httpListenAddress: string; httpListenPort: number; logLevel: 'debug' | 'info' | 'warn' | 'error' };
  multitenancyEnabled: boolean;
  /** A receiver that is absent is off. Endpoints are `host:port`. */
  receivers: {
    otlp: { http?: { endpoint: string; maxRequestBodyBytes: number }; grpc?: { endpoint: string } };
    zipkin?: { endpoint: string };
  };
  log: { kind: 'embedded' | 'kafka'; embedded: EmbeddedLogSettings; kafka: KafkaLogSettings };
  /** `own` lists the shards of this process, ascending. */
  shards: { count: number; own: number[] };
  ledger: { path: string; maxBytes: number };
  generator: GeneratorStatic;
  semconv: { aliases: boolean };
  remoteWrite: { endpoints: RemoteWriteEndpoint[]; flushDeadlineMs: number; addOrgIdHeader: boolean };
  overrides: OverridesSettings;
  /** What the file said, without defaults; for `describeEffective`. */
  written: Readonly<Record<string, unknown>>;
}
