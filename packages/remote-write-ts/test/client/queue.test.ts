// The client with its queue against a mock receiver: batches, back-pressure, shards, metadata, closing. Long, as each needs the same rig.

import { afterEach, describe, expect, it } from 'vitest';
import { LoadMeter } from '../../src/client/load.ts';
import { resolveQueue } from '../../src/client/options.ts';
import { Queue } from '../../src/client/queue.ts';
import {
  ClosedError,
  createRemoteWrite,
  createSeries,
  HistogramError,
  type Point,
  type RemoteWrite,
  type RemoteWriteOptions,
  SenderError,
} from '../../src/index.ts';
import { closeMocks, type Judge, type Mock, oldReceiver, startMock } from './mock.ts';
import { mixture, NOW_MS, sample, samples, series } from './points.ts';

const NEVER_MS = 2 ** 31 - 1;
const clients: RemoteWrite[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close(1);
  await closeMocks();
});

async function rig(
  judge?: Judge,
  options: Partial<RemoteWriteOptions> = {},
): Promise<{ mock: Mock; client: RemoteWrite }> {
  const mock = await startMock(judge);
  const client = createRemoteWrite({
    url: mock.url,
    userAgent: 'test/1.0',
    random: () => 0,
    sleep: async () => {},
    ...options,
    queue: { batchSendDeadlineMs: NEVER_MS, reshardIntervalMs: NEVER_MS, ...options.queue },
  });
  clients.push(client);
  return { mock, client };
}

const names = (mock: Mock) => mock.requests.map((r) => r.series.map(({ labels }) => labels['__name__']!));

/** A gate that lets requests through one by one, in any order. */
function gate(): { judge: Judge; open: (() => void)[] } {
  const open: (() => void)[] = [];
  return { open, judge: () => new Promise((resolve) => open.push(() => resolve(undefined))) };
}

describe('batches', () => {
  it('go when they are full, in the order of the points, without waiting for the deadline', async () => {
    const { mock, client } = await rig(undefined, { queue: { maxSamplesPerSend: 10 }, sendExemplars: false });
    await client.append(samples(25));
    await mock.arrived(2);
    expect(names(mock)).toEqual([samples(10), samples(20).slice(10)].map((batch) => batch.map(nameOf)));
    await client.flush();
    expect(names(mock)[2]).toEqual(samples(25).slice(20).map(nameOf));
    expect(client.stats()).toMatchObject({ sent: { samples: 25 }, pending: 0 });
  });

  it('go at the deadline when they are not full', async () => {
    const { mock, client } = await rig(undefined, { queue: { batchSendDeadlineMs: 20 } });
    await client.append(samples(3));
    expect(client.stats().pending).toBe(3);
    await mock.arrived(1);
    expect(names(mock)).toEqual([['s0', 's1', 's2']]);
  });

  it('count exemplars, for which there is a tenth more room', async () => {
    const { mock, client } = await rig(undefined, { queue: { maxSamplesPerSend: 10 } });
    const [withExemplar] = mixture();
    await client.append([...samples(11), ...Array.from({ length: 6 }, () => withExemplar!)]);
    await client.flush();
    expect(mock.requests.map((r) => r.series.length)).toEqual([11, 5, 1]);
  });

  it('leave exemplars out on demand', async () => {
    const { mock, client } = await rig(undefined, { sendExemplars: false });
    await client.append(mixture());
    await client.flush();
    expect(mock.requests[0]!.series.flatMap(({ exemplars }) => exemplars)).toEqual([]);
    expect(client.stats().sent).toMatchObject({ samples: 2, histograms: 3, exemplars: 0 });
  });

  it('that cannot be sent are refused before any of their points is queued', async () => {
    const { client } = await rig();
    const [, , histogram] = mixture();
    const broken = {
      ...histogram,
      histogram: { ...(histogram as { histogram: object }).histogram, count: 99 },
    } as Point;
    await expect(client.append([...samples(2), broken])).rejects.toThrow(HistogramError);
    await expect(client.append([sample('a', 1, 0.5)])).rejects.toThrow(RangeError);
    expect(client.stats().pending).toBe(0);
  });

  it('carry the external labels that a series has not got itself', async () => {
    const { mock, client } = await rig(undefined, {
      externalLabels: [
        ['cluster', 'a'],
        ['zone', 'z'],
      ],
    });
    const own = client.series([
      ['__name__', 'm'],
      ['zone', 'own'],
    ]);
    await client.append({ kind: 'sample', series: own, value: 1, timestampMs: NOW_MS });
    await client.flush();
    expect(mock.requests[0]!.series[0]!.labels).toEqual({ __name__: 'm', cluster: 'a', zone: 'own' });
  });
});

