// A source of points, a disk queue that dies again and again, and an endpoint that notes what it gets; and what must be true of
// its notes.

import { DiskQueue } from '../../src/disk-queue/index.ts';
import type { FsyncPolicy, RequestBody } from '../../src/index.ts';
import { type Random, seeded } from './random.ts';
import { type SimulatedDisk, simulatedDisk } from './simulated-disk.ts';

const SERIES = 12;

export interface World {
  random: Random;
  disk: SimulatedDisk;
  policy: FsyncPolicy;
  segmentBytes: number;
  shards: number;
  /** By series: the number of its next point. */
  nextPoint: number[];
  accepted: Set<number>;
  nextBody: number;
  /** What the endpoint got, in its order. */
  deliveries: { life: number; body: Body; isRepeat: boolean }[];
  dropped: string[];
  segmentsLeft: number;
  life: number;
}

interface Body {
  id: number;
  points: [series: number, point: number][];
}

function encode(content: Body, padding: number): RequestBody {
  const bytes = Buffer.from(JSON.stringify({ ...content, padding: 'x'.repeat(padding) }));
  const counts = { samples: content.points.length, histograms: 0, exemplars: 0, metadata: 0 };
  return { protocol: '1.0', bytes, counts, minTimestampMs: 1, maxTimestampMs: 2 };
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** One process: appends, delivers, perhaps reshards, until it is killed or (`isLast`) everything is delivered. */
async function live(world: World, isLast: boolean): Promise<void> {
  const { random, disk } = world;
  const life = world.life++;
  // Now and then nothing is delivered for a whole life.
  const isOutage = !isLast && random.chance(0.3);
  let nowMs = 1000;
  const queue = new DiskQueue(
    { dir: 'queue', segmentBytes: world.segmentBytes, maxBytes: 1e9, fsync: world.policy, fileSystem: disk },
    {
      now: () => (nowMs += 100),
      random,
      sleep: async () => {},
      async deliver({ bytes }, { isRepeat }) {
        if (isOutage) await new Promise(() => {});
        for (let i = random.below(4); i > 0; i--) await Promise.resolve();
        if (disk.isDead) await new Promise(() => {});
        const body = JSON.parse(Buffer.from(bytes).toString()) as Body;
        world.deliveries.push({ life, body, isRepeat });
        for (let i = random.below(4); i > 0; i--) await Promise.resolve();
        if (disk.isDead) await new Promise(() => {});
        return 'settled';
      },
      onFound() {},
      onDropped: (reason) => world.dropped.push(reason),
      onWarning() {},
    },
  );
  queue.relayout(world.shards);
  const dead = turnsUntilDeath(disk);
  // In an outage, what the disk didn't take is never accepted.
  const patience = () => (isOutage ? turns(20).then(() => disk.die()) : dead);
  const orDeath = (work: Promise<unknown>) => Promise.race([work, dead, patience()]);
  for (let round = isLast ? 3 : 5 + random.below(30); round > 0 && !disk.isDead; round--) {
    if (random.chance(0.1)) {
      world.shards = 1 + random.below(5);
      queue.relayout(world.shards);
    }
    // Each shard appends one body at a time, as in the client.
    const appends = Array.from({ length: world.shards }, (_, shard) => {
      const points: Body['points'] = [];
      for (let series = shard; series < SERIES; series += world.shards) {
        if (random.chance(0.6)) points.push([series, world.nextPoint[series]!++]);
      }
      if (points.length === 0) return undefined;
      const id = world.nextBody++;
      return queue.append(shard, encode({ id, points }, random.below(200))).then(() => world.accepted.add(id));
    });
    await orDeath(Promise.all(appends));
    if (random.chance(0.3)) await orDeath(turns(1));
  }
  if (isLast) await orDeath(queue.drained());
  else if (random.chance(0.5)) await orDeath(turns(random.below(4)));
  if (isLast || (random.chance(0.1) && !isOutage)) await orDeath(queue.close());
  if (isLast && disk.isDead) throw new Error('the last life ended early');
  world.segmentsLeft = [...disk.files.keys()].filter((name) => name.endsWith('.segment')).length;
  disk.die();
}

async function turnsUntilDeath(disk: SimulatedDisk): Promise<void> {
  while (!disk.isDead) await turns(1);
}

export function worldOf(seed: number, policy: FsyncPolicy): World {
  const random = seeded(seed);
  return {
    random,
    disk: simulatedDisk(random),
    policy,
    segmentBytes: 400 + random.below(3000),
    shards: 1 + random.below(4),
    nextPoint: Array.from({ length: SERIES }, () => 0),
    accepted: new Set(),
    nextBody: 0,
    deliveries: [],
    dropped: [],
    segmentsLeft: 0,
    life: 0,
  };
}

export async function run(world: World, kind: 'kill' | 'power', fault?: SimulatedDisk['fault']): Promise<void> {
  for (let life = 2 + world.random.below(4); life > 0; life--) {
    if (fault) world.disk.fault = fault;
    if (world.random.chance(0.9)) world.disk.dieAt(1 + world.random.below(150));
    await live(world, false);
    world.disk = world.disk.reborn(kind);
  }
  await live(world, true);
}

/** What was accepted and never arrived, or arrived in the wrong order. */
export function losses({ accepted, deliveries, dropped, segmentsLeft }: World): string[] {
  const problems = dropped.map((reason) => `a body was dropped: ${reason}`);
  const delivered = new Set<number>();
  const newest = new Map<number, number>();
  for (const { body } of deliveries) {
    if (delivered.has(body.id)) continue;
    delivered.add(body.id);
    for (const [series, point] of body.points) {
      if (point <= (newest.get(series) ?? -1)) problems.push(`series ${series}: ${point} after ${newest.get(series)}`);
      newest.set(series, point);
    }
  }
  // The one that was written to.
  if (segmentsLeft > 1) problems.push(`${segmentsLeft} segments are left`);
  for (const id of accepted) if (!delivered.has(id)) problems.push(`body ${id} was accepted and never arrived`);
  return problems;
}

/** A life repeats one body of each series at most, the last that arrived before, and says that it may be a repeat. */
export function excessRepeats({ deliveries }: World): string[] {
  const problems: string[] = [];
  const seen = new Set<number>();
  const newest = new Map<number, number>();
  const repeated = new Set<string>();
  for (const { life, body, isRepeat } of deliveries) {
    const isNew = !seen.has(body.id);
    seen.add(body.id);
    for (const [series, point] of body.points) {
      if (isNew) {
        newest.set(series, point);
        continue;
      }
      const key = `life ${life}, series ${series}`;
      if (repeated.has(key)) problems.push(`${key}: a second repeat`);
      if (point !== newest.get(series)) problems.push(`${key}: ${point} again after ${newest.get(series)}`);
      if (!isRepeat) problems.push(`${key}: a repeat that doesn't say so`);
      repeated.add(key);
    }
  }
  return problems;
}

export function randomFaults(seed: number): SimulatedDisk['fault'] {
  const random = seeded(seed);
  return (operation) =>
    operation !== 'read' && random.chance(0.15) ? (operation === 'write' ? 'ENOSPC' : 'EIO') : undefined;
}
