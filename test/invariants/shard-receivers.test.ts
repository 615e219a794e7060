// Receivers that differ: one that speaks 2.0, one that turns out not to, one whose window is behind it, one that is slow; and series that
// are called otherwise from one start to the next.

import { describe, expect, it } from 'vitest';
import type { RelabelRule } from '../../src/config/index.ts';
import { few, holes, secondValues, steps, wrongTotals } from './support/checks.ts';
import { type Receiver, STALE_BITS, storedKey } from './support/receiver.ts';
import { everybody } from './support/settings.ts';
import { span } from './support/spans.ts';
import { START_MS, World } from './support/world.ts';

const MINUTE_MS = Math.floor(START_MS / 60_000) * 60_000;
const CALLS =
  'traces_spanmetrics_calls_total{service="shop",span_kind="SPAN_KIND_INTERNAL",span_name="GET /",status_code="STATUS_CODE_UNSET"}';
const SECOND_VERSION = { connection: { protocol: 'auto', minBackoffMs: 1_000, maxBackoffMs: 1_000 } } as const;

async function traffic(world: World, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    world.log.append(world.nowMs, [span(world.nowMs)]);
    await world.step(1_000);
  }
}

function stored(receiver: Receiver, series: string) {
  return (
    receiver.stored.get(storedKey('single-tenant', series)) ??
    receiver.stored.get(storedKey('shop', series)) ??
    []
  ).map(({ timestampMs, value, bits }) => [timestampMs - MINUTE_MS, bits === STALE_BITS ? 'stale' : value]);
}

describe('remote-write 2.0', () => {
  it('has the same samples, and a refused series costs nobody else, nor a search', async () => {
    const world = new World({ settings: everybody(), endpoints: [SECOND_VERSION] });
    world.receiver.speaks = '2.0';
    await world.start();
    await traffic(world, 20);
    world.receiver.refuses = (series) => series.includes('latency_sum');
    await traffic(world, 40);
    await world.crash();
    await world.start();
    await traffic(world, 20);
    expect(new Set(world.receiver.requests.map(({ protocol }) => protocol))).toEqual(new Set(['2.0']));
    expect(few(secondValues(world.receiver))).toEqual([]);
    expect(few(steps(world.receiver))).toEqual([]);
    expect(stored(world.receiver, CALLS).at(0)).toEqual([-1_000, 0]);
    expect(
      stored(world.receiver, CALLS)
        .slice(1)
        .map(([tMs]) => tMs),
    ).toEqual([15_000, 30_000, 45_000, 60_000, 75_000]);
    // A boundary is one request, but for zero samples.
    const times = world.receiver.requests.map(({ samples }) => samples[0]!.timestampMs);
    expect(times).toHaveLength(new Set(times).size + 1);
  });

  it('says when counting began: the same time through crashes and bases, another one for another life', async () => {
    const world = new World({
      settings: everybody({ staleDurationMs: 60_000 }),
      endpoints: [SECOND_VERSION],
      baseAfterEntries: 2,
    });
    world.receiver.speaks = '2.0';
    await world.start();
    await traffic(world, 80);
    expect(world.life!.ledger.stats().bases).toBeGreaterThan(0);
    await world.crash();
    await world.start();
    await traffic(world, 40);
    await world.run(400_000);
    const again = world.nowMs;
    await traffic(world, 40);
    const said = world.receiver.requests.flatMap(({ samples }) => samples.filter(({ series }) => series === CALLS));
    const starts = (from: number, to: number) =>
      new Set(
        said
          .filter(({ value, timestampMs }) => value > 0 && timestampMs > from && timestampMs <= to)
          .map(({ startMs }) => startMs),
      );
    expect(starts(0, again)).toEqual(new Set([MINUTE_MS - 1_000]));
    const zeros = said.filter(({ value }) => value === 0).map(({ timestampMs }) => timestampMs);
    expect(starts(again, world.nowMs)).toEqual(new Set([zeros.at(-1)]));
    expect(zeros.at(-1)).toBeGreaterThan(again - 120_000);
  });

  it('falls back to 1.0 where a receiver takes it and stores nothing, and loses nothing by that', async () => {
    const world = new World({ settings: everybody(), endpoints: [SECOND_VERSION] });
    await world.start();
    await traffic(world, 60);
    await world.run(20_000);
    expect(world.receiver.requests.every(({ protocol }) => protocol === '1.0')).toBe(true);
    expect(few(wrongTotals(world, world.receiver))).toEqual([]);
    expect(few(holes(world, world.receiver))).toEqual([]);
    expect(stored(world.receiver, CALLS)[0]).toEqual([-1_000, 0]);
  });
});

describe('a receiver that takes no old samples any more', () => {
  it.each([
    ['a 400', false],
    ['a 500', true],
  ])(
    'is not asked for each old boundary; they are counted, and what it takes is right: it says %s',
    async (_, saysTooOld) => {
      const world = new World({ settings: everybody() });
      world.receiver.saysTooOld = saysTooOld;
      await world.start();
      await traffic(world, 60);
      // It is there for others meanwhile: when it comes back, its window begins half an hour ago.
      world.receiver.outageUntilMs = world.nowMs + 3_600_000;
      world.receiver.oldestMs = world.nowMs + 1_800_000;
      for (let i = 0; i < 360; i++) {
        world.log.append(world.nowMs, [span(world.nowMs)]);
        await world.step(10_000);
      }
      await world.run(60_000);
      const { boundariesSkipped } = world.life!.service.stats().endpoints[0]!;
      expect(boundariesSkipped.window).toBeGreaterThan(60);
      expect(boundariesSkipped.behind).toBe(0);
      const refused = world.receiver.requests.filter(({ outcome }) => outcome === 'refused');
      expect(refused.length).toBeLessThan(60);
      expect(few(steps(world.receiver))).toEqual([]);
      expect(stored(world.receiver, CALLS).at(-1)![1]).toBe(420);
    },
  );
});