describe('back-pressure', () => {
  it('holds append until there is room, and nothing is lost or reordered', async () => {
    const { judge, open } = gate();
    const { mock, client } = await rig(judge, { queue: { capacity: 4, maxSamplesPerSend: 2 }, sendExemplars: false });
    let isDone = false;
    const appended = client.append(samples(12)).then(() => {
      isDone = true;
    });
    await mock.arrived(1);
    expect(isDone).toBe(false);
    expect(client.stats()).toMatchObject({ pending: 4, blocked: 6 });
    for (let i = 0; i < 6; i++) {
      await mock.arrived(i + 1);
      open[i]!();
    }
    await appended;
    await client.flush();
    expect(names(mock).flat()).toEqual(samples(12).map(nameOf));
    expect(client.stats().enqueueRetries).toBeGreaterThan(0);
    expect(client.stats().dropped.queue_full.samples).toBe(0);
  });

  it('is not held up by a batch that can never be full, where a shard has less room than that', async () => {
    const { mock, client } = await rig(undefined, { queue: { capacity: 10, maxSamplesPerSend: 10 } });
    await client.append(samples(25)); // with exemplars a batch has eleven
    await mock.arrived(2);
    expect(mock.requests.slice(0, 2).map((r) => r.series.length)).toEqual([10, 10]);
  });

  it('serves calls that wait, and those that come behind them, in their order', async () => {
    const { judge, open } = gate();
    const { mock, client } = await rig(judge, { queue: { capacity: 4, maxSamplesPerSend: 2 }, sendExemplars: false });
    const one = series('one');
    const other = series('other');
    const given = Array.from({ length: 9 }, (_, i) => sample(one, i, NOW_MS + i));
    // Of the first call, a part finds room at once.
    const last = [sample(one, 9, NOW_MS + 9)];
    const appended = [client.append(given), client.append(sample(other, 0)), client.append(last)];
    given.fill(sample(one, -1));
    last.fill(sample(one, -1));
    for (let i = 0; i < 6; i++) {
      await mock.arrived(i + 1);
      open[i]!();
      if (i === 4) {
        await Promise.all(appended);
        void client.flush();
      }
    }
    await client.flush();
    const sent = mock.requests.flatMap((r) =>
      r.series.map(({ labels, samples: [first] }) => `${labels['__name__']} ${first!.value}`),
    );
    expect(sent).toEqual([...Array.from({ length: 9 }, (_, i) => `one ${i}`), 'other 0', 'one 9']);
  });

  it('gives way to newer points where the oldest may be dropped', async () => {
    const { judge, open } = gate();
    const { mock, client } = await rig(judge, {
      queue: { capacity: 4, maxSamplesPerSend: 2, onFull: 'drop_oldest' },
      sendExemplars: false,
    });
    await client.append(samples(12));
    await mock.arrived(1);
    expect(client.stats()).toMatchObject({ pending: 4, dropped: { queue_full: { samples: 6 } } });
    const flushed = client.flush();
    for (let i = 0; i < 3; i++) {
      await mock.arrived(i + 1);
      open[i]!();
    }
    await flushed;
    expect(names(mock)).toEqual([
      ['s0', 's1'],
      ['s8', 's9'],
      ['s10', 's11'],
    ]);
  });

  it('of an endpoint that hangs does not touch another one', async () => {
    const bad = await rig(() => 'hang', { queue: { capacity: 2, maxSamplesPerSend: 1 } });
    const good = await rig();
    const stuck = bad.client.append(samples(20));
    await bad.mock.arrived(1);
    await good.client.append(samples(20));
    await good.client.flush();
    expect(good.client.stats().sent.samples).toBe(20);
    expect(bad.client.stats().sent.samples).toBe(0);
    const refused = expect(stuck).rejects.toThrow(ClosedError);
    await bad.client.close(1);
    await refused;
  });
});

