// What is promised whatever happens: random calls, records that come late or damaged, stamps from any time, partitions out of
// reach, receivers that fail and answers that get lost, crashes and restarts at any moment. Each seed is a run of its own.

import { afterAll, describe, expect, it } from 'vitest';
import { brokenLinks, few, holes, secondValues, steps, watchSends, wrongTotals } from './support/checks.ts';
import { STALE_BITS } from './support/receiver.ts';
import { replayMismatches } from './support/replay.ts';
import { everybody, settingsWith } from './support/settings.ts';
import { Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

const SEEDS = Array.from({ length: Number(process.env['SEEDS'] ?? 10) }, (_, i) => i + 1);
const STEPS = 300;
const MODES = ['classic', 'native', 'classic', 'both'] as const;

interface Run {
  world: World;
  early: string[];
  lags: string[];
}

async function run(seed: number): Promise<Run> {
  // Rows that no call touches for a minute end at the next sweep: lives begin and end within a run.
  const { spanMetrics, serviceGraphs } = settingsWith();
  const more = {
    staleDurationMs: 60_000,
    histogramMode: MODES[seed % MODES.length]!,
    spanMetrics: { ...spanMetrics, histogramBuckets: [0.05, 0.5] },
    serviceGraphs: { ...serviceGraphs, histogramBuckets: [0.1, 0.4] },
  };
  const isMixed = seed % 3 === 0;
  const settings = isMixed
    ? { defaults: settingsWith(more), tenants: { slow: settingsWith({ ...more, collectionIntervalMs: 40_000 }) } }
    : everybody(more);
  const world = new World({
    seed,
    settings,
    partitions: 1 + (seed % 4),
    boundaryMs: isMixed ? 5_000 : 15_000,
    ...(seed % 2 === 0 ? { baseAfterEntries: 2 + (seed % 5) } : {}),
    endpoints: seed % 2 === 0 ? [{}] : [{}, { name: 'other' }],
  });
  const { random } = world;
  const traffic = new Traffic(world, isMixed ? ['shop', 'slow'] : ['shop']);
  const early = watchSends(world);
  const lags: string[] = [];
  for (const receiver of world.receivers.values()) {
    receiver.latencyMs = () => (random.chance(0.3) ? random.below(1_000) : 0);
    receiver.losesAnswer = () => random.chance(0.05);
  }
  await world.start();
  let pausedSteps = 0;
  for (let i = 0; i < STEPS; i++) {
    traffic.step();
    for (const receiver of world.receivers.values())
      if (random.chance(0.01)) receiver.outageUntilMs = world.nowMs + random.between(1_000, 150_000);
    if (random.chance(0.02))
      world.log.unreachableUntilMs[random.below(world.log.partitions.length)] =
        world.nowMs + random.between(1_000, 90_000);
    if (random.chance(0.02)) pausedSteps = random.below(30);
    if (random.chance(0.012)) world.stopAtDiskStep(random.below(12));
    if (random.chance(0.008)) {
      await world.crash(random.pick(['all', 'nothing', random.below(1_000)]));
      // The process may be away for a while.
      if (random.chance(0.5)) await world.run(random.below(20_000));
      await world.start();
    } else if (random.chance(0.006)) await world.restart();
    world.life!.isPaused = pausedSteps-- > 0;
    await world.step(random.between(100, 1_500));
  }
  traffic.finish();
  world.life!.isPaused = false;
  world.log.unreachableUntilMs.fill(0);
  for (const receiver of world.receivers.values()) receiver.outageUntilMs = 0;
  await world.run(20_000, 500);
  // All is reachable: from now on the newest entry trails the clock by an interval and the grace at most.
  for (let i = 0; i < 60; i++) {
    await world.step(1_000);
    const lagMs = world.nowMs - (world.history.at(-1)?.tMs ?? 0);
    if (lagMs > world.boundaryMs + 3_000) lags.push(`at ${world.nowMs} the newest entry is ${lagMs} ms old`);
  }
  for (const receiver of world.receivers.values()) {
    receiver.latencyMs = () => 0;
    receiver.losesAnswer = () => false;
  }
  await world.run(5_000);
  return { world, early, lags };
}

describe.each(SEEDS)('run %i', (seed) => {
  let done: Promise<Run> | undefined;
  const once = () => {
    done ??= run(seed);
    return done;
  };
  afterAll(() => {
    done = undefined;
  });

  it('sends nothing of a boundary before its entry is durable under the claim, and nothing from the future', async () => {
    expect(few((await once()).early)).toEqual([]);
  });

  it('says one value of a series and timestamp, whoever says it', async () => {
    for (const receiver of (await once()).world.receivers.values()) expect(few(secondValues(receiver))).toEqual([]);
  });

  it('writes one chain of entries', async () => {
    expect(few(brokenLinks((await once()).world))).toEqual([]);
  });

  it('counts every span of the log once', async () => {
    const { world } = await once();
    for (const receiver of world.receivers.values()) expect(few(wrongTotals(world, receiver))).toEqual([]);
    expect(world.counted).toMatchObject({ skipped: 0, failed: 0 });
  });

  it('never lets a series go down', async () => {
    for (const receiver of (await once()).world.receivers.values()) expect(few(steps(receiver))).toEqual([]);
  });

  it('sends every boundary that is owed, with the values of the ledger', async () => {
    const { world } = await once();
    for (const receiver of world.receivers.values()) expect(few(holes(world, receiver))).toEqual([]);
  });

  it('gives the digests of the ledger again when the log is folded along its ticks', async () => {
    expect(await replayMismatches((await once()).world)).toEqual([]);
  });

  it('keeps up with the clock', async () => {
    expect(few((await once()).lags)).toEqual([]);
  });

  it('ends every series of a log that went quiet, and then writes no more entries', async () => {
    const { world } = await once();
    await world.run(420_000, 5_000);
    expect(world.life!.shard.fold.hasWork).toBe(false);
    const entries = world.history.length;
    const open = [...world.receiver.stored].filter(([, samples]) => samples.at(-1)!.bits !== STALE_BITS);
    expect(few(open.map(([key]) => key))).toEqual([]);
    await world.run(120_000, 5_000);
    expect(world.history.length).toBe(entries);
    await world.stop();
  });
});
