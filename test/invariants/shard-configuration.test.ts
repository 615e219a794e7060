// A configuration that changes between two lives: what keeps its labels goes on, what doesn't ends, and no series goes down.

import { expect, it } from 'vitest';
import { few, holes, increases, steps, wrongTotals } from './support/checks.ts';
import { STALE_BITS, storedKey } from './support/receiver.ts';
import { replayMismatches } from './support/replay.ts';
import { everybody, settingsWith } from './support/settings.ts';
import { CLIENT, SERVER, span } from './support/spans.ts';
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
