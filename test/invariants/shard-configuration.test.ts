// A configuration that changes, between two lives or in the middle of one: what keeps its labels goes on, what doesn't ends, and no
// series goes down.

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { TenantSettings } from '../../src/config/index.ts';
import type { TenantSettingsTable } from '../../src/shard/index.ts';
import { brokenLinks, few, holes, increases, secondValues, steps, watchSends, wrongTotals } from './support/checks.ts';
import { STALE_BITS, storedKey } from './support/receiver.ts';
import { replayMismatches } from './support/replay.ts';
import { everybody, settingsIn, settingsWith } from './support/settings.ts';
import { CLIENT, SERVER, span } from './support/spans.ts';
import { Traffic } from './support/traffic.ts';
import { World } from './support/world.ts';

const CALLS =
  'traces_spanmetrics_calls_total{service="shop",span_kind="SPAN_KIND_CLIENT",span_name="GET /",status_code="STATUS_CODE_UNSET"}';
const EDGE = 'traces_service_graph_request_total{client="shop",server="cart"}';
const { spanMetrics } = settingsWith();

function call(world: World, region?: string): void {
  const client = span(world.nowMs, { kind: CLIENT, attributes: region === undefined ? {} : { region } });
  world.log.append(world.nowMs, [
    client,
    span(world.nowMs, { trace: client.trace, parent: client.id, service: 'cart', kind: SERVER }),
  ]);
}

async function calls(world: World, seconds: number, region?: string): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    call(world, region);
    await world.step(1_000);
  }
}

async function expectSound(world: World): Promise<void> {
  expect(few(wrongTotals(world, world.receiver))).toEqual([]);
  expect(few(steps(world.receiver))).toEqual([]);
  expect(few(holes(world, world.receiver))).toEqual([]);
  expect(await replayMismatches(world)).toEqual([]);
}

const bitsOf = (world: World, series: string) =>
  world.receiver.stored.get(storedKey('shop', series))!.map(({ bits }) => bits);

it.each(['a shutdown', 'a crash'])(
  'a new dimension after %s: edges go on, span metrics end or declare a new beginning',
  async (how) => {
    const world = new World({ settings: everybody() });
    await world.start();
    await calls(world, 30, 'north');
    // Half an edge waits over the change.
    const client = span(world.nowMs, { kind: CLIENT, attributes: { region: 'north' } });
    world.log.append(world.nowMs, [client]);
    await world.run(2_000);
    if (how === 'a crash') await world.crash();
    else await world.stop();
    world.settings = everybody({ spanMetrics: { ...spanMetrics, dimensions: ['region'] } });
    await world.start();
    world.log.append(world.nowMs, [
      span(world.nowMs, { trace: client.trace, parent: client.id, service: 'cart', kind: SERVER }),
    ]);
    await calls(world, 20, 'south');
    // Without a region the label set is the old one: its series come back.
    await calls(world, 20);
    await world.run(20_000);
    expect(world.history.at(-1)!.epoch).toBe(2);
    expect(bitsOf(world, EDGE)).not.toContain(STALE_BITS);
    expect(increases(world.receiver.stored.get(storedKey('shop', EDGE))!)).toBe(71);
    expect(bitsOf(world, CALLS)).toContain(STALE_BITS);
    await expectSound(world);
  },
);

it('other buckets: series that both layouts have declare a new beginning, those of the old one end', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  await calls(world, 40);
  await world.stop();
  world.settings = everybody({ spanMetrics: { ...spanMetrics, histogramBuckets: [0.002, 0.5] } });
  await world.start();
  await calls(world, 40);
  await world.run(20_000);
  const bucket = (le: string) => CALLS.replace('calls_total{', `latency_bucket{le="${le}",`);
  expect(bitsOf(world, bucket('0.128')).at(-1)).toBe(STALE_BITS);
  expect(bitsOf(world, bucket('0.5'))).not.toContain(STALE_BITS);
  for (const series of [CALLS, bucket('+Inf'), CALLS.replace('calls_total', 'latency_sum')]) {
    const values = world.receiver.stored.get(storedKey('shop', series))!.map(({ value }) => value);
    const first = values.findIndex((value) => value > 0);
    expect(values.slice(first).filter((value) => value === 0)).toEqual([0]);
  }
  expect(world.receiver.requests.filter(({ outcome }) => outcome === 'refused')).toEqual([]);
  await expectSound(world);
});

