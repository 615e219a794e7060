// Records as they come: stamped in another century, damaged, from partitions out of reach; and a log that goes quiet.

import { describe, expect, it } from 'vitest';
import { few, increases, oracleOf, wrongTotals } from './support/checks.ts';
import { STALE_BITS, storedKey } from './support/receiver.ts';
import { everybody } from './support/settings.ts';
import { CLIENT, SERVER, span } from './support/spans.ts';
import { YEAR_2100_MS } from './support/traffic.ts';
import { World } from './support/world.ts';

const CALLS =
  'traces_spanmetrics_calls_total{service="shop",span_kind="SPAN_KIND_INTERNAL",span_name="GET /",status_code="STATUS_CODE_UNSET"}';

function calls(world: World): number {
  return increases(world.receiver.stored.get(storedKey('shop', CALLS)) ?? []);
}

describe('the year 2100', () => {
  it('on a record: its spans count as usual, and no tick moves', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    for (let i = 0; i < 40; i++) {
      world.log.append(world.nowMs, [span(world.nowMs)], i === 20 ? { stampMs: YEAR_2100_MS } : {});
      await world.step(1_000);
      expect(world.nowMs - world.life!.shard.tickStats()!.openTickStartMs!).toBeLessThanOrEqual(3_000);
    }
    await world.run(20_000);
    expect(world.life!.shard.tickStats()!.counters.future).toBe(1);
    expect(calls(world)).toBe(40);
    expect(few(wrongTotals(world, world.receiver))).toEqual([]);
  });

  it('on a record and its spans: they lie outside the slack, are counted so, and nothing else happens', async () => {
    const world = new World({ settings: everybody() });
    await world.start();
    for (let i = 0; i < 40; i++) {
      const isOdd = i % 4 === 1;
      world.log.append(
        world.nowMs,
        [span(isOdd ? YEAR_2100_MS : world.nowMs)],
        isOdd && i % 8 === 1 ? { stampMs: YEAR_2100_MS } : {},
      );
      await world.step(1_000);
    }
    await world.run(20_000);
    const [tenant] = world.life!.shard.fold.all();
    expect([...tenant!.counters.discarded]).toEqual([['outside_metrics_ingestion_slack all', 10]]);
    expect(oracleOf(world).tenants.get('shop')!.outsideSlack).toBe(10);
    expect(calls(world)).toBe(30);
    expect(few(wrongTotals(world, world.receiver))).toEqual([]);
  });
});

it('damaged records are counted by reason and the good ones around them are counted as ever', async () => {
  const world = new World({ settings: everybody(), partitions: 2 });
  await world.start();
  for (let i = 0; i < 30; i++) {
    world.log.append(world.nowMs, [span(world.nowMs)], { partition: i % 2 });
    if (i % 3 === 0) world.log.appendDamaged(world.nowMs, Uint8Array.of(10, 255), { partition: i % 2 });
    if (i % 5 === 0) world.log.appendDamaged(world.nowMs, Uint8Array.of(0xff, 0xff, 0xff), { tenant: 'stranger' });
    await world.step(1_000);
    if (i === 15) {
      await world.crash();
      await world.start();
    }
  }
  await world.run(20_000);
  expect(world.poison.size).toBe(16);
  for (const reason of world.poison.values()) expect(reason).toMatch(/^(truncated|malformed|wire|invalid|bad)/);
  expect(calls(world)).toBe(30);
  expect(few(wrongTotals(world, world.receiver))).toEqual([]);
});

it('records without any series are committed at the next boundary, so that no start folds them again', async () => {
  const world = new World({ settings: everybody() });
  await world.start();
  world.log.appendDamaged(world.nowMs, Uint8Array.of(10, 255));
  await world.run(20_000);
  expect(world.history.at(-1)?.offsets).toEqual([[0, 1]]);
  await world.run(60_000);
  expect(world.history).toHaveLength(1);
});

it('a partition out of reach is waited for until it is given up, and what it held is counted when it comes back', async () => {
  const world = new World({ settings: everybody(), partitions: 2 });
  await world.start();
  const write = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      for (const partition of [0, 1]) world.log.append(world.nowMs, [span(world.nowMs)], { partition });
      await world.step(1_000);
    }
  };
  await write(30);
  world.log.unreachableUntilMs[1] = world.nowMs + 100_000;
  await write(55);
  expect(world.nowMs - world.history.at(-1)!.tMs).toBeGreaterThan(50_000);
  await write(20);
  // Given up after a minute: an interval, the grace and the hold bound the lag.
  expect(world.nowMs - world.history.at(-1)!.tMs).toBeLessThanOrEqual(1_000 + 60_000 + 15_000);
  await write(60);
  await world.run(20_000);
  expect(world.life!.shard.tickStats()!.counters.held).toBeGreaterThan(0);
  expect(calls(world)).toBe(330);
  expect(few(wrongTotals(world, world.receiver))).toEqual([]);
});

it('a log that goes quiet has its last interval sent, its edges expired, its series ended, and then no more entries', async () => {
  const world = new World({ settings: everybody({ staleDurationMs: 60_000 }) });
  await world.start();
  const trace = 'ef'.repeat(16);
  world.log.append(world.nowMs, [
    span(world.nowMs),
    span(world.nowMs, { trace, kind: CLIENT, attributes: { 'peer.service': 'outside' } }),
    span(world.nowMs, { trace: 'aa'.repeat(16), kind: SERVER, parent: '0123456789abcdef' }),
  ]);
  await world.run(10_000);
  expect(calls(world)).toBe(1);
  expect(world.life!.shard.fold.all()[0]!.pendingEdges).toBe(2);
  await world.run(30_000);
  const counters = world.life!.shard.fold.all()[0]!.counters;
  expect(world.life!.shard.fold.all()[0]!.pendingEdges).toBe(0);
  expect([counters.completedEdges, ...counters.expiredEdges.values()]).toEqual([1, 1]);
  const virtual = 'traces_service_graph_request_total{client="shop",connection_type="virtual_node",server="outside"}';
  expect(increases(world.receiver.stored.get(storedKey('shop', virtual))!)).toBe(1);
  await world.run(300_000);
  for (const samples of world.receiver.stored.values()) expect(samples.at(-1)!.bits).toBe(STALE_BITS);
  const entries = world.history.length;
  await world.run(600_000, 5_000);
  expect(world.history).toHaveLength(entries);
});
