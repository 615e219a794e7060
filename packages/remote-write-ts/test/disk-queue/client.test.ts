// A client with a disk queue: real files, a receiver that answers as a test wants.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createRemoteWrite,
  DiskQueueError,
  type Point,
  type RemoteWrite,
  type RemoteWriteOptions,
  type RemoteWriteStats,
} from '../../src/index.ts';
import { closeMocks, type Judge, type Mock, oldReceiver, startMock } from '../client/mock.ts';
import { mixture, NOW_MS, sample, samples, series } from '../client/points.ts';
import { seeded } from './random.ts';
import { simulatedDisk } from './simulated-disk.ts';

const NEVER_MS = 2 ** 31 - 1;
const clients: RemoteWrite[] = [];
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'disk-queue-client-'));
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close(1);
  await closeMocks();
  await rm(dir, { recursive: true });
});

function clientOf(mock: Mock, options: Partial<RemoteWriteOptions> = {}): RemoteWrite {
  const client = createRemoteWrite({
    url: mock.url,
    userAgent: 'test/1.0',
    random: () => 0,
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
    now: () => NOW_MS,
    diskQueue: { dir },
    ...options,
    queue: { batchSendDeadlineMs: NEVER_MS, reshardIntervalMs: NEVER_MS, ...options.queue },
  });
  clients.push(client);
  return client;
}

/** What a client took while nobody answered, and left on the disk. */
async function leave(points: Point[], options: Partial<RemoteWriteOptions> = {}): Promise<RemoteWriteStats> {
  const mock = await startMock(() => 'hang');
  const client = clientOf(mock, options);
  await client.append(points);
  await client.persist();
  const stats = client.stats();
  await client.close(1);
  expect(client.stats()).toMatchObject({ dropped: { closed: { samples: 0, histograms: 0 } } });
  expect(client.stats().unsettled).toEqual(stats.unsettled);
  return stats;
}

const accepted = (mock: Mock) => mock.requests.flatMap(({ series: all }) => all);
const namesOf = (mock: Mock) => mock.requests.map((r) => r.series.map(({ labels }) => labels['__name__']!));
const names = (points: Point[]) => points.map((point) => point.series.labels[0]![1]);

function sums({ sent, failed, dropped, unsettled }: RemoteWriteStats): number {
  const fates = [sent, failed, unsettled, ...Object.values(dropped)];
  return fates.reduce((sum, { samples: some, histograms }) => sum + some + histograms, 0);
}

