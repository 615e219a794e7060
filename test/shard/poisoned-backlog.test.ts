// A series that the receiver refuses, an outage, and a restart: what was not sent before must reach the receiver all the same, and what
// was sent must not cost more than a few requests.

import type { Writer } from 'remote-write-ts';
import { describe, expect, it, vi } from 'vitest';
import { refusingWriter } from '../../src/shard/renewable-writer.ts';
import { few, secondValues, steps } from '../invariants/support/checks.ts';
import { storedKey } from '../invariants/support/receiver.ts';
import { everybody } from '../invariants/support/settings.ts';
import { span } from '../invariants/support/spans.ts';
import { START_MS, World } from '../invariants/support/world.ts';

const INTERVAL_MS = 15_000;
const FIRST_MS = Math.ceil(START_MS / INTERVAL_MS) * INTERVAL_MS;
const CALLS =
  'traces_spanmetrics_calls_total{service="shop",span_kind="SPAN_KIND_INTERNAL",span_name="GET /",status_code="STATUS_CODE_UNSET"}';
const INNOCENT = CALLS.replace('calls_total', 'latency_sum');

async function traffic(world: World, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    world.log.append(world.nowMs, [span(world.nowMs)], { tenant: 'shop' });
    await world.step(1_000);
  }
}

function times(world: World, series: string): number[] {
  const samples = world.receiver.stored.get(storedKey('shop', series)) ?? [];
  return samples.map(({ timestampMs }) => timestampMs).filter((tMs) => tMs % INTERVAL_MS === 0);
}

function boundaries(untilMs: number): number[] {
  return Array.from(
    { length: Math.floor((untilMs - FIRST_MS) / INTERVAL_MS) + 1 },
    (_, i) => FIRST_MS + i * INTERVAL_MS,
  );
}

/** Those that an innocent series has no sample of. */
function missing(world: World, wanted: readonly number[]): string[] {
  const there = new Set(times(world, INNOCENT));
  return few(wanted.filter((tMs) => !there.has(tMs)).map((tMs) => new Date(tMs).toISOString()));
}

function poison(world: World): void {
  world.receiver.refuses = (series) => series === CALLS;
}

describe('a refused series, an outage and a restart', () => {
  // The last is what Prometheus says, with a window for old samples, of a series that has newer ones: it is about that series alone.
  it.each(['is not welcome', 'out of order sample', 'too old sample'])(
    'leave the others complete, whether the process died or was stopped: %s',
    async (refusal) => {
      for (const end of ['crash', 'stop'] as const) {
        const world = new World({ settings: everybody() });
        world.receiver.refusal = refusal;
        await world.start();
        await traffic(world, 60);
        poison(world);
        await traffic(world, 60);
        world.receiver.outageUntilMs = world.nowMs + 400_000;
        await traffic(world, 200);
        await world[end]();
        await world.start();
        await traffic(world, 260);
        const sentUntilMs = Math.floor((world.nowMs - 5_000) / INTERVAL_MS) * INTERVAL_MS;
        expect(missing(world, boundaries(sentUntilMs))).toEqual([]);
        expect(few(secondValues(world.receiver))).toEqual([]);
        expect(few(steps(world.receiver))).toEqual([]);
        const [stats] = world.life!.service.stats().endpoints;
        expect(stats!.boundariesSkipped).toEqual({ age: 0, ledger_full: 0, behind: 0, window: 0 });
        expect(stats!.samplesFailed).toBeGreaterThan(10);
        expect(stats!.boundariesRefused).toBe(0);
      }
    },
  );

  it('leave them complete behind what the life before had sent without being able to say so', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    await traffic(world, 60);
    poison(world);
    world.receiver.outageUntilMs = world.nowMs + 150_000;
    await traffic(world, 149);
    // All of the backlog is taken between two entries of the ledger: what is settled by it is not durable.
    while (world.nowMs < world.receiver.outageUntilMs || world.nowMs % INTERVAL_MS < 8_000) await world.step(500);
    const before = times(world, INNOCENT).length;
    expect(before).toBeGreaterThan(12);
    await world.crash();
    world.receiver.outageUntilMs = world.nowMs + 160_000;
    const { length: requestsBefore } = world.receiver.requests;
    await world.start();
    await traffic(world, 100);
    await world.crash();
    await world.start();
    await traffic(world, 100);
    const sentUntilMs = Math.floor((world.nowMs - 5_000) / INTERVAL_MS) * INTERVAL_MS;
    expect(missing(world, boundaries(sentUntilMs))).toEqual([]);
    expect(few(secondValues(world.receiver))).toEqual([]);
    const [stats] = world.life!.service.stats().endpoints;
    expect(stats!.repeatsRefused).toBeGreaterThan(0);
    expect(stats!.repeatSamplesRefused).toBeGreaterThan(stats!.repeatsRefused);
    expect(stats!.boundariesSkipped.window).toBe(0);
    expect(world.receiver.requests.length - requestsBefore).toBeLessThan(20 * 24);
  });

  it('do not hide the window of a receiver: what is older is passed over in steps, and the rest is complete', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    await traffic(world, 60);
    world.receiver.outageUntilMs = world.nowMs + 9_000_000;
    for (let i = 0; i < 720; i++) {
      world.log.append(world.nowMs, [span(world.nowMs)], { tenant: 'shop' });
      await world.step(10_000);
    }
    await world.crash();
    poison(world);
    world.receiver.outageUntilMs = 0;
    world.receiver.oldestMs = world.nowMs - 3_600_000;
    const { length: requestsBefore } = world.receiver.requests;
    await world.start();
    await traffic(world, 60);
    const old = world.receiver.requests.slice(requestsBefore).filter(({ reason }) => reason?.includes('out of bounds'));
    expect(old.length).toBeLessThan(150);
    expect(world.life!.service.stats().endpoints[0]!.boundariesSkipped.window).toBeGreaterThan(100);
    const fromMs = world.receiver.oldestMs + 135_000;
    const sentUntilMs = Math.floor((world.nowMs - 5_000) / INTERVAL_MS) * INTERVAL_MS;
    const wanted = boundaries(sentUntilMs).filter((tMs) => tMs >= fromMs);
    expect(missing(world, wanted)).toEqual([]);
  });

  it('are no reason to skip boundaries as too old for the receiver: all of a boundary may be refused for another one', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    await traffic(world, 60);
    world.receiver.outageUntilMs = world.nowMs + 1_200_000;
    await traffic(world, 900);
    await world.crash();
    await world.start();
    world.receiver.refuses = () => true;
    await traffic(world, 360);
    const { boundariesSkipped, boundariesRefused, boundariesSent } = world.life!.service.stats().endpoints[0]!;
    expect(boundariesSkipped.window).toBe(0);
    expect(boundariesRefused).toBeGreaterThan(60);
    expect(boundariesSent).toBe(0);
  });
});

it('a backlog that is refused for its credentials counts as refused, not as there already', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  await traffic(world, 40);
  world.receiver.outageUntilMs = world.nowMs + 100_000;
  await traffic(world, 40);
  await world.crash();
  vi.spyOn(world.receiver, 'writer').mockImplementation(() => refusingWriter(new Error('no such file')) as Writer);
  await world.start();
  await traffic(world, 5);
  expect(world.life!.service.stats().endpoints[0]).toMatchObject({
    repeatsRefused: 0,
    samplesFailed: expect.toSatisfy((samples: number) => samples > 0),
    boundariesRefused: expect.toSatisfy((count: number) => count >= 2),
    lastError: 'tenant shop: no such file',
  });
});
