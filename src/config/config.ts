// The whole configuration with every value resolved: milliseconds, bytes, lists. What one tenant gets of it is `resolveTenant`'s business.

import type { z } from 'zod';
import type { generatorBlock } from './schema/generator.ts';
import type { generatorOverrides, tenantBlock } from './schema/overrides.ts';
import type { RelabelRule } from './tenant.ts';

/** The tenant when multitenancy is off. */
export const SINGLE_TENANT = 'single-tenant';

export type GeneratorStatic = z.output<ReturnType<typeof generatorBlock>>;
export type GeneratorOverrides = z.output<ReturnType<typeof generatorOverrides>>;
export type TenantBlock = z.output<typeof tenantBlock>;

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

/** A secret as it stands in the file, or the file that holds it. */
export type SecretSource = string | { file: string };

export interface ProxySettings {
  url: string;
  /** Hosts that need none, with commas. */
  noProxy?: string;
  headers: Record<string, string>;
}

export interface RemoteWriteEndpoint {
  url: string;
  /** Unique; the same across restarts for the same URL. */
  name: string;
  remoteTimeoutMs: number;
  headers: Record<string, string>;
  /** More of them, whose values may lie in files. */
  secretHeaders: Record<string, SecretSource>;
  /** One of these at most. */
  basicAuth?: { username: SecretSource; password: SecretSource };
  authorization?: { type: string; credentials: SecretSource };
  oauth2?: {
    tokenUrl: string;
    clientId: string;
    clientSecret: SecretSource;
    scopes: string[];
    endpointParams: Record<string, string>;
    tls?: TlsSettings;
    proxy?: ProxySettings | 'env';
  };
  sigv4?: {
    region?: string;
    service: string;
    accessKey?: string;
    secretKey?: string;
  };
  tls?: TlsSettings;
  proxy?: ProxySettings | 'env';
  followRedirects: boolean;
  sendExemplars: boolean;
  /** `auto`: 2.0, and 1.0 for a receiver that doesn't understand it. */
  protocol: '1.0' | 'auto';
  maxSamplesPerSend: number;
  maxParallelRequests: number;
  minBackoffMs: number;
  maxBackoffMs: number;
  /** 0 = never given up by age. */
  sampleAgeLimitMs: number;
  /** In order. */
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