describe('a receiver that is too slow for a backlog', () => {
  it('gets every k-th boundary of it, then all again; totals and times are right', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    await traffic(world, 60);
    world.receiver.latencyMs = () => 4_000;
    await traffic(world, 60);
    world.receiver.outageUntilMs = world.nowMs + 2_400_000;
    for (let i = 0; i < 240; i++) {
      world.log.append(world.nowMs, [span(world.nowMs)]);
      await world.step(10_000);
    }
    await world.run(600_000);
    const { boundariesSkipped } = world.life!.service.stats().endpoints[0]!;
    expect(boundariesSkipped.behind).toBeGreaterThan(50);
    expect(few(steps(world.receiver))).toEqual([]);
    expect(few(holes(world, world.receiver, boundariesSkipped.behind))).toEqual([]);
    const samples = stored(world.receiver, CALLS);
    expect(samples.at(-1)![1]).toBe(360);
    const gaps = samples.slice(-10).map(([tMs], i, all) => (i === 0 ? 15_000 : Number(tMs) - Number(all[i - 1]![0])));
    expect(new Set(gaps)).toEqual(new Set([15_000]));
  });
});

describe('relabelling', () => {
  const rule = (more: Partial<RelabelRule>): RelabelRule => ({
    sourceLabels: [],
    separator: ';',
    regex: '(.*)',
    modulus: 0,
    targetLabel: '',
    replacement: '$1',
    action: 'replace',
    ...more,
  });
  const relabelled = (...rules: RelabelRule[]) => everybody({ writeRelabel: { receiver: rules } });
  const RENAMED = CALLS.replace('service=', 'app="x",service=');
  const inOrder = (name: string) =>
    name.replace(/\{.*\}/, (labels) => `{${labels.slice(1, -1).split(',').sort().join(',')}}`);

  it('drops and renames at one endpoint, and says how much it drops', async () => {
    const world = new World({
      settings: relabelled(
        rule({ sourceLabels: ['__name__'], regex: '.*_(bucket|sum)', action: 'drop' }),
        rule({ targetLabel: 'app', replacement: 'x' }),
      ),
      endpoints: [{}, { name: 'other' }],
    });
    await world.start();
    await traffic(world, 30);
    expect([...world.receiver.stored.keys()].some((key) => key.includes('_bucket'))).toBe(false);
    expect(stored(world.receiver, inOrder(RENAMED)).length).toBeGreaterThan(1);
    expect([...world.receivers.get('other')!.stored.keys()].some((key) => key.includes('_bucket'))).toBe(true);
    const [mine, others] = world.life!.service.stats().endpoints;
    expect(mine!.samplesNotSent).toMatchObject({ relabel: 16 * mine!.boundariesSent, relabel_collision: 0 });
    expect(others!.samplesNotSent).toMatchObject({ relabel: 0, relabel_collision: 0 });
  });

  it('never gives two series one label set: the first one keeps it, the others are counted', async () => {
    const world = new World({ settings: relabelled(rule({ regex: 'span_name', action: 'labeldrop' })) });
    await world.start();
    for (let i = 0; i < 60; i++) {
      world.log.append(world.nowMs, [span(world.nowMs), span(world.nowMs, { name: 'GET /other' })]);
      await world.step(1_000);
    }
    expect(world.receiver.requests.every(({ outcome }) => outcome === 'accepted')).toBe(true);
    for (const { samples } of world.receiver.requests)
      expect(new Set(samples.map(({ series }) => series)).size).toBe(samples.length);
    const { samplesNotSent, boundariesSent } = world.life!.service.stats().endpoints[0]!;
    expect(samplesNotSent).toMatchObject({ relabel: 0, relabel_collision: 19 * boundariesSent });
  });

  it('that changes with a start ends the old names, and the boundaries from before go by the old rules', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    await traffic(world, 40);
    world.receiver.outageUntilMs = world.nowMs + 60_000;
    await traffic(world, 40);
    await world.stop();
    world.settings = relabelled(rule({ targetLabel: 'app', replacement: 'x' }));
    await world.start();
    await traffic(world, 60);
    await world.run(30_000);
    const old = stored(world.receiver, CALLS);
    const renamed = stored(world.receiver, inOrder(RENAMED));
    expect(old.at(-1)![1]).toBe('stale');
    expect(old.at(-1)![0]).toBe(renamed[0]![0]);
    // No boundary of the outage is missing, and the count goes on where it was.
    const values = [...old.slice(0, -1), ...renamed].map(([, value]) => Number(value));
    expect(values).toEqual([...values].sort((a, b) => a - b));
    const times = [...old.slice(1, -1), ...renamed].map(([tMs]) => Number(tMs)).filter((tMs) => tMs % 15_000 === 0);
    expect(times).toEqual(times.map((_, i) => (i + 1) * 15_000));
    expect(few(secondValues(world.receiver))).toEqual([]);
  });
});
