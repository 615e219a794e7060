// The alerts that Prometheus ships for its own remote write, on a page of clients' metrics that a real Prometheus scrapes:
// they must say what they would say of a Prometheus in the same trouble. Source: Prometheus, documentation/prometheus-mixin.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as timer } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createRemoteWrite,
  mergeMetrics,
  type Point,
  type QueueOptions,
  type RemoteWrite,
  renderMetrics,
  TEXT_FORMAT,
} from '../../src/index.ts';
import { closeMocks, type Judge, startMock } from '../client/mock.ts';
import { api, findBinary, liveTitle } from './servers.ts';

const PROMETHEUS = findBinary('PROMETHEUS_BIN', 'prometheus');
const WAIT = { timeout: 30_000, interval: 100 };

/**
 * Each in its forms: of the failures, 3.16 divides by what was attempted; 2.x compares with the process's highest timestamp, 3.x since
 * 3.7 with the queue's.
 */
const ALERTS = {
  failures: `
    (
      (rate(prometheus_remote_storage_failed_samples_total{job="prometheus"}[5m]) or rate(prometheus_remote_storage_samples_failed_total{job="prometheus"}[5m]))
    /
      (
        (rate(prometheus_remote_storage_failed_samples_total{job="prometheus"}[5m]) or rate(prometheus_remote_storage_samples_failed_total{job="prometheus"}[5m]))
      +
        (rate(prometheus_remote_storage_succeeded_samples_total{job="prometheus"}[5m]) or rate(prometheus_remote_storage_samples_total{job="prometheus"}[5m]))
      )
    )
    * 100
    > 1`,
  failuresIn3: `
    (
      (rate(prometheus_remote_storage_failed_samples_total{job="prometheus"}[5m]) or rate(prometheus_remote_storage_samples_failed_total{job="prometheus"}[5m]))
    /
      (
        (rate(prometheus_remote_storage_failed_samples_total{job="prometheus"}[5m]) + rate(prometheus_remote_storage_succeeded_samples_total{job="prometheus"}[5m]))
        or
        rate(prometheus_remote_storage_samples_total{job="prometheus"}[5m])
      )
    )
    * 100
    > 1`,
  behind: `
    (
      max_over_time(prometheus_remote_storage_highest_timestamp_in_seconds{job="prometheus"}[5m])
    - ignoring(remote_name, url) group_right
      max_over_time(prometheus_remote_storage_queue_highest_sent_timestamp_seconds{job="prometheus"}[5m])
    )
    > 120`,
  behindIn3: `
    (
      max_over_time(prometheus_remote_storage_queue_highest_timestamp_seconds{job="prometheus"}[5m])
    -
      max_over_time(prometheus_remote_storage_queue_highest_sent_timestamp_seconds{job="prometheus"}[5m])
    )
    > 120`,
  desiredShards: `
    (
      max_over_time(prometheus_remote_storage_shards_desired{job="prometheus"}[5m])
    >
      max_over_time(prometheus_remote_storage_shards_max{job="prometheus"}[5m])
    )`,
};

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

