// The metrics of a client that does its work, against the mock receiver.

import { afterEach, describe, expect, it } from 'vitest';
import { desiredShards, wantedShards } from '../../src/client/resharding.ts';
import { createRemoteWrite, LabelError, type RemoteWrite, type RemoteWriteOptions } from '../../src/index.ts';
import { closeMocks, type Judge, startMock } from '../client/mock.ts';

const open: RemoteWrite[] = [];

afterEach(async () => {
  for (const client of open.splice(0)) await client.close(1);
  await closeMocks();
});

async function start(judge: Judge, options: Partial<RemoteWriteOptions> = {}) {
  const mock = await startMock(judge);
  const client = createRemoteWrite({
    url: `${mock.url}?key=secret`,
    name: 'r',
    userAgent: 'test/1',
    minBackoffMs: 1,
    maxBackoffMs: 1,
    queue: { maxShards: 1 },
    ...options,
  });
  open.push(client);
  return { mock, client, url: mock.url };
}

function metric(client: RemoteWrite, name: string, suffix = ''): number | undefined {
  const full = `prometheus_remote_storage_${name}`;
  const family = client.metrics().find((one) => one.name === full);
  return family?.samples.find((sample) => sample.name === full + suffix)?.value;
}

describe('a client’s metrics', () => {
  it('count samples that were taken, attempted, retried and stored, with the times of each attempt', async () => {
    const { client, url } = await start(({ index }) => (index === 0 ? { status: 503 } : undefined));
    const series = client.series([['__name__', 'a']]);
    await client.append([
      { kind: 'sample', series, value: 1, timestampMs: 1_000 },
      { kind: 'sample', series, value: 2, timestampMs: 2_500 },
    ]);
    expect(metric(client, 'samples_pending')).toBe(2);
    await client.flush();
    expect(metric(client, 'samples_in_total')).toBe(2);
    expect(metric(client, 'samples_total')).toBe(4);
    expect(metric(client, 'samples_retried_total')).toBe(2);
    expect(metric(client, 'samples_failed_total')).toBe(0);
    expect(metric(client, 'samples_pending')).toBe(0);
    expect(metric(client, 'sent_batch_duration_seconds', '_count')).toBe(2);
    expect(metric(client, 'queue_highest_sent_timestamp_seconds')).toBe(2.5);
    expect(metric(client, 'highest_timestamp_in_seconds')).toBe(2.5);
    expect(metric(client, 'bytes_total')).toBeGreaterThan(0);
    const { labels } = client.metrics()[0]!.samples[0]!;
    expect(labels).toEqual([
      ['remote_name', 'r'],
      ['url', url],
    ]);
  });

  it('count as failed what was refused, and what was left at the end', async () => {
    const { client, mock } = await start(({ index }) => (index === 0 ? { status: 400 } : 'hang'), { protocol: '2.0' });
    const series = client.series([['__name__', 'a']]);
    await client.append({ kind: 'sample', series, value: 1, timestampMs: 1_000 });
    await client.flush();
    expect(metric(client, 'samples_failed_total')).toBe(1);
    await client.append({ kind: 'sample', series, value: 1, timestampMs: 2_000 });
    const flushed = client.flush();
    await mock.arrived(2);
    await client.close(1);
    await flushed;
    expect(metric(client, 'samples_failed_total')).toBe(2);
    expect(metric(client, 'samples_pending')).toBe(0);
  });

  it('are zeros before the first point, none of them missing', async () => {
    const { client } = await start(() => undefined);
    expect(metric(client, 'samples_total')).toBe(0);
    expect(metric(client, 'samples_failed_total')).toBe(0);
    expect(metric(client, 'shards_max')).toBe(1);
    expect(metric(client, 'shard_capacity')).toBe(10_000);
    expect(metric(client, 'max_samples_per_send')).toBe(2_000);
  });
});

describe('the shards that a load asks for', () => {
  const load = { shards: 2, minShards: 1, maxShards: 2, inPerSecond: 100, outPerSecond: 50, sendingPerSecond: 2 };

  it('may be more than there may be, or a fraction; only what is done stays within the limits', () => {
    const busy = { ...load, pending: 0, behindMs: 0 };
    expect([wantedShards(busy), desiredShards(busy)]).toEqual([4, 2]);
    expect(wantedShards({ ...busy, pending: 100 })).toBe(4.2);
    expect(wantedShards({ ...busy, outPerSecond: 0 })).toBeUndefined();
  });
});

describe('a client’s series', () => {
  it('get the names of Prometheus where they are to be translated; labels from outside stay as they are', async () => {
    const { client } = await start(() => undefined, {
      nameTranslation: 'UnderscoreEscapingWithSuffixes',
      externalLabels: [
        ['http_method', 'never'],
        ['clus.ter', 'eu'],
      ],
    });
    const series = client.series(
      [
        ['__name__', 'http.requests'],
        ['http.method', 'GET'],
      ],
      { type: 'counter', unit: '1' },
    );
    expect(series.labels).toEqual([
      ['__name__', 'http_requests_total'],
      ['clus.ter', 'eu'],
      ['http_method', 'GET'],
    ]);
    expect(series.metadata).toMatchObject({ family: 'http_requests_total' });
    expect(() => client.series([['__name__', '%']])).toThrow(LabelError);
  });

  it('keep their names where nothing is said', async () => {
    const { client } = await start(() => undefined);
    expect(client.series([['__name__', 'a.b']], { type: 'counter' }).labels).toEqual([['__name__', 'a.b']]);
  });

  it('can not be translated in a way that does not exist', async () => {
    const options = { url: 'http://a', userAgent: 'test/1', nameTranslation: 'Other' as 'NoTranslation' };
    expect(() => createRemoteWrite(options)).toThrow(/nameTranslation is one of Under/);
  });
});