it('a change while the log is quiet still ends the series of the old labels', async () => {
  const world = new World({ settings: everybody({ processors: ['span-metrics'] }) });
  await world.start();
  await calls(world, 20);
  await world.stop();
  world.settings = everybody({ processors: ['span-metrics'], spanMetrics: { ...spanMetrics, dimensions: ['region'] } });
  await world.start();
  await world.run(40_000);
  for (const samples of world.receiver.stored.values()) expect(samples.at(-1)!.bits).toBe(STALE_BITS);
  const entries = world.history.length;
  await world.run(60_000);
  expect(world.history).toHaveLength(entries);
  await expectSound(world);
});

/** As if the file with the settings of tenants had changed. */
function reload(world: World, settings: TenantSettingsTable): void {
  world.settings = settings;
  world.life?.shard.configure((tenant) => settingsIn(settings, tenant));
}

/** Takes the settings of each epoch from the entries, for the checks. Returns those that were never wanted. */
function readEpochs(world: World, wanted: readonly TenantSettingsTable[]): string[] {
  const foreign: string[] = [];
  let tenants: Record<string, TenantSettings> = {};
  for (const { tMs, epoch, sections } of world.history) {
    for (const { meta } of sections) {
      if (meta['holder'] !== 'settings') continue;
      const tenant = String(meta['tenant']);
      const settings = meta['settings'] as TenantSettings;
      tenants = { ...tenants, [tenant]: settings };
      if (!wanted.some((table) => isDeepStrictEqual(settingsIn(table, tenant), settings)))
        foreign.push(`${tenant} at ${tMs}`);
    }
    world.epochs.set(epoch, { defaults: wanted[0]!.defaults, tenants });
  }
  return foreign;
}

const byRegion = everybody({ spanMetrics: { ...spanMetrics, dimensions: ['region'] } });

it('a new dimension in mid life: takes effect behind the next boundary, edges go on, span metrics end', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  await calls(world, 20, 'north');
  const client = span(world.nowMs, { kind: CLIENT, attributes: { region: 'north' } });
  world.log.append(world.nowMs, [client]);
  await world.run(2_000);
  const reloadedMs = world.nowMs;
  reload(world, byRegion);
  world.log.append(world.nowMs, [
    span(world.nowMs, { trace: client.trace, parent: client.id, service: 'cart', kind: SERVER }),
  ]);
  await calls(world, 40, 'south');
  await world.run(20_000);
  const epochs = world.history.map(({ tMs, epoch }) => [tMs, epoch] as const);
  const boundaryMs = Math.ceil(reloadedMs / 15_000) * 15_000;
  expect(epochs.filter(([, epoch]) => epoch === 1).at(-1)![0]).toBe(boundaryMs);
  expect(epochs.find(([, epoch]) => epoch === 2)![0]).toBe(boundaryMs + 15_000);
  expect(epochs.at(-1)![1]).toBe(2);
  expect(bitsOf(world, EDGE)).not.toContain(STALE_BITS);
  expect(increases(world.receiver.stored.get(storedKey('shop', EDGE))!)).toBe(61);
  expect(bitsOf(world, CALLS).at(-1)).toBe(STALE_BITS);
  const south = CALLS.replace('{', '{region="south",');
  expect(increases(world.receiver.stored.get(storedKey('shop', south))!)).toBeGreaterThan(20);
  readEpochs(world, [everybody(), byRegion]);
  await expectSound(world);
});

