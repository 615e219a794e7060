// What a receiver gets: every boundary with its own timestamp, zero samples before values, stale markers after; and what the
// failure of one series, request or endpoint costs the others.

import { describe, expect, it } from 'vitest';
import { few, holes, increases, secondValues, steps, watchSends, wrongTotals } from './support/checks.ts';
import { type Receiver, STALE_BITS, storedKey } from './support/receiver.ts';
import { everybody, settingsWith } from './support/settings.ts';
import { span } from './support/spans.ts';
import { START_MS, World } from './support/world.ts';

const MINUTE_MS = Math.floor(START_MS / 60_000) * 60_000;
const CALLS =
  'traces_spanmetrics_calls_total{service="shop",span_kind="SPAN_KIND_INTERNAL",span_name="GET /",status_code="STATUS_CODE_UNSET"}';
const SUM = CALLS.replace('calls_total', 'latency_sum');

/** One span a second. */
async function traffic(world: World, seconds: number, tenant = 'shop'): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    world.log.append(world.nowMs, [span(world.nowMs)], { tenant });
    await world.step(1_000);
  }
}

function stored(receiver: Receiver, series: string, tenant = 'shop') {
  const samples = receiver.stored.get(storedKey(tenant, series)) ?? [];
  return samples.map(({ timestampMs, value, bits }) => [
    timestampMs - MINUTE_MS,
    bits === STALE_BITS ? 'stale' : value,
  ]);
}

describe('a receiver that is down for ten minutes', () => {
  it('gets every boundary afterwards, each with its own timestamp, in order; another endpoint never waits', async () => {
    const world = new World({ settings: everybody(), endpoints: [{}, { name: 'healthy' }] });
    const early = watchSends(world);
    await world.start();
    await traffic(world, 60);
    world.receiver.outageUntilMs = world.nowMs + 600_000;
    await traffic(world, 630);
    await world.run(30_000);
    const grid = Array.from({ length: 48 }, (_, i) => MINUTE_MS + (i + 1) * 15_000);
    for (const receiver of world.receivers.values()) {
      const times = receiver.requests
        .flatMap(({ samples }) => samples.filter(({ series }) => series === CALLS))
        .map(({ timestampMs }) => timestampMs);
      expect(times).toEqual([MINUTE_MS - 1_000, ...grid.filter((tMs) => tMs <= world.nowMs)]);
      expect(few(wrongTotals(world, receiver))).toEqual([]);
      expect(few(holes(world, receiver))).toEqual([]);
    }
    const healthy = world.receivers.get('healthy')!;
    for (const { atMs, samples } of healthy.requests)
      expect(atMs - samples.at(-1)!.timestampMs).toBeLessThanOrEqual(62_000);
    const delays = healthy.requests
      .filter(({ samples }) => samples[0]!.value !== 0)
      .map(({ atMs, samples }) => atMs - samples[0]!.timestampMs);
    expect(Math.max(...delays)).toBeLessThanOrEqual(3_000);
    expect(early).toEqual([]);
  });

  it('gets them from the next life if the process dies meanwhile', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    await traffic(world, 40);
    world.receiver.outageUntilMs = world.nowMs + 300_000;
    await traffic(world, 100);
    await world.crash();
    await world.start();
    await traffic(world, 100);
    await world.restart();
    await traffic(world, 120);
    await world.run(30_000);
    expect(few(wrongTotals(world, world.receiver))).toEqual([]);
    expect(few(holes(world, world.receiver))).toEqual([]);
    expect(few(secondValues(world.receiver))).toEqual([]);
  });
});

describe('zero samples', () => {
  it('come before the first value, at the last second of the minute before', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    await traffic(world, 12);
    expect(stored(world.receiver, CALLS)).toEqual([
      [-1_000, 0],
      [15_000, 8],
    ]);
    const [first, second] = world.receiver.requests;
    expect(first!.samples.every(({ value }) => value === 0)).toBe(true);
    expect(second!.samples.some(({ series, value }) => series === CALLS && value === 8)).toBe(true);
  });

  it('of another life come after the stale marker of the one before', async () => {
    const world = new World({ settings: everybody({ staleDurationMs: 60_000 }) });
    await world.start();
    await traffic(world, 12);
    await world.run(290_000);
    await traffic(world, 30);
    const lives = stored(world.receiver, CALLS);
    expect(lives.slice(-4)).toEqual([
      [300_000, 'stale'],
      [300_001, 0],
      [315_000, 6],
      [330_000, 21],
    ]);
    await world.run(20_000);
    expect(world.receiver.requests.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
    expect(few(wrongTotals(world, world.receiver))).toEqual([]);
  });

  it('are the same after a crash, and lost ones are said again', async () => {
    const world = new World({ settings: everybody({ staleDurationMs: 60_000 }) });
    await world.start();
    await traffic(world, 12);
    await world.run(288_000);
    // The stale marker and the next life stay in the ledger.
    world.receiver.outageUntilMs = world.nowMs + 60_000;
    await world.run(5_000);
    await traffic(world, 15);
    await world.crash();
    await world.start();
    await traffic(world, 60);
    const around = stored(world.receiver, CALLS).filter(([tMs]) => Number(tMs) >= 285_000 && Number(tMs) <= 315_000);
    expect(around).toEqual([
      [285_000, 12],
      [300_000, 'stale'],
      [300_001, 0],
      [315_000, 3],
    ]);
    await world.run(20_000);
    expect(few(secondValues(world.receiver))).toEqual([]);
    expect(few(wrongTotals(world, world.receiver))).toEqual([]);
  });
});

