import { afterEach, describe, expect, it } from 'vitest';
import { type BatchInfo, createRemoteWrite, type RemoteWrite, type RemoteWriteOptions } from '../../src/index.ts';
import { closeMocks, type Judge, type Mock, oldReceiver, startMock, written } from './mock.ts';
import { mixture, NOW_MS, sample, samples } from './points.ts';

const NEVER_MS = 2 ** 31 - 1;
const NONE = { samples: 0, histograms: 0, exemplars: 0 };
const NO_KINDS = { ...NONE, metadata: 0 };
const clients: RemoteWrite[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close(1);
  await closeMocks();
});

async function rig(judge?: Judge, options: Partial<RemoteWriteOptions> = {}) {
  const mock: Mock = await startMock(judge);
  const batches: BatchInfo[] = [];
  const clock = { ms: NOW_MS };
  const client = createRemoteWrite({
    url: mock.url,
    userAgent: 'test/1.0',
    random: () => 0,
    now: () => clock.ms,
    sleep: async (ms) => {
      clock.ms += ms;
    },
    onBatch: (info) => batches.push(info),
    ...options,
    queue: { batchSendDeadlineMs: NEVER_MS, reshardIntervalMs: NEVER_MS, ...options.queue },
  });
  clients.push(client);
  return { mock, client, batches, clock };
}

describe('stats', () => {
  it('begin with nothing but the settings', async () => {
    const { client } = await rig(undefined, {
      queue: { minShards: 3, maxShards: 9, capacity: 77, maxSamplesPerSend: 11 },
    });
    expect(client.stats()).toMatchObject({
      taken: NONE,
      attempted: NO_KINDS,
      retried: NO_KINDS,
      sent: NO_KINDS,
      failed: NO_KINDS,
      unsettled: NONE,
      enqueueRetries: 0,
      shards: 3,
      minShards: 3,
      maxShards: 9,
      desiredShards: 3,
      shardCapacity: 77,
      maxSamplesPerSend: 11,
      bytes: 0,
      metadataBytes: 0,
      highestTimestampMs: 0,
      highestSentTimestampMs: 0,
    });
    expect(client.stats().disk).toBeUndefined();
  });

  it('count each attempt, and apart from it what was attempted again, by kind', async () => {
    const { client } = await rig(({ index }) => (index < 2 ? { status: 503 } : undefined));
    await client.append(mixture());
    expect(client.stats()).toMatchObject({ taken: { samples: 2, histograms: 3, exemplars: 2 } });
    await client.flush();
    const once = { samples: 2, histograms: 3, exemplars: 2, metadata: 5 };
    expect(client.stats()).toMatchObject({
      attempted: { samples: 6, histograms: 9, exemplars: 6, metadata: 15 },
      retried: { samples: 4, histograms: 6, exemplars: 4, metadata: 10 },
      sent: once,
      failed: NO_KINDS,
      unsettled: NONE,
      highestTimestampMs: NOW_MS,
      highestSentTimestampMs: NOW_MS,
    });
  });

  it('count retries while they are made, not only at the end', async () => {
    let isDown = true;
    const { mock, client } = await rig(() => (isDown ? { status: 500 } : undefined));
    await client.append(samples(3));
    const flushed = client.flush();
    await mock.arrived(3);
    const { retried, unsettled, sent, highestSentTimestampMs } = client.stats();
    expect(retried.samples).toBeGreaterThanOrEqual(6);
    expect(unsettled.samples).toBe(3);
    expect(sent.samples).toBe(0);
    expect(highestSentTimestampMs).toBe(0);
    isDown = false;
    await flushed;
    expect(client.stats().unsettled.samples).toBe(0);
  });

  it('count what the receiver of 2.0 did not write as failed, and what is refused as no retry', async () => {
    const { client } = await rig((request) =>
      request.index === 0
        ? { status: 400, headers: { ...written(request), 'x-prometheus-remote-write-samples-written': '7' } }
        : undefined,
    );
    await client.append(samples(10));
    await client.flush();
    expect(client.stats()).toMatchObject({
      attempted: { samples: 10 },
      retried: NO_KINDS,
      sent: { samples: 7, metadata: 0 },
      failed: { samples: 3, metadata: 10 },
      unsettled: NONE,
      highestSentTimestampMs: NOW_MS,
    });
  });

  it('count the bytes of points and of metadata apart, once for each request', async () => {
    const { mock, client, batches } = await rig(
      (request) => (request.index === 0 ? { status: 500 } : oldReceiver(request)),
      {
        protocol: '1.0',
      },
    );
    await client.append(samples(20));
    await client.flush();
    const [, points, metadata] = mock.requests;
    expect(client.stats()).toMatchObject({
      bytes: points!.body.length,
      metadataBytes: metadata!.body.length,
      attempted: { samples: 40, metadata: 20 },
      sent: { samples: 20, metadata: 20 },
    });
    expect(
      batches.map(({ counts, bodyBytes, attempt, result, status, isRetried }) => {
        return [counts.samples, counts.metadata, bodyBytes, attempt, result, status, isRetried];
      }),
    ).toEqual([
      [20, 0, points!.body.length, 0, 'retry', 500, true],
      [20, 0, points!.body.length, 1, 'accepted', 204, false],
      [0, 20, metadata!.body.length, 0, 'accepted', 204, false],
    ]);
  });

  it('count drops by reason, each point once', async () => {
    const { client, mock } = await rig(() => ({ status: 503 }), {
      sampleAgeLimitMs: 1_000,
      protocol: '1.0',
      sendExemplars: false,
      queue: { maxSamplesPerSend: 10, capacity: 10, onFull: 'drop_oldest' },
    });
    await client.append([...samples(10), ...samples(15, NOW_MS + 5_000)]);
    await mock.arrived(9);
    await client.close(1);
    const { dropped, taken, unsettled, sent, failed } = client.stats();
    expect(taken.samples).toBe(25);
    expect(dropped.queue_full.samples).toBe(5);
    expect(dropped.too_old.samples + dropped.closed.samples).toBe(20);
    expect(dropped.too_old.samples).toBeGreaterThanOrEqual(10);
    expect([unsettled.samples, sent.samples, failed.samples]).toEqual([0, 0, 0]);
  });

  it('tell how long an attempt took, without the waits between', async () => {
    const { client, batches, clock } = await rig(({ index }) => {
      clock.ms += 40 + index;
      return index === 0 ? { status: 429, headers: { 'retry-after': '7' } } : undefined;
    });
    await client.append(sample('a'));
    await client.flush();
    expect(batches.map(({ durationMs }) => durationMs)).toEqual([40, 41]);
    expect(clock.ms).toBe(NOW_MS + 7_000 + 81);
  });
});