describe('what a client leaves behind', () => {
  it('is delivered by the next one, in its order, before anything newer', async () => {
    const stats = await leave(samples(50), { queue: { maxSamplesPerSend: 10 }, sendExemplars: false });
    expect(stats).toMatchObject({ unsettled: { samples: 50 }, disk: { bodies: 5, points: { samples: 50 } } });
    const mock = await startMock();
    const client = clientOf(mock);
    await client.append(samples(5, NOW_MS + 1));
    await client.flush();
    expect(namesOf(mock).flat()).toEqual([...names(samples(50)), ...names(samples(5))]);
    const after = client.stats();
    expect(after).toMatchObject({
      taken: { samples: 5 },
      sent: { samples: 55 },
      unsettled: { samples: 0 },
      highestTimestampMs: NOW_MS + 1,
      highestSentTimestampMs: NOW_MS + 1,
      disk: { bodies: 0, replayed: 5, settled: 6 },
    });
    expect(after.bytes).toBeGreaterThan(0);
  });

  it('is delivered without another point, too', async () => {
    await leave(samples(3));
    const mock = await startMock();
    const client = clientOf(mock);
    await client.flush();
    expect(namesOf(mock)).toEqual([names(samples(3))]);
  });

  it('is written anew as 1.0 for a receiver that knows no 2.0, with all that 1.0 can carry', async () => {
    await leave(mixture());
    const mock = await startMock((request) => (request.protocol === '2.0' ? oldReceiver(request) : undefined));
    const client = clientOf(mock);
    await client.flush();
    const [two, one] = mock.requests;
    expect([two!.protocol, one!.protocol]).toEqual(['2.0', '1.0']);
    // All but the start timestamps, which 1.0 hasn't.
    const content = ({ pairs, samples: list, histograms, exemplars }: (typeof mock.requests)[0]['series'][0]) => ({
      pairs,
      samples: list.map(({ value, timestampMs }) => ({ value, timestampMs })),
      histograms: histograms.map(({ start_timestamp: _, ...histogram }) => histogram),
      exemplars,
    });
    const sent = one!.series.map(content);
    const stored = two!.series.map(content);
    expect(sent).toEqual(stored.slice(0, 4));
    expect(client.stats()).toMatchObject({
      protocol: '1.0',
      sent: { samples: 2, histograms: 2, exemplars: 2 },
      dropped: { custom_buckets: { histograms: 1 } },
      unsettled: { samples: 0, histograms: 0, exemplars: 0 },
    });
  });

  it('as 1.0 is written anew as 2.0 for a receiver that wants nothing else', async () => {
    await leave(samples(3), { protocol: '1.0' });
    const mock = await startMock(({ protocol }) => (protocol === '1.0' ? { status: 415 } : undefined));
    const client = clientOf(mock, { protocol: '2.0' });
    await client.flush();
    expect(mock.requests.map(({ protocol }) => protocol)).toEqual(['2.0']);
    expect(namesOf(mock).flat()).toEqual(names(samples(3)));
    expect(client.stats().sent.samples).toBe(3);
  });

  it('loses what is too old, point by point, and that is counted', async () => {
    await leave([...samples(3, NOW_MS - 60_000), ...samples(4)]);
    const mock = await startMock();
    const client = clientOf(mock, { sampleAgeLimitMs: 30_000 });
    await client.flush();
    expect(mock.requests[0]!.series.map(({ samples: [one] }) => one!.timestampMs)).toEqual([
      NOW_MS,
      NOW_MS,
      NOW_MS,
      NOW_MS,
    ]);
    expect(client.stats()).toMatchObject({
      sent: { samples: 4 },
      dropped: { too_old: { samples: 3 } },
      unsettled: { samples: 0 },
    });
  });

  it('is searched for the series at fault on 1.0, but for what may be a repeat', async () => {
    const poison: Judge = ({ series: all }) =>
      all.some(({ labels }) => labels['__name__'] === 's7') ? { status: 400, body: 'bad series' } : undefined;
    await leave([...samples(10), ...samples(10, NOW_MS + 1)], {
      protocol: '1.0',
      queue: { maxSamplesPerSend: 10 },
      sendExemplars: false,
    });
    const mock = await startMock(poison);
    const client = clientOf(mock, { protocol: '1.0', metadata: { send: false } });
    await client.flush();
    expect(client.stats()).toMatchObject({ sent: { samples: 9 }, failed: { samples: 11 } });
    // From then on the suspect goes apart.
    const before = mock.requests.length;
    await client.append(samples(10, NOW_MS + 2));
    await client.flush();
    expect(namesOf(mock).slice(before)).toEqual([names(samples(10)).filter((name) => name !== 's7'), ['s7']]);
  });

  it('that is no body, though its checksum says so, is counted as failed and holds nothing up', async () => {
    // A receiver of 1.0 that gets a body which can't be read: only what must be written anew has to be.
    const mock = await startMock(() => 'hang');
    const disk = simulatedDisk(seeded(1));
    const first = clientOf(mock, { diskQueue: { dir, fileSystem: disk } });
    await first.append(samples(3));
    await first.persist();
    await first.close(1);
    const { DiskQueue } = await import('../../src/disk-queue/index.ts');
    const forger = new DiskQueue(
      { dir, fileSystem: disk },
      {
        now: () => NOW_MS,
        random: () => 0,
        sleep: async () => {},
        deliver: async () => 'unsettled',
        onFound() {},
        onDropped() {},
        onWarning() {},
      },
    );
    forger.stop();
    const counts = { samples: 2, histograms: 0, exemplars: 0, metadata: 0 };
    await forger.append(0, { protocol: '1.0', bytes: Buffer.from('?'), counts, minTimestampMs: 1, maxTimestampMs: 2 });
    await forger.close();
    const good = await startMock();
    const client = clientOf(good, { protocol: '2.0', diskQueue: { dir, fileSystem: disk } });
    await client.append(samples(4, NOW_MS + 1));
    await client.flush();
    expect(client.stats()).toMatchObject({ sent: { samples: 7 }, failed: { samples: 2 }, unsettled: { samples: 0 } });
  });
});