describe('shards', () => {
  const sets = Array.from({ length: 40 }, (_, i) => series('m', [['i', String(i)]]));
  const rounds = (count: number, from = 0): Point[][] =>
    Array.from({ length: count }, (_, k) => sets.map((set) => sample(set, from + k, NOW_MS + from + k)));

  /** What arrived in accepted requests, by series. */
  function arrivals(mock: Mock, isAccepted: (index: number) => boolean = () => true): Map<string, number[]> {
    const bySeries = new Map<string, number[]>();
    for (const { index, series: all } of mock.requests) {
      if (!isAccepted(index)) continue;
      for (const { labels, samples: values } of all) {
        const list = bySeries.get(labels['i']!) ?? [];
        bySeries.set(labels['i']!, [...list, ...values.map(({ value }) => value)]);
      }
    }
    return bySeries;
  }

  it('keep the order of each series, each point once, though requests fail at random', async () => {
    let seed = 7;
    const failed = new Set<number>();
    const judge: Judge = ({ index }) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      if (seed % 3 !== 0) return undefined;
      failed.add(index);
      return { status: seed % 2 === 0 ? 500 : 503 };
    };
    const { mock, client } = await rig(judge, { queue: { minShards: 8, maxShards: 8, maxSamplesPerSend: 7 } });
    for (const round of rounds(30)) await client.append(round);
    await client.flush();
    expect(failed.size).toBeGreaterThan(10);
    const got = arrivals(mock, (index) => !failed.has(index));
    expect(got.size).toBe(sets.length);
    for (const values of got.values()) expect(values).toEqual(Array.from({ length: 30 }, (_, k) => k));
  });

  it('have one request on its way each', async () => {
    let now = 0;
    let most = 0;
    let letGo = () => {};
    const all = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { client } = await rig(
      async () => {
        most = Math.max(most, ++now);
        if (now === 3) letGo();
        await all; // the first three wait for each other
        now--;
        return undefined;
      },
      { queue: { minShards: 3, maxShards: 3, maxSamplesPerSend: 5 } },
    );
    for (const round of rounds(10)) await client.append(round);
    await client.flush();
    expect(most).toBe(3);
  });

  it('become more under load, and the order of each series holds while they do', async () => {
    const slow: Judge = () => new Promise((resolve) => setTimeout(resolve, 5, undefined));
    const { mock, client } = await rig(slow, {
      queue: { maxShards: 6, maxSamplesPerSend: 10, reshardIntervalMs: 30, capacity: 50 },
    });
    let k = 0;
    for (; client.stats().shards < 2 && k < 2000; k++) await client.append(rounds(1, k)[0]!);
    expect(client.stats().shards).toBeGreaterThan(1);
    for (const end = k + 20; k < end; k++) await client.append(rounds(1, k)[0]!);
    await client.flush();
    for (const values of arrivals(mock).values()) expect(values).toEqual(Array.from({ length: k }, (_, i) => i));
  });
});

describe('a change of the number of shards', () => {
  async function queueOf(deliver: () => Promise<void>, onFull: 'block' | 'drop_oldest' = 'drop_oldest') {
    const load = new LoadMeter(NOW_MS);
    const dropped: number[] = [];
    const { capacity, ...others } = resolveQueue({
      url: '',
      userAgent: '',
      queue: { capacity: 10, maxSamplesPerSend: 2, onFull },
    });
    const queue = new Queue({ ...others, capacity }, load, {
      deliver,
      onEntered: () => {},
      onDropped: ({ samples: count }) => dropped.push(count),
      onResharded: () => {},
      underWay: () => 0,
      now: () => NOW_MS,
    });
    return { queue, load, dropped };
  }

  it('is given up when the endpoint is in trouble, and holds nobody up any longer', async () => {
    const { queue, load, dropped } = await queueOf(() => new Promise(() => {}));
    await queue.append(samples(4));
    const change = queue.reshard(3);
    const late = queue.append(samples(20));
    load.freeze(NOW_MS + 1);
    await change;
    await late;
    expect(queue.stats.shards).toBe(1);
    expect(dropped.length).toBeGreaterThan(0);
    queue.close();
  });

  it('is made when the shards are empty', async () => {
    const { queue } = await queueOf(async () => {});
    await queue.append(samples(5));
    await queue.reshard(3);
    expect(queue.stats).toMatchObject({ shards: 3, pending: 0 });
    queue.close();
  });

  it('counts all who wait, and tells each how many of its points were taken when it ends', async () => {
    const { queue } = await queueOf(() => new Promise(() => {}), 'block');
    const first = queue.append(samples(14));
    const second = queue.append(samples(5));
    expect(queue.stats.blocked + queue.stats.pending).toBe(19 - 2);
    queue.close();
    const taken = (error: unknown) => (error as ClosedError).taken;
    expect([await first.catch(taken), await second.catch(taken)]).toEqual([12, 0]);
    expect(queue.stats.blocked).toBe(0);
  });
});

