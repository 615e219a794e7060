// An API server on a free port over providers that a test sets, a plain HTTP client, and realistic stats.

import * as http from 'node:http';
import * as net from 'node:net';
import {
  type ApiProviders,
  type ApiServer,
  type ApiServerOptions,
  buildStatusView,
  createApiServer,
  type StatusParts,
  type StatusView,
} from '../../src/api/index.ts';
import { explainTenant, loadConfig } from '../../src/config/index.ts';
import type { EndpointStats, LedgerStats, ShardStats, TenantStats } from '../../src/shard/index.ts';
import { createOwnMetrics, noCounts } from '../../src/telemetry/index.ts';

/** Defaults. */
const CONFIG = loadConfig({ text: '' }).config;
export const NOW_MS = Date.UTC(2026, 10, 26, 11, 30, 7);

export function tenantStats(over: Partial<TenantStats> = {}): TenantStats {
  return {
    tenant: 'single-tenant',
    spansReceived: 48_211,
    bytesReceived: 16_400_000,
    activeSeries: 4_120,
    rows: 213,
    pendingEdges: 37,
    edges: 12_040,
    completedEdges: 11_876,
    expiredEdges: 127,
    seriesLimited: 0,
    discarded: [['outside_metrics_ingestion_slack all', 112]],
    ...over,
  };
}

export function shardStats(over: Partial<ShardStats> = {}): ShardStats {
  return {
    openTickMs: NOW_MS - 2_000,
    lastBoundaryMs: NOW_MS - 7_000,
    waitingFor: undefined,
    bufferedBytes: 182_000,
    records: 9_120,
    undecodable: 0,
    futureRecords: 0,
    heldRecords: 0,
    lateRecords: 3,
    tenants: [tenantStats()],
    latencies: [{ stage: 'fold', count: 4_100, sumMs: 900, p50Ms: 0.21, p99Ms: 1.4, maxMs: 9.1 }],
    ...over,
  };
}

export function endpointStats(over: Partial<EndpointStats> = {}): EndpointStats {
  return {
    name: 'prometheus',
    url: 'http://127.0.0.1:9090/api/v1/write',
    settledMs: NOW_MS - 7_000,
    ...noCounts(),
    samplesSent: 168_900,
    boundariesSent: 41,
    retries: 0,
    lastError: undefined,
    ...over,
  };
}

export function ledgerStats(over: Partial<LedgerStats> = {}): LedgerStats {
  return {
    committedMs: NOW_MS - 7_000,
    entries: 41,
    sizeBytes: 5_300_000,
    overLimit: false,
    endpoints: [endpointStats()],
    latencies: [
      { stage: 'ledger_append', count: 41, sumMs: 160, p50Ms: 3.6, p99Ms: 11, maxMs: 12.4 },
      { stage: 'send', count: 41, sumMs: 1_230, p50Ms: 28, p99Ms: 61, maxMs: 70 },
    ],
    ...over,
  };
}

export function statusParts(over: Partial<StatusParts> = {}): StatusParts {
  const received = createOwnMetrics().receiverTotals();
  return {
    version: '0.1.0',
    nodeVersion: '24.21.0',
    startedAtMs: NOW_MS - 640_000,
    nowMs: NOW_MS,
    multitenancy: false,
    api: '127.0.0.1:3200',
    receivers: [{ name: 'OTLP/HTTP', address: '127.0.0.1:4318' }],
    received: {
      ...received,
      requests: 512,
      spans: 48_260,
      records: 2_040,
      wireBytes: 3_000_000,
      bodyBytes: 16_500_000,
    },
    log: {
      kind: 'embedded',
      path: './data/log',
      partitions: [0, 1].map((partition) => ({
        partition,
        start: 0,
        end: 4_560 + partition,
        segments: 1,
        sizeBytes: 8_400_000,
        queuedBytes: 0,
      })),
    },
    shards: [{ shard: 0, stats: shardStats(), ledger: ledgerStats() }],
    undecodable: new Map(),
    endpoints: [{ name: 'prometheus', url: 'http://127.0.0.1:9090/api/v1/write' }],
    latencies: [{ stage: 'receive', count: 512, sumMs: 2_000, p50Ms: 3.1, p99Ms: 9.9, maxMs: 14 }],
    ...over,
  };
}

export function statusOf(over: Partial<StatusParts> = {}): StatusView {
  return buildStatusView(statusParts(over));
}

/** One shard with one tenant. */
export function statusWith(
  tenant: Partial<TenantStats>,
  shard: Partial<ShardStats> = {},
  ledger: Partial<LedgerStats> = {},
) {
  return statusOf({
    shards: [
      { shard: 0, stats: shardStats({ ...shard, tenants: [tenantStats(tenant)] }), ledger: ledgerStats(ledger) },
    ],
  });
}

export interface Harness {
  port: number;
  server: ApiServer;
  providers: ApiProviders;
  /** What the providers were asked for. */
  asked: [tenant: string, openMetrics: boolean][];
  errors: unknown[];
}

const running = new Set<ApiServer>();

export async function startApi(
  over: Partial<ApiProviders> = {},
  options: Partial<ApiServerOptions> = {},
): Promise<Harness> {
  const asked: [string, boolean][] = [];
  const errors: unknown[] = [];
  const providers: ApiProviders = {
    spanMetrics: async (tenant, openMetrics) => {
      asked.push([tenant, openMetrics]);
      return `calls_total{tenant="${tenant}"} 1\n${openMetrics ? '# EOF\n' : ''}`;
    },
    ownMetrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: 'up 1\n' }),
    readiness: () => ({ ready: true, reasons: [] }),
    status: () => statusOf(),
    overrides: () => ({ merge: 'deep', reloadFailures: 0, lastReloadSuccessfulMs: NOW_MS, tenants: ['*', 'team-a'] }),
    tenantOverrides: (tenant) => explainTenant(CONFIG, tenant),
    ...over,
  };
  const server = createApiServer({
    host: '127.0.0.1',
    port: 0,
    multitenancy: false,
    providers,
    logger: { warn: (details) => void errors.push(details), error: (details) => void errors.push(details) },
    version: '0.1.0',
    startedAtMs: 0,
    now: () => NOW_MS,
    ...options,
  });
  running.add(server);
  const { port } = await server.start();
  return { port, server, providers, asked, errors };
}

/** For afterEach. */
export async function stopAll(): Promise<void> {
  for (const server of running) await server.stop(0);
  running.clear();
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  raw: Buffer;
  body: string;
}

export function ask(
  port: number,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const raw = Buffer.concat(chunks);
        resolve({ status: response.statusCode!, headers: response.headers, raw, body: raw.toString() });
      });
    });
    request.on('error', reject);
    request.end();
  });
}

/** Bytes as they are, for what no HTTP client would send; resolves with all that came back. */
export function askRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(got));
  });
}
