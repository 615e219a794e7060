// Lives and ledgers: the last entry of a life, bases and pruning, the byte limit, a disk that is full, tenants that come late.

import { describe, expect, it } from 'vitest';
import { allReasons } from '../../src/telemetry/index.ts';
import { brokenLinks, few, holes, secondValues, steps, wrongTotals } from './support/checks.ts';
import { replayMismatches } from './support/replay.ts';
import { everybody } from './support/settings.ts';
import { span } from './support/spans.ts';
import { World } from './support/world.ts';

const EVERY_SECOND = { settings: everybody({ collectionIntervalMs: 1_000 }), boundaryMs: 1_000 };

async function traffic(world: World, seconds: number, names = 1, tenant = 'shop'): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    world.log.append(world.nowMs, [span(world.nowMs, { name: `name ${i % names}` })], { tenant });
    await world.step(1_000);
  }
}

async function expectSound(world: World): Promise<void> {
  for (const receiver of world.receivers.values()) {
    expect(few(wrongTotals(world, receiver))).toEqual([]);
    expect(few(steps(receiver))).toEqual([]);
    expect(few(secondValues(receiver))).toEqual([]);
  }
  expect(few(brokenLinks(world))).toEqual([]);
  expect(await replayMismatches(world)).toEqual([]);
}

it('the last entry of a life lies on no boundary; the next life goes on behind it', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  for (let life = 0; life < 4; life++) {
    await traffic(world, 20 + life);
    await world.restart();
  }
  await traffic(world, 30);
  await world.run(20_000);
  const finals = world.history.filter(({ kind }) => kind === 'final');
  expect(finals).toHaveLength(4);
  expect(finals.some(({ tMs }) => tMs % 15_000 !== 0)).toBe(true);
  // All of them were sent.
  const sent = new Set(world.receiver.requests.flatMap(({ samples }) => samples.map(({ timestampMs }) => timestampMs)));
  for (const { tMs } of finals) expect(sent).toContain(tMs);
  for (const samples of world.receiver.stored.values()) {
    samples.slice(1).forEach((sample, i) => {
      expect(sample.timestampMs).toBeGreaterThan(samples[i]!.timestampMs);
    });
  }
  await expectSound(world);
});

describe('bases', () => {
  it('are written, the ledger is pruned below them, and recovery from one gives the same state', async () => {
    const world = new World(EVERY_SECOND);
    await world.start();
    await traffic(world, 500, 5);
    const { bases, entries } = world.life!.ledger.stats();
    expect(bases).toBe(2);
    expect(entries).toBeLessThan(300);
    expect(world.history.length).toBeGreaterThan(480);
    await world.crash();
    const left = await world.durableLedger();
    const base = await left.baseBefore(Number.POSITIVE_INFINITY);
    await left.close();
    await world.start();
    await traffic(world, 60, 5);
    await world.run(5_000);
    await expectSound(world);
    expect(few(holes(world, world.receiver))).toEqual([]);
    expect(await replayMismatches(world, base)).toEqual([]);
  });

  it('newer than an unsettled boundary do not hide it: after a crash it is sent, from the base before it', async () => {
    const world = new World({ ...EVERY_SECOND, endpoints: [{}, { name: 'healthy' }] });
    await world.start();
    await traffic(world, 300, 5);
    world.receiver.outageUntilMs = world.nowMs + 700_000;
    await traffic(world, 550, 5);
    // Two bases lie in the outage; what it left unsettled is still there.
    expect(world.life!.ledger.stats().bases).toBeGreaterThanOrEqual(3);
    await world.crash();
    await world.start();
    await traffic(world, 200, 5);
    await world.run(20_000);
    await expectSound(world);
    for (const receiver of world.receivers.values()) expect(few(holes(world, receiver))).toEqual([]);
    expect(world.life!.service.stats().endpoints.map(({ boundariesSkipped }) => allReasons(boundariesSkipped))).toEqual(
      [0, 0],
    );
  });

  it('are pruned to in one life; a tenant that comes later starts with its first entry, and survives a crash right then', async () => {
    const world = new World(EVERY_SECOND);
    await world.start();
    await traffic(world, 500, 5);
    world.receiver.outageUntilMs = world.nowMs + 20_000;
    await traffic(world, 3, 1, 'late');
    await world.crash();
    await world.start();
    await traffic(world, 60, 2, 'late');
    await world.run(5_000);
    await expectSound(world);
    expect(few(holes(world, world.receiver))).toEqual([]);
  });
});

describe('a ledger over its byte limit', () => {
  it('gives up the oldest boundaries of the endpoint that is behind, counts them, and totals stay right', async () => {
    const world = new World({ ...EVERY_SECOND, endpoints: [{}, { name: 'healthy' }], ledgerMaxBytes: 300_000 });
    await world.start();
    await traffic(world, 60, 20);
    world.receiver.outageUntilMs = world.nowMs + 600_000;
    const outageMs = world.nowMs;
    await traffic(world, 590, 20);
    expect(world.life!.ledger.sizeBytes()).toBeLessThan(450_000);
    await traffic(world, 60, 20);
    await world.run(10_000);
    const [behind, healthy] = world.life!.service.stats().endpoints;
    const skipped = behind!.boundariesSkipped.ledger_full;
    expect(skipped).toBeGreaterThan(50);
    expect(allReasons(behind!.boundariesSkipped)).toBe(skipped);
    expect(allReasons(healthy!.boundariesSkipped)).toBe(0);
    expect(few(holes(world, world.receivers.get('healthy')!))).toEqual([]);
    expect(few(holes(world, world.receiver, skipped))).toEqual([]);
    // The oldest: behind the first that was sent again, nothing is missing.
    const sent = new Set(
      world.receiver.requests.flatMap(({ samples }) => samples.map(({ timestampMs }) => timestampMs)),
    );
    const owed = world.history.map(({ tMs }) => tMs).filter((tMs) => tMs > outageMs);
    const firstSent = owed.findIndex((tMs) => sent.has(tMs));
    expect(owed.slice(firstSent).filter((tMs) => !sent.has(tMs))).toEqual([]);
    expect(firstSent).toBeLessThanOrEqual(skipped);
    await expectSound(world);
  });
});

it('a full disk holds the fold up and loses nothing', async () => {
  const world = new World(EVERY_SECOND);
  await world.start();
  await traffic(world, 20);
  let isFull = true;
  world.disk.arm(() => (isFull ? 'ENOSPC' : undefined));
  await traffic(world, 40);
  const before = world.history.length;
  expect(world.nowMs - world.history.at(-1)!.tMs).toBeGreaterThan(35_000);
  isFull = false;
  await traffic(world, 30);
  expect(world.history.length).toBeGreaterThan(before + 60);
  await world.crash();
  await world.start();
  await world.run(5_000);
  await expectSound(world);
  expect(few(holes(world, world.receiver))).toEqual([]);
});