describe('tenants with different collection intervals', () => {
  const settings = {
    defaults: settingsWith(),
    tenants: { slow: settingsWith({ collectionIntervalMs: 60_000, staleDurationMs: 60_000 }) },
  };

  async function start(): Promise<World> {
    const world = new World({ settings, boundaryMs: 15_000 });
    await world.start();
    return world;
  }

  it('get their own boundaries and no others', async () => {
    const world = await start();
    for (let i = 0; i < 130; i++) {
      for (const tenant of ['shop', 'slow']) world.log.append(world.nowMs, [span(world.nowMs)], { tenant });
      await world.step(1_000);
    }
    expect(stored(world.receiver, CALLS).map(([tMs]) => tMs)).toEqual([
      -1_000, 15_000, 30_000, 45_000, 60_000, 75_000, 90_000, 105_000, 120_000, 135_000,
    ]);
    expect(stored(world.receiver, CALLS, 'slow')).toEqual([
      [-1_000, 0],
      [60_000, 53],
      [120_000, 113],
    ]);
    expect(few(holes(world, world.receiver))).toEqual([]);
  });

  it.each(['without a crash', 'with a crash between two entries'])(
    'lose no zero sample or exemplar in between, %s',
    async (how) => {
      const world = await start();
      const trace = 'ab'.repeat(16);
      world.log.append(world.nowMs, [span(world.nowMs, { trace })], { tenant: 'slow' });
      await world.step(10_000);
      // Another bucket, in the next entry: the first exemplar is still to be said.
      world.log.append(world.nowMs, [span(world.nowMs, { startMs: world.nowMs - 3_000, trace: 'cd'.repeat(16) })], {
        tenant: 'slow',
      });
      await world.run(20_000);
      if (how !== 'without a crash') {
        await world.crash();
        await world.start();
      }
      await world.run(30_000);
      expect(stored(world.receiver, CALLS, 'slow')).toEqual([
        [-1_000, 0],
        [60_000, 2],
      ]);
      const exemplars = world.receiver.requests.flatMap(({ samples }) =>
        samples.flatMap(({ exemplar }) => exemplar ?? []),
      );
      expect(exemplars).toEqual([`${trace}=0.02`, `${'cd'.repeat(16)}=3`]);
    },
  );

  it('end their series at a boundary of their own, though nothing else is left to say', async () => {
    const odd = { defaults: settingsWith({ collectionIntervalMs: 45_000, staleDurationMs: 60_000 }), tenants: {} };
    const world = new World({ settings: odd, boundaryMs: 15_000 });
    await world.start();
    await traffic(world, 5);
    // The sweep is at 5 minutes, the tenant's next boundary 15 s later.
    await world.run(400_000);
    expect(stored(world.receiver, CALLS).at(-1)).toEqual([315_000, 'stale']);
    expect(world.history.at(-1)!.tMs - MINUTE_MS).toBe(315_000);
  });

  it('end them also if a crash comes in between', async () => {
    const odd = { defaults: settingsWith({ collectionIntervalMs: 45_000, staleDurationMs: 60_000 }), tenants: {} };
    const world = new World({ settings: odd, boundaryMs: 15_000 });
    await world.start();
    await traffic(world, 5);
    await world.run(MINUTE_MS + 305_000 - world.nowMs);
    expect(world.history.at(-1)!.tMs - MINUTE_MS).toBe(300_000);
    await world.crash();
    await world.start();
    await world.run(60_000);
    expect(stored(world.receiver, CALLS).at(-1)).toEqual([315_000, 'stale']);
  });

  it('begin another life behind what was sent, wherever between two boundaries it begins', async () => {
    for (const [pauseMs, zeroMs] of [
      [294_000, 300_001],
      [309_000, 315_001],
      [316_000, 315_001],
    ] as const) {
      const odd = { defaults: settingsWith({ collectionIntervalMs: 45_000, staleDurationMs: 60_000 }), tenants: {} };
      const world = new World({ settings: odd, boundaryMs: 5_000 });
      await world.start();
      await traffic(world, 3);
      await world.run(MINUTE_MS + pauseMs + 7_000 - world.nowMs);
      await traffic(world, 3);
      await world.run(60_000);
      expect(stored(world.receiver, CALLS).filter(([tMs, value]) => value === 0 && tMs !== -1_000)).toEqual([
        [zeroMs, 0],
      ]);
      expect(world.receiver.requests.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
      expect(few(steps(world.receiver))).toEqual([]);
      expect(few(wrongTotals(world, world.receiver))).toEqual([]);
    }
  });
});

it('a series that the receiver refuses costs only itself', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  world.receiver.refuses = (series) => series === SUM;
  for (let i = 0; i < 60; i++) {
    world.log.append(
      world.nowMs,
      Array.from({ length: 10 }, (_, n) => span(world.nowMs, { name: n === 0 ? 'GET /' : `name ${n}` })),
    );
    await world.step(1_000);
  }
  const wrong = wrongTotals(world, world.receiver);
  expect(wrong.filter((text) => !text.startsWith(`shop ${SUM}`))).toEqual([
    `of partition 0 ${53} of 60 records are folded`,
  ]);
  expect(stored(world.receiver, SUM)).toEqual([]);
  expect(increases(world.receiver.stored.get(storedKey('shop', CALLS))!)).toBe(53);
  expect(world.life!.service.stats().endpoints[0]).toMatchObject({
    samplesFailed: 4,
    boundariesSent: 4,
    boundariesSkipped: { age: 0, ledger_full: 0, behind: 0, window: 0 },
  });
});
