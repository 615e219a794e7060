// A relay before a receiver that stores nothing of a request with a time that it dislikes, as those of 1.0 do.

import { createRemoteWrite, createSeries, type RemoteWrite } from 'remote-write-ts';
import { afterEach, describe, expect, it } from 'vitest';
import {
  closeMocks,
  type Judge,
  type Mock,
  type MockRequest,
  startMock,
} from '../../packages/remote-write-ts/test/client/mock.ts';
import { openEndpoint } from '../../src/relay/endpoint.ts';
import { LANES, type Lane, openLanes } from '../../src/relay/lanes.ts';
import { renderOwnMetrics } from '../../src/relay/own-metrics.ts';
import { noCounts } from '../../src/relay/relay.ts';

const SCRAPE_MS = 1_700_000_000_000;
const MINUTE_MS = 60_000;

afterEach(closeMocks);

const timesOf = ({ series }: MockRequest) =>
  series.flatMap(({ samples }) => samples.map((sample) => sample.timestampMs));
const valuesOf = (request: MockRequest) =>
  Object.fromEntries(request.series.map(({ labels, samples }) => [labels['__name__'], samples[0]!.value]));
const isStored = (request: MockRequest) =>
  timesOf(request).every((ms) => ms <= SCRAPE_MS + 10 * MINUTE_MS && ms >= SCRAPE_MS - 60 * MINUTE_MS);
/** All of a request or nothing. */
const strict: Judge = (request) => (isStored(request) ? { status: 204 } : { status: 400, body: 'out of bounds' });

function endpoint(mock: Mock, protocol: 'auto' | '1.0' = '1.0') {
  const log: string[] = [];
  const lanes = openEndpoint(
    { url: mock.url, protocol, metadata: { send: false }, queue: { batchSendDeadlineMs: 5 } },
    'here',
    { userAgent: 'test/1', onTrouble: (_, message) => log.push(message) },
  );
  let value = 0;
  const at = (name: string, offsetMs: number) => ({
    kind: 'sample' as const,
    series: createSeries([['__name__', name]]),
    value: ++value,
    timestampMs: SCRAPE_MS + offsetMs,
  });
  return { lanes, log, at };
}