describe('a client with a disk queue', () => {
  it('takes far more than its shards hold while the endpoint is away, and waits for nothing but the disk', async () => {
    let isDown = true;
    const taken: Mock['requests'] = [];
    const mock = await startMock((request) => {
      if (isDown) return { status: 503 };
      taken.push(request);
      return undefined;
    });
    const client = clientOf(mock, { queue: { capacity: 20, maxSamplesPerSend: 10, minShards: 3, maxShards: 3 } });
    for (let round = 0; round < 30; round++) await client.append(samples(20, NOW_MS + round));
    await client.persist();
    expect(client.stats()).toMatchObject({ pending: 0, unsettled: { samples: 600 } });
    const { retried, sent } = client.stats();
    expect(sent.samples).toBe(0);
    isDown = false;
    await client.flush();
    expect(client.stats()).toMatchObject({
      taken: { samples: 600 },
      sent: { samples: 600 },
      unsettled: { samples: 0 },
    });
    expect(client.stats().retried.samples).toBeGreaterThanOrEqual(retried.samples);
    const times = new Map<string, number[]>();
    for (const { series: all } of taken) {
      for (const { labels, samples: values } of all) {
        times.set(labels['__name__']!, [
          ...(times.get(labels['__name__']!) ?? []),
          ...values.map((v) => v.timestampMs),
        ]);
      }
    }
    for (const list of times.values()) expect(list).toEqual(list.toSorted((a, b) => a - b));
  });

  it('keeps the order of each series while shards become more and the endpoint fails at random', async () => {
    const random = seeded(5);
    const failed = new Set<number>();
    const mock = await startMock(async ({ index }) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      if (!random.chance(0.05)) return undefined;
      failed.add(index);
      return { status: 500 };
    });
    const sets = Array.from({ length: 40 }, (_, i) => series('m', [['i', String(i)]]));
    const client = clientOf(mock, {
      now: Date.now,
      minBackoffMs: 1,
      queue: { maxShards: 6, maxSamplesPerSend: 10, reshardIntervalMs: 30, capacity: 50 },
    });
    let round = 0;
    const next = () => {
      const value = round++;
      return client.append(sets.map((set) => sample(set, value, NOW_MS + value)));
    };
    while (client.stats().shards < 2 && round < 2000) {
      await next();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(client.stats().shards).toBeGreaterThan(1);
    for (const end = round + 20; round < end; ) await next();
    await client.flush();
    const values = new Map<string, number[]>();
    for (const { index, series: all } of mock.requests) {
      if (failed.has(index)) continue;
      for (const { labels, samples: list } of all) {
        values.set(labels['i']!, [...(values.get(labels['i']!) ?? []), ...list.map(({ value }) => value)]);
      }
    }
    expect(values.size).toBe(40);
    for (const list of values.values()) expect(list).toEqual(Array.from({ length: round }, (_, k) => k));
  });

  it('falls back to back-pressure while the disk takes nothing, loses nothing, and says so', async () => {
    const disk = simulatedDisk(seeded(1));
    disk.fault = (operation) => (operation === 'write' || operation === 'open' ? 'ENOSPC' : undefined);
    const warnings: string[] = [];
    let isDown = true;
    const mock = await startMock(() => (isDown ? { status: 503 } : undefined));
    const client = clientOf(mock, {
      diskQueue: { dir, fileSystem: disk },
      queue: { capacity: 20, maxSamplesPerSend: 10 },
      sendExemplars: false,
      onWarning: (message) => warnings.push(message),
    });
    let isDone = false;
    const appended = client.append(samples(100)).then(() => {
      isDone = true;
    });
    await mock.arrived(3);
    expect(isDone).toBe(false);
    expect(client.stats()).toMatchObject({ pending: 20, blocked: 70, disk: { stored: 0, unstored: 1 } });
    isDown = false;
    await appended;
    await client.flush();
    expect(client.stats()).toMatchObject({ sent: { samples: 100 }, disk: { unstored: 10, stored: 0 } });
    expect(warnings).toEqual([expect.stringContaining('ENOSPC')]);
  });

  it('counts each point in one place, whatever is dropped on the way', async () => {
    const mock = await startMock(() => 'hang');
    const client = clientOf(mock, {
      diskQueue: { dir, segmentBytes: 2_000, maxBytes: 6_000 },
      queue: { maxSamplesPerSend: 10 },
    });
    for (let round = 0; round < 40; round++) await client.append(samples(25, NOW_MS + round));
    await client.persist();
    const stats = client.stats();
    expect(stats.dropped.disk_max_bytes.samples).toBeGreaterThan(100);
    expect(stats.disk!.sizeBytes).toBeLessThanOrEqual(6_000);
    expect(sums(stats)).toBe(1_000);
    expect(stats.taken.samples).toBe(1_000);
    const [first] = mock.requests;
    expect(first!.series).toHaveLength(11);
    await client.close(1);
    const { unsettled, ...after } = client.stats();
    expect(sums({ unsettled, ...after })).toBe(1_000);
    // What was on its way is no longer on disk, and was not sent: it is dropped, and the rest is for the next one.
    expect(after.dropped.disk_max_bytes.samples - stats.dropped.disk_max_bytes.samples).toBe(first!.series.length);
    const next = clientOf(await startMock());
    await next.flush();
    expect(next.stats().sent).toMatchObject({ samples: unsettled.samples });
    expect(next.stats().disk).toMatchObject({ lost: 0, unreadable: 0 });
  });

  it('tells a 1.0 receiver the metadata, too', async () => {
    const mock = await startMock(oldReceiver);
    const client = clientOf(mock);
    await client.append(samples(2));
    await client.flush();
    expect(mock.requests.flatMap(({ metadata }) => metadata)).toHaveLength(2);
    expect(client.stats().sent).toMatchObject({ samples: 2, metadata: 2 });
  });

  it('refuses a directory that another one has open', async () => {
    const mock = await startMock();
    clientOf(mock);
    expect(() => clientOf(mock)).toThrow(DiskQueueError);
  });

  it('that cannot read its directory takes no points, and can be closed', async () => {
    const disk = simulatedDisk(seeded(1));
    disk.fault = (operation) => (operation === 'read' ? 'EACCES' : undefined);
    const mock = await startMock();
    const client = clientOf(mock, { diskQueue: { dir, fileSystem: disk } });
    await expect(client.append(samples(1))).rejects.toThrow(DiskQueueError);
    await expect(client.persist()).rejects.toThrow(DiskQueueError);
    await expect(client.flush()).rejects.toThrow(DiskQueueError);
    await client.close();
    expect(accepted(mock)).toEqual([]);
  });
});