describe('metadata', () => {
  it('go in requests of their own on 1.0: new families at once, all of them again after the interval', async () => {
    const clock = { ms: NOW_MS };
    const { mock, client } = await rig(oldReceiver, {
      protocol: '1.0',
      now: () => clock.ms,
      metadata: { maxPerSend: 2 },
    });
    const latency = createSeries(
      [
        ['__name__', 'latency_bucket'],
        ['le', '1'],
      ],
      { type: 'histogram', help: 'L', unit: 's' },
    );
    const round = async (...points: Point[]) => {
      await client.append(points);
      await client.flush();
      return mock.requests
        .filter(({ metadata }) => metadata.length > 0)
        .flatMap(({ metadata }) => metadata.map((m) => m.metric_family_name));
    };
    expect(await round(sample('a_total'), sample(latency), sample('b_total'))).toEqual([
      'a_total',
      'latency',
      'b_total',
    ]);
    expect(mock.requests.map((r) => r.metadata.length)).toEqual([0, 2, 1]);
    expect(mock.requests[1]!.metadata[1]).toEqual({
      type: 'HISTOGRAM',
      metric_family_name: 'latency',
      help: 'L',
      unit: 's',
    });
    expect(await round(sample('a_total', 2, NOW_MS + 1))).toHaveLength(3);
    expect(await round(sample('c_total'))).toHaveLength(3 + 4);
    clock.ms += 60_000;
    expect(await round(sample('a_total', 3, NOW_MS + 2))).toHaveLength(3 + 4 + 4);
    expect(client.stats()).toMatchObject({ sent: { metadata: 11 }, failed: { metadata: 0 } });
  });

  it('ride on the series on 2.0', async () => {
    const { mock, client } = await rig();
    await client.append(sample('a_total'));
    await client.flush();
    expect(mock.requests).toHaveLength(1);
    expect(mock.requests[0]!.series[0]!.metadata).toEqual({ type: 'COUNTER', help: 'Help of a_total.', unit: '' });
  });

  it('that are refused hold nothing up', async () => {
    const judge: Judge = ({ metadata }) => (metadata.length > 0 ? { status: 500 } : { status: 204 });
    const { client } = await rig(judge, { protocol: '1.0' });
    await client.append(sample('a_total'));
    await client.flush();
    await client.append(sample('a_total', 2, NOW_MS + 1));
    await client.flush();
    expect(client.stats()).toMatchObject({ sent: { samples: 2, metadata: 0 }, failed: { metadata: 1 } });
  });
});

describe('closing', () => {
  it('delivers what is queued, once, and takes no more', async () => {
    const { mock, client } = await rig(undefined, { queue: { minShards: 4, maxShards: 4 } });
    await client.append(samples(100));
    await client.close();
    await client.close();
    expect(new Set(names(mock).flat()).size).toBe(100);
    expect(names(mock).flat()).toHaveLength(100);
    await expect(client.append(samples(1))).rejects.toThrow(ClosedError);
  });

  it.each([Number.POSITIVE_INFINITY, 2 ** 31, 2 ** 40])('delivers what is queued with %d ms for it', async (ms) => {
    const { client } = await rig();
    await client.append(samples(5));
    await client.close(ms);
    expect(client.stats()).toMatchObject({ sent: { samples: 5 }, pending: 0 });
  });

  it('refuses what is no time', async () => {
    const { client } = await rig();
    for (const bad of [Number.NaN, -1, '5' as never, null as never])
      expect(() => client.close(bad)).toThrow(RangeError);
    await client.append(samples(1));
    await client.close();
    expect(client.stats().sent.samples).toBe(1);
  });

  it('drops what is not delivered in time, and says so', async () => {
    const { client, mock } = await rig(() => 'hang', { queue: { maxSamplesPerSend: 10 }, sendExemplars: false });
    await client.append(samples(35));
    await mock.arrived(1);
    await client.close(10);
    expect(client.stats()).toMatchObject({ pending: 0, sent: { samples: 0 }, dropped: { closed: { samples: 35 } } });
  });
});

describe('a client', () => {
  it('survives observers and functions that throw', async () => {
    const { client } = await rig(undefined, {
      onOutcome: () => {
        throw new Error('observer');
      },
      onAttempt: () => {
        throw new Error('observer');
      },
    });
    await client.append(samples(2));
    await client.flush();
    await client.append(samples(2, NOW_MS + 1));
    await client.flush();
    expect(client.stats().sent.samples).toBe(4);
  });

  it("has Prometheus' defaults", () => {
    const { maxPerSend, ...defaults } = resolveQueue({ url: '', userAgent: '', sendExemplars: false });
    expect(maxPerSend).toBe(2_000);
    expect(defaults).toEqual({
      capacity: 10_000,
      minShards: 1,
      maxShards: 50,
      maxSamples: 2_000,
      deadlineMs: 5_000,
      reshardIntervalMs: 10_000,
      onFull: 'block',
    });
  });

  it('refuses options that cannot work', () => {
    const base = { url: 'http://127.0.0.1:9/', userAgent: 'test/1.0' };
    for (const queue of [
      { capacity: 0 },
      { minShards: 3, maxShards: 2 },
      { maxSamplesPerSend: 1.5 },
      { batchSendDeadlineMs: -1 },
    ]) {
      expect(() => createRemoteWrite({ ...base, queue })).toThrow(SenderError);
    }
    expect(() => createRemoteWrite({ ...base, metadata: { sendIntervalMs: 0 } })).toThrow(SenderError);
  });
});

function nameOf({ series: { labels } }: Point): string {
  return labels[0]![1];
}