describe('a time that the receiver refuses', () => {
  it.each<[string, number]>([
    ['an hour ahead', 60 * MINUTE_MS],
    ['three hours old', -180 * MINUTE_MS],
  ])('%s costs neither those without a time nor those with a better one, and no further request', async (_, badMs) => {
    const mock = await startMock(strict);
    const { lanes, log, at } = endpoint(mock);
    const points = [at('plain', 0), at('own', -MINUTE_MS), at('bad', badMs), at('up', 0)];
    await lanes.append(points, SCRAPE_MS);
    await lanes.close(10_000);
    const stored = mock.requests.filter(isStored).map(valuesOf);
    expect(stored).toHaveLength(2);
    expect(stored).toContainEqual({ plain: 1, up: 4 });
    expect(stored).toContainEqual({ own: 2 });
    expect(mock.requests).toHaveLength(3);
    expect(log).toEqual([
      expect.stringMatching(/^the receiver refused samples with timestamps .* 1h old, status 400: out of bounds/),
    ]);
  });

  it('is a matter of the page’s times only: without those all go in one request', async () => {
    const mock = await startMock(strict);
    const { lanes, at } = endpoint(mock);
    await lanes.append([at('a', 0), at('b', 0)], SCRAPE_MS);
    expect(lanes.stats()).toHaveLength(1);
    await lanes.close(10_000);
    expect(mock.requests.map(valuesOf)).toEqual([{ a: 1, b: 2 }]);
  });

  it('is the receiver’s own matter over 2.0, which stores the rest', async () => {
    const mock = await startMock();
    const { lanes, at } = endpoint(mock, 'auto');
    for (const offsetMs of [0, 1]) {
      await lanes.append([at('a', offsetMs), at('b', 180 * MINUTE_MS + offsetMs)], SCRAPE_MS + offsetMs);
      await expect.poll(() => lanes.stats()[0]!.sent.samples).toBe(2 * (offsetMs + 1));
    }
    await lanes.close(10_000);
    expect(mock.requests.map(valuesOf)).toEqual([
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ]);
  });

  it('stays apart also where it is found out that the receiver speaks 1.0', async () => {
    const mock = await startMock((request) => (request.protocol === '2.0' ? { status: 415 } : strict(request)));
    const { lanes, at } = endpoint(mock, 'auto');
    await lanes.append([at('a', 0)], SCRAPE_MS);
    await expect.poll(() => lanes.stats()[0]!.sent.samples).toBe(1);
    await lanes.append([at('a', 1), at('bad', 60 * MINUTE_MS)], SCRAPE_MS + 1);
    await lanes.close(10_000);
    expect(mock.requests.map(({ protocol }) => protocol)).toEqual(['2.0', '1.0', '1.0', '1.0']);
    expect(mock.requests.filter(isStored).map(valuesOf)).toContainEqual({ a: 2 });
  });

  it('is doubtful beyond ten minutes ahead and an hour back, not before', async () => {
    const mock = await startMock();
    const { lanes, at } = endpoint(mock);
    const near = [at('a', 10 * MINUTE_MS), at('b', -60 * MINUTE_MS)];
    await lanes.append([...near, at('c', 10 * MINUTE_MS + 1), at('d', -60 * MINUTE_MS - 1)], SCRAPE_MS);
    await lanes.close(10_000);
    expect(mock.requests.map(valuesOf)).toHaveLength(2);
    expect(mock.requests.map(valuesOf)).toContainEqual({ a: 1, b: 2 });
    expect(mock.requests.map(valuesOf)).toContainEqual({ c: 3, d: 4 });
  });

  it('is counted with all others in the relay’s own metrics', async () => {
    const mock = await startMock(strict);
    const { lanes, at } = endpoint(mock);
    await lanes.append([at('plain', 0), at('own', -1), at('bad', 60 * MINUTE_MS)], SCRAPE_MS);
    await lanes.close(10_000);
    const state = { counts: noCounts(), lanes: lanes.stats(), remoteStorage: lanes.metrics(), trackedSeries: 3 };
    const page = renderOwnMetrics(state).split('\n');
    expect(page).toContain('spanmill_relay_samples_total{fate="sent"} 2');
    expect(page).toContain('spanmill_relay_samples_total{fate="failed"} 1');
    expect(page).toContain('spanmill_relay_requests_total{outcome="refused"} 1');
    expect(page).toContain('prometheus_remote_storage_samples_in_total 3');
    const failed = page.filter((line) => line.startsWith('prometheus_remote_storage_samples_failed_total{'));
    expect(failed.map((line) => [/remote_name="([^"]*)"/.exec(line)![1], line.split(' ').at(-1)])).toEqual([
      ['default', '0'],
      ['default-own-time', '0'],
      ['default-doubtful-time', '1'],
    ]);
    const types = page.filter((line) => line.startsWith('# TYPE '));
    expect(new Set(types).size).toBe(types.length);
  });
});

describe('lanes', () => {
  it('are opened no more after the end, and what comes then is refused', async () => {
    const mock = await startMock();
    const opened: Lane[] = [];
    const lanes = openLanes((lane): RemoteWrite => {
      opened.push(lane);
      return createRemoteWrite({ url: mock.url, userAgent: 'test/1' });
    });
    await lanes.close(1_000);
    const series = lanes.series([['__name__', 'a']]);
    for (const timestampMs of [SCRAPE_MS, SCRAPE_MS + 1]) {
      const points = [{ kind: 'sample' as const, series, value: 1, timestampMs }];
      await expect(lanes.append(points, SCRAPE_MS)).rejects.toMatchObject({ name: 'ClosedError' });
    }
    expect(opened).toEqual([LANES[0]]);
  });
});
