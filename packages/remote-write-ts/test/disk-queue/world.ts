// A source of points, a disk queue that dies again and again, and an endpoint that notes what it gets; and what must be true of
// its notes.

import { DiskQueue } from '../../src/disk-queue/index.ts';
import type { DiskDropReason, FsyncPolicy, RequestBody } from '../../src/index.ts';
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
  dropped: Drop[];
  segmentsLeft: number;
  life: number;
  nowMs: number;
  limits: { maxBytes: number; maxAgeMs?: number };
  /** Whether the clock jumps now and then, back and forth. */
  isClockMad: boolean;
  /** Sums over all lives. */
  lost: number;
  unreadable: number;
  /** At the end of each life, most lanes that it had. */
  lanes: number[];
}

export interface Drop {
  life: number;
  id: number;
  /** `closed` is that of whoever delivers. */
  reason: DiskDropReason | 'closed';
  /** The cursor that says so was written, and would survive: the next life must know of it. */
  isKnown: boolean;
}

export interface Body {
  id: number;
  points: [series: number, point: number][];
}

function encode(content: Body, padding: number): RequestBody {
  const bytes = Buffer.from(JSON.stringify({ ...content, padding: 'x'.repeat(padding) }));
  // By its number of samples one knows it when it is dropped.
  const counts = { samples: content.id, histograms: 0, exemplars: 0, metadata: 0 };
  return { protocol: '1.0', bytes, counts, minTimestampMs: 1, maxTimestampMs: 2 };
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** One process: appends, delivers, perhaps reshards, until it is killed or (`isLast`) everything is delivered. */
async function live(world: World, kind: 'kill' | 'power', isLast: boolean): Promise<void> {
  const { random, disk } = world;
  const life = world.life++;
  // Now and then nothing is delivered for a whole life.
  const isOutage = !isLast && random.chance(0.3);
  let mostLanes = world.shards;
  let cursorsWritten = 0;
  disk.onDone = (operation, name) => {
    if (name.startsWith('cursor') && operation === (kind === 'power' ? 'sync' : 'write')) cursorsWritten++;
  };
  const drops: [drop: Drop, cursorsBefore: number][] = [];
  const onDropped = (reason: Drop['reason'], { samples: id }: { samples: number }) => {
    const drop = { life, id, reason, isKnown: false };
    world.dropped.push(drop);
    drops.push([drop, cursorsWritten]);
  };
  const now = () => {
    world.nowMs += 100;
    if (world.isClockMad && random.chance(0.01)) world.nowMs += Math.floor((random() - 0.5) * 60_000);
    return world.nowMs;
  };
  let stop: () => void = () => {};
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const queue = new DiskQueue(
    { dir: 'queue', segmentBytes: world.segmentBytes, ...world.limits, fsync: world.policy, fileSystem: disk },
    {
      now,
      random,
      sleep: async () => {},
      async deliver({ bytes, counts }, { isRepeat, isStored }) {
        if (isOutage) {
          await stopped;
          if (!isStored) onDropped('closed', counts);
          return 'unsettled';
        }
        for (let i = random.below(4); i > 0; i--) await Promise.resolve();
        if (disk.isDead) await new Promise(() => {});
        const body = JSON.parse(Buffer.from(bytes).toString()) as Body;
        world.deliveries.push({ life, body, isRepeat });
        for (let i = random.below(4); i > 0; i--) await Promise.resolve();
        if (disk.isDead) await new Promise(() => {});
        return 'settled';
      },
      onFound() {},
      onDropped,
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
      mostLanes = Math.max(mostLanes, world.shards);
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
  if (isLast || random.chance(0.2)) {
    queue.stop();
    stop();
    await orDeath(queue.close());
  }
  if (isLast && disk.isDead) throw new Error('the last life ended early');
  const { lost, unreadable } = queue.stats();
  world.lost += lost;
  world.unreadable += unreadable;
  world.lanes.push(mostLanes);
  // One may have been on its way already, without it.
  for (const [drop, before] of drops) drop.isKnown = cursorsWritten >= before + 2;
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
    nextBody: 1,
    deliveries: [],
    dropped: [],
    segmentsLeft: 0,
    life: 0,
    nowMs: 1_000_000,
    limits: { maxBytes: 1e9 },
    isClockMad: false,
    lost: 0,
    unreadable: 0,
    lanes: [],
  };
}

/**
 * @param faults of each life but the last
 * @param between what happens to the disk while nobody uses it
 */
export async function run(
  world: World,
  kind: 'kill' | 'power',
  faults?: (life: number) => SimulatedDisk['fault'],
  between?: (world: World) => void,
): Promise<void> {
  for (let life = 2 + world.random.below(4); life > 0; life--) {
    if (faults) world.disk.fault = faults(life);
    if (world.random.chance(0.9)) world.disk.dieAt(1 + world.random.below(150));
    await live(world, kind, false);
    world.disk = world.disk.reborn(kind);
    between?.(world);
  }
  await live(world, kind, true);
}

/** What was accepted and never arrived, or arrived in the wrong order. */
export function losses(world: World): string[] {
  const problems = world.dropped.map(({ reason }) => `a body was dropped: ${reason}`);
  const delivered = new Set(world.deliveries.map(({ body }) => body.id));
  for (const id of world.accepted) if (!delivered.has(id)) problems.push(`body ${id} was accepted and never arrived`);
  if (world.lost > 0 || world.unreadable > 0) problems.push('bodies were counted as lost');
  return [...problems, ...disorder(world)];
}

export function disorder({ deliveries, segmentsLeft }: World): string[] {
  const problems: string[] = [];
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