it.each([0, 4_000, 16_000, 32_000])(
  'a crash %i ms after a reload: what was not in an entry is folded again',
  async (waitMs) => {
    const world = new World({ settings: everybody() });
    await world.start();
    await calls(world, 33, 'north');
    reload(world, byRegion);
    for (let i = 0; i < waitMs / 1_000; i++) await calls(world, 1, 'south');
    await world.crash();
    await world.start();
    await calls(world, 40, 'south');
    await world.run(20_000);
    expect(readEpochs(world, [everybody(), byRegion])).toEqual([]);
    expect(world.history.at(-1)!.epoch).toBe(2);
    await expectSound(world);
  },
);

it('a reload that changes nothing, or that is taken back before the boundary, opens no epoch', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  await calls(world, 20);
  reload(world, structuredClone(world.settings));
  await calls(world, 20);
  reload(world, byRegion);
  reload(world, everybody());
  await calls(world, 20);
  await world.run(20_000);
  expect(world.history.at(-1)!.epoch).toBe(1);
  await expectSound(world);
});

it('two reloads behind one entry: the second waits for the epoch of the first to be said', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  await calls(world, 20);
  await world.run(30_000);
  reload(world, byRegion);
  reload(world, everybody());
  await calls(world, 40);
  await world.run(20_000);
  const epochs = world.history.map(({ epoch }) => epoch);
  expect(epochs.every((epoch, i) => i === 0 || epoch <= epochs[i - 1]! + 1)).toBe(true);
  expect(epochs.at(-1)).toBe(3);
  expect(readEpochs(world, [everybody(), byRegion])).toEqual([]);
  await expectSound(world);
});

it('a reload of a quiet log ends what it must at once, and then no more entries are written', async () => {
  const quiet = everybody({ processors: ['span-metrics'], staleDurationMs: 60_000 });
  const world = new World({ settings: quiet });
  await world.start();
  await calls(world, 20);
  await world.run(600_000, 5_000);
  const before = world.history.length;
  reload(world, byRegion);
  await world.run(60_000);
  // The epoch is said, though nothing is left to end.
  expect(world.history.length).toBe(before + 1);
  await calls(world, 20, 'south');
  await world.run(20_000);
  expect(readEpochs(world, [quiet, byRegion])).toEqual([]);
  expect(world.history.at(-1)!.epoch).toBe(2);
  await expectSound(world);
});

it('a tenant with a longer interval changes over at its own boundary, and loses nothing', async () => {
  const slow = { collectionIntervalMs: 60_000 };
  const before = { defaults: settingsWith(), tenants: { slow: settingsWith(slow) } };
  const after = { defaults: byRegion.defaults, tenants: { slow: { ...byRegion.defaults, ...slow } } };
  const world = new World({ settings: before });
  await world.start();
  for (let i = 0; i < 30; i++) {
    world.log.append(world.nowMs, [span(world.nowMs)], { tenant: 'slow' });
    world.log.append(world.nowMs, [span(world.nowMs)]);
    await world.step(1_000);
  }
  reload(world, after);
  await world.run(180_000);
  expect(readEpochs(world, [before, after])).toEqual([]);
  expect(world.history.at(-1)!.epoch).toBe(3);
  const saidMs = (tenant: string) =>
    world.history
      .filter(({ sections }) => sections.some(({ meta }) => meta['holder'] === 'settings' && meta['tenant'] === tenant))
      .map(({ tMs }) => tMs);
  expect((saidMs('slow')[1]! - 15_000) % 60_000).toBe(0);
  expect(saidMs('slow')[1]!).toBeGreaterThan(saidMs('shop')[1]!);
  await expectSound(world);
});

it('another interval: what was owed by the old one is sent, then the new one holds', async () => {
  const tables = [15_000, 30_000, 15_000].map((collectionIntervalMs) => everybody({ collectionIntervalMs }));
  const world = new World({ settings: tables[0]! });
  await world.start();
  for (const table of tables) {
    reload(world, table);
    await calls(world, 100);
  }
  await world.run(40_000);
  expect(readEpochs(world, tables)).toEqual([]);
  expect(world.history.at(-1)!.epoch).toBe(3);
  const times = world.receiver.stored.get(storedKey('shop', CALLS))!.map(({ timestampMs }) => timestampMs);
  const gaps = times.slice(2).map((tMs, i) => tMs - times[i + 1]!);
  expect(new Set(gaps)).toEqual(new Set([15_000, 30_000]));
  expect(gaps.join()).toMatch(/^(15000,?)+(30000,?)+(15000,?)+$/);
  expect(bitsOf(world, CALLS)).not.toContain(STALE_BITS);
  await expectSound(world);
});