describe.skipIf(!PROMETHEUS)(liveTitle('the alerts of Prometheus', PROMETHEUS, 'PROMETHEUS_BIN', 'prometheus'), () => {
  const clients = new Map<string, RemoteWrite>();
  let page: Server;
  let prometheus: { base: string; stop: () => Promise<void> } | undefined;

  beforeAll(async () => {
    await add('healthy', () => undefined);
    await add('refused', () => ({ status: 400, body: 'no' }));
    await add('stuck', ({ index }) => (index === 0 ? undefined : { status: 503 }));
    // Fifty points a second at most.
    const slow: Judge = () => timer(20, undefined);
    await add('narrow', slow, { maxSamplesPerSend: 1, reshardIntervalMs: 100 });
    page = createServer((_, response) => {
      const metrics = mergeMetrics(...[...clients.values()].map((client) => client.metrics()));
      response.writeHead(200, { 'content-type': TEXT_FORMAT }).end(renderMetrics(metrics));
    });
    await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
    prometheus = await startScraping(PROMETHEUS!, (page.address() as AddressInfo).port);
  }, 60_000);

  afterAll(async () => {
    await prometheus?.stop();
    for (const client of clients.values()) await client.close(1);
    page?.close();
    page?.closeAllConnections();
    await closeMocks();
  });

  async function add(name: string, judge: Judge, more: QueueOptions = {}): Promise<void> {
    const { url } = await startMock(judge);
    const queue = { maxShards: 1, batchSendDeadlineMs: 20, ...more };
    clients.set(name, createRemoteWrite({ url, name, protocol: '2.0', userAgent: 'remote-write-ts-test/0.1', queue }));
  }

  async function feed(timestampMs: number): Promise<void> {
    for (const client of clients.values()) {
      const series = client.series([['__name__', 'fed_total']]);
      await client.append({ kind: 'sample', series, value: 1, timestampMs });
    }
  }

  async function ask(query: string): Promise<Map<string, number>> {
    const { result } = await api<{ result: Sample[] }>(prometheus!.base, 'query', { query });
    return new Map(result.map(({ metric, value }) => [metric['remote_name'] ?? '', Number(value[1])]));
  }

  const firing = async (alert: keyof typeof ALERTS) => [...(await ask(ALERTS[alert])).keys()].toSorted();

  it('fire for a receiver that refuses, for one that is behind, and for no other', async () => {
    const oldMs = Date.now() - 600_000;
    await feed(oldMs);
    // Scraped before and after what happens next, or no rate would show it.
    await expect.poll(() => ask('prometheus_remote_storage_samples_total > 0'), WAIT).toHaveProperty('size', 4);
    await feed(oldMs + 590_000);
    await expect.poll(() => firing('failures'), WAIT).toEqual(['refused']);
    await expect.poll(() => firing('failuresIn3'), WAIT).toEqual(['refused']);
    await expect.poll(() => firing('behind'), WAIT).toEqual(['stuck']);
    await expect.poll(() => firing('behindIn3'), WAIT).toEqual(['stuck']);
    expect([...(await ask(ALERTS.behind)).values()]).toEqual([590]);
  });

  it('fire for a client whose shards do not suffice, and for no other', async () => {
    expect(await firing('desiredShards')).toEqual([]);
    const narrow = clients.get('narrow')!;
    const series = narrow.series([['__name__', 'flood_total']]);
    const nowMs = Date.now();
    const flood = Array.from({ length: 5_000 }, (_, i): Point => {
      return { kind: 'sample', series, value: i, timestampMs: nowMs - 5_000 + i };
    });
    await narrow.append(flood);
    await expect.poll(() => firing('desiredShards'), WAIT).toEqual(['narrow']);
  });

  it('find a histogram of durations with quantiles', async () => {
    const query = 'histogram_quantile(0.99, rate(prometheus_remote_storage_sent_batch_duration_seconds_bucket[5m]))';
    await expect.poll(async () => (await ask(query)).get('stuck') ?? 0, WAIT).toBeGreaterThan(0);
  });
});

/** A Prometheus that scrapes the page as the job that its alerts are about. */
async function startScraping(binary: string, port: number) {
  const dir = await mkdtemp(join(tmpdir(), 'remote-write-'));
  const config = join(dir, 'prometheus.yml');
  await writeFile(
    config,
    `global: { scrape_interval: 200ms }
scrape_configs: [{ job_name: prometheus, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }]
`,
  );
  const server: ChildProcess = spawn(
    binary,
    [`--config.file=${config}`, `--storage.tsdb.path=${join(dir, 'data')}`, '--web.listen-address=127.0.0.1:0'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const log = createInterface({ input: server.stderr! });
  const base = await new Promise<string>((resolve, reject) => {
    let address = '';
    let isReady = false;
    // In either order.
    log.on('line', (line) => {
      address ||= /msg="Listening on".* address=(\S+)/.exec(line)?.[1] ?? '';
      isReady ||= line.includes('Server is ready');
      if (isReady && address !== '') resolve(`http://${address}`);
    });
    log.once('close', () => reject(new Error(`${binary} ended before it was ready`)));
  });
  return {
    base,
    async stop() {
      const gone = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGKILL');
      await gone;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
