// Everything that can go wrong between a client and a receiver, at random, and all of it together: every point arrives, each
// series in its order. A failure names its seed; CHAOS_SEED begins there, CHAOS_SEEDS says how many.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createExemplar,
  createRemoteWrite,
  exponentialHistogram,
  type Point,
  type RemoteWrite,
  type RemoteWriteOptions,
  type Series,
  type Transport,
} from '../../src/index.ts';
import { createPoolTransport } from '../../src/transport/index.ts';
import { closeMocks, startMock } from '../client/mock.ts';
import { samples } from '../client/points.ts';
import { type Random, seeded } from '../disk-queue/random.ts';
import { type ChaosReceiver, MISCHIEF, startChaos } from './receiver.ts';

const SERIES = 30;
const ROUNDS = 60;
/** Points of one series in a body: in the worst case its shard has no other. */
const MOST_PER_BODY = 18;
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const FIRST_SEED = Number(process.env['CHAOS_SEED'] ?? 1);
const SEEDS = Number(process.env['CHAOS_SEEDS'] ?? 3);
const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i);

const open: { close(): Promise<void> }[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
  await closeMocks();
});

const protocols = ['1.0', '2.0', 'auto'] as const;
const done = new Map<string, number>();

describe.each(protocols)('with %s', (protocol) => {
  it.each(seeds)('every point arrives in order, from memory (seed %i)', async (seed) => {
    await run(seed, protocol, undefined);
  });

  it.each(seeds)('every point arrives in order, over the disk and over restarts (seed %i)', async (seed) => {
    const dir = await mkdtemp(join(tmpdir(), 'chaos-'));
    directories.push(dir);
    await run(seed, protocol, dir);
  });
});

it('all of the mischief was done', () => {
  for (const mischief of Object.keys(MISCHIEF)) expect(done.get(mischief), mischief).toBeGreaterThan(0);
});

async function run(seed: number, protocol: (typeof protocols)[number], dir: string | undefined): Promise<void> {
  const random = seeded(seed * 10 + protocols.indexOf(protocol));
  const clock = { ms: START_MS };
  const receiver = await startChaos(random, protocol === 'auto', () => clock.ms);
  open.push(receiver);
  const slept: number[] = [];
  const options: RemoteWriteOptions = {
    url: receiver.url,
    userAgent: 'test/1.0',
    protocol,
    timeoutMs: 150,
    // Back to 2.0 again and again.
    reprobeMs: 60_000,
    random,
    now: () => clock.ms,
    sleep: async (waitMs) => {
      slept.push(waitMs);
      clock.ms += waitMs;
      await new Promise((resolve) => setImmediate(resolve));
    },
    ...(dir !== undefined && { diskQueue: { dir, segmentBytes: 4_000, maxBytes: 1_000_000, maxAgeMs: 1e12 } }),
    queue: { capacity: 100, maxSamplesPerSend: 17, reshardIntervalMs: 2 ** 31 - 1 },
  };
  const makeClient = () => {
    const queue = { ...options.queue, minShards: 1 + random.below(5), maxShards: 8 };
    return createRemoteWrite({ ...options, queue, transport: attentive(receiver) });
  };
  let client: RemoteWrite = makeClient();
  open.push({ close: () => client.close(1) });
  const series = seriesOf(client);
  let sent = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await client.append(series.map((of, i) => pointOf(of, i, round)));
    if (random.chance(0.1)) await client.flush();
    if (dir !== undefined && random.chance(0.1)) {
      await client.persist();
      await client.close(1 + random.below(20));
      sent += client.stats().sent.samples + client.stats().sent.histograms;
      await receiver.expectAnother(MOST_PER_BODY);
      client = makeClient();
    }
  }
  await client.flush();
  const stats = client.stats();
  sent += stats.sent.samples + stats.sent.histograms;
  expect(receiver.problems, `CHAOS_SEED=${seed}`).toEqual([]);
  expect(receiver.last.size).toBe(SERIES);
  for (const last of receiver.last.values()) expect(last, `CHAOS_SEED=${seed}`).toBe(ROUNDS - 1);
  expect(stats).toMatchObject({ failed: { samples: 0, histograms: 0 }, unsettled: { samples: 0, histograms: 0 } });
  // A restart may send a batch again that was on its way.
  if (dir === undefined) expect(sent).toBe(SERIES * ROUNDS);
  else expect(sent).toBeGreaterThanOrEqual(SERIES * (ROUNDS - MOST_PER_BODY));
  checkWaits(receiver, slept);
  for (const [mischief, count] of receiver.done) done.set(mischief, (done.get(mischief) ?? 0) + count);
}