/** Several ways to have it; `slow` has an interval of its own in all of them. */
function tablesOf(more: Partial<TenantSettings>): TenantSettingsTable[] {
  const dimensions = { ...more, spanMetrics: { ...more.spanMetrics!, dimensions: ['region'] } };
  const buckets = { ...more, spanMetrics: { ...dimensions.spanMetrics, histogramBuckets: [0.02, 0.3, 0.7] } };
  const header = { ...more, remoteWriteHeaders: { 'X-Other': 'one' } };
  let n = 0;
  const ms = [40_000, 20_000, 40_000, 60_000];
  const table = (settings: Partial<TenantSettings>, slow: Partial<TenantSettings>): TenantSettingsTable => {
    return {
      defaults: settingsWith(settings),
      tenants: { slow: settingsWith({ ...slow, collectionIntervalMs: ms[n++]! }) },
    };
  };
  return [table(more, more), table(dimensions, more), table(buckets, dimensions), table(header, buckets)];
}

describe.each(Array.from({ length: Number(process.env['SEEDS'] ?? 6) }, (_, i) => i + 1))(
  'reloads at any moment, with crashes around them: run %i',
  (seed) => {
    it('counts every span once, lets no series go down, and replays', async () => {
      const { serviceGraphs } = settingsWith();
      const isMixed = seed % 2 === 0;
      const tables = tablesOf({
        staleDurationMs: 60_000,
        spanMetrics: { ...spanMetrics, histogramBuckets: [0.05, 0.5] },
        serviceGraphs: { ...serviceGraphs, histogramBuckets: [0.1, 0.4] },
      });
      const world = new World({
        seed,
        settings: tables[0]!,
        partitions: 1 + (seed % 3),
        boundaryMs: isMixed ? 5_000 : 15_000,
        ...(seed % 3 === 0 ? { baseAfterEntries: 3 } : {}),
      });
      const { random } = world;
      const tenants = isMixed ? ['shop', 'slow'] : ['shop'];
      const traffic = new Traffic(world, tenants);
      const early = watchSends(world);
      await world.start();
      let reloads = 0;
      for (let i = 0; i < 300; i++) {
        traffic.step();
        const region = random.pick(['north', 'south']);
        world.log.append(world.nowMs, [span(world.nowMs, { attributes: { region } })], {
          tenant: random.pick(tenants),
        });
        if (random.chance(0.05)) {
          reload(world, random.pick(tables));
          reloads++;
        }
        if (random.chance(0.01)) world.receiver.outageUntilMs = world.nowMs + random.between(1_000, 60_000);
        if (random.chance(0.02)) world.stopAtDiskStep(random.below(12));
        if (random.chance(0.02)) {
          await world.crash(random.pick(['all', 'nothing', random.below(1_000)]));
          // The file may change while nobody reads it.
          if (random.chance(0.5)) reload(world, random.pick(tables));
          await world.start();
        } else if (random.chance(0.01)) await world.restart();
        await world.step(random.between(100, 1_500));
      }
      traffic.finish();
      world.receiver.outageUntilMs = 0;
      await world.run(130_000);
      expect(reloads).toBeGreaterThan(5);
      expect(readEpochs(world, tables)).toEqual([]);
      expect(world.history.at(-1)!.epoch).toBeGreaterThan(1);
      expect(few(early)).toEqual([]);
      expect(few(brokenLinks(world))).toEqual([]);
      expect(few(secondValues(world.receiver))).toEqual([]);
      expect(world.counted).toMatchObject({ skipped: 0, failed: 0 });
      await expectSound(world);
    });
  },
);