/** A receiver that asked for a wait got it in full; all other waits are those of the backoff. */
function checkWaits({ asked }: ChaosReceiver, slept: readonly number[]): void {
  const long = slept.filter((ms) => ms > 5_000).length;
  expect(long).toBeLessThanOrEqual(asked.length);
  // A wait that was asked of a request which the sender had given up on, or just when it was closed, was not waited.
  expect(long).toBeGreaterThanOrEqual(Math.floor(asked.length * 0.5));
  for (const ms of slept.filter((wait) => wait <= 5_000)) expect(ms).toBeGreaterThanOrEqual(30 * 0.8);
}

/** The usual transport; the receiver learns what the sender has read of its answers. */
function attentive(receiver: ChaosReceiver): Transport {
  const { origin } = new URL(receiver.url);
  const pool = createPoolTransport({ origin, connections: 8, connectTimeoutMs: 1_000 });
  return {
    async post(request) {
      const response = await pool.post(request);
      const isOld = request.headers['content-type'] === 'application/x-protobuf';
      const isTaken = isOld || response.header('x-prometheus-remote-write-samples-written') !== undefined;
      if (response.status < 300 && isTaken) receiver.acknowledge(request.body);
      return response;
    },
    close: () => pool.close(),
  };
}

function seriesOf(client: RemoteWrite): Series[] {
  return Array.from({ length: SERIES }, (_, i) =>
    client.series([
      ['__name__', i % 5 === 0 ? 'histogram' : 'counter_total'],
      ['i', String(i)],
    ]),
  );
}

// Its number is the value, or the sum.
function pointOf(series: Series, i: number, round: number): Point {
  const timestampMs = START_MS + round * 15_000;
  if (i % 5 === 0) {
    const histogram = exponentialHistogram({ schema: 3, sum: round, positive: [[1, round + 1]] });
    return { kind: 'histogram', series, histogram, timestampMs };
  }
  const exemplars = round % 7 === 0 ? [createExemplar([['trace_id', `${i}-${round}`]], round, timestampMs)] : [];
  return { kind: 'sample', series, value: round, timestampMs, exemplars };
}

describe('an endpoint that only fails', () => {
  it.each(['memory', 'disk'])('never holds up another one (%s)', async (kind: string) => {
    const random: Random = seeded(1);
    const bad = await startMock(() => (random.chance(0.5) ? { status: 500 } : 'reset'));
    const good = await startMock();
    const clients = await Promise.all(
      [bad.url, good.url].map(async (url) => {
        const dir = await mkdtemp(join(tmpdir(), 'chaos-'));
        directories.push(dir);
        const client = createRemoteWrite({
          url,
          userAgent: 'test/1.0',
          sleep: () => new Promise((resolve) => setImmediate(resolve)),
          ...(kind === 'disk' && { diskQueue: { dir } }),
          queue: { capacity: 50, maxSamplesPerSend: 10, minShards: 4, maxShards: 4 },
        });
        open.push({ close: () => client.close(1) });
        return client;
      }),
    );
    const [failing, well] = clients as [RemoteWrite, RemoteWrite];
    const stuck = Promise.all(
      Array.from({ length: 20 }, (_, round) => failing.append(samples(100, START_MS + round)).catch(() => {})),
    );
    for (let round = 0; round < 20; round++) await well.append(samples(100, START_MS + round));
    await well.flush();
    expect(well.stats()).toMatchObject({ sent: { samples: 2_000 }, retried: { samples: 0 } });
    expect(failing.stats().sent.samples).toBe(0);
    await failing.close(1);
    await stuck;
  });
});
