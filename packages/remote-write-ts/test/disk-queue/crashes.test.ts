// The queue's promise, whatever happens: what was accepted arrives, each series in its order, and after a crash not more again
// than what was on its way. What can't arrive is counted, once.

import { describe, expect, it } from 'vitest';
import { countedTwice, uncounted } from './accounts.ts';
import { both, failingReads, failingWrites, fullFor, rot, unreadableFiles } from './faults.ts';
import { disorder, excessRepeats, losses, run, type World, worldOf } from './world.ts';

const FIRST_SEED = Number(process.env['DISK_QUEUE_SEED'] ?? 1);
const SEEDS = Number(process.env['DISK_QUEUE_SEEDS'] ?? 30);
const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i);

/** So small that much is dropped. */
function limited(seed: number, policy: World['policy'] = 'batch'): World {
  const world = worldOf(seed, policy);
  const { random } = world;
  world.limits = { maxBytes: world.segmentBytes * (2 + random.below(3)) };
  if (random.chance(0.5)) world.limits.maxAgeMs = 1_000 + random.below(8_000);
  return world;
}

// What the disk didn't take is dropped when the process is told to end.
const dropped = (world: World) => world.dropped.filter(({ reason }) => reason !== 'closed');

describe('after crashes at any byte, what was accepted arrives, in order, and once but for what was on its way', () => {
  it.each([
    ['batch', 'kill'],
    ['interval', 'kill'],
    ['never', 'kill'],
    ['batch', 'power'],
  ] as const)('fsync %s, %s', async (policy, kind) => {
    for (const seed of seeds) {
      const world = worldOf(seed, policy);
      await run(world, kind);
      expect([...losses(world), ...excessRepeats(world)], `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });
});

describe('with a disk that fails now and then as well, what was accepted arrives, in order', () => {
  it.each([
    ['batch', 'kill'],
    ['batch', 'power'],
    ['never', 'kill'],
  ] as const)('fsync %s, %s', async (policy, kind) => {
    for (const seed of seeds) {
      const world = worldOf(seed, policy);
      await run(world, kind, (life) => failingWrites(seed * 10 + life));
      expect([...dropped(world), ...uncounted(world), ...disorder(world)], `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });

  it('also if its reads fail now and then', async () => {
    for (const seed of seeds) {
      const world = worldOf(seed, 'batch');
      await run(world, 'kill', (life) => {
        const failing = failingReads(seed * 10 + life, 0.3);
        return (operation, name) => (name === 'queue' ? undefined : failing(operation, name));
      });
      expect(losses(world), `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });

  it.each(['kill', 'power'] as const)('also if its cursors cannot be read for a while (%s)', async (kind) => {
    for (const seed of seeds) {
      const world = worldOf(seed, 'batch');
      await run(world, kind, (life) => unreadableFiles(seed * 10 + life, /^cursor/, 0.4));
      // An older one misses what has been sent and removed since; and a machine that dies undoes removals.
      if (kind === 'power') world.lost = 0;
      expect(losses(world), `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });

  it('also if its cursors are lost', async () => {
    for (const seed of seeds) {
      const world = worldOf(seed, 'batch');
      await run(world, 'kill', undefined, ({ disk, random }) => {
        for (const name of [...disk.files.keys()]) {
          if (name.startsWith('cursor') && random.chance(0.5)) (disk.files as Map<string, unknown>).delete(name);
        }
      });
      // An older one misses what has been sent and removed since.
      world.lost = 0;
      expect(losses(world), `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });
});

describe('beyond its limits, what was accepted arrives in order, or is counted as dropped, and only once', () => {
  it.each([
    ['batch', 'kill'],
    ['interval', 'kill'],
    ['never', 'kill'],
    ['batch', 'power'],
  ] as const)('fsync %s, %s', async (policy, kind) => {
    let sum = 0;
    for (const seed of seeds) {
      const world = limited(seed, policy);
      await run(world, kind);
      const problems = [...uncounted(world, { falselyLost: 0 }), ...countedTwice(world), ...disorder(world)];
      expect(problems, `DISK_QUEUE_SEED=${seed}`).toEqual([]);
      sum += world.dropped.length;
    }
    expect(sum).toBeGreaterThan(seeds.length);
  });

  it('with a clock that jumps back and forth', async () => {
    for (const seed of seeds) {
      const world = limited(seed);
      world.isClockMad = true;
      world.limits.maxAgeMs = 2_000;
      await run(world, 'kill');
      const problems = [...uncounted(world, { falselyLost: 0 }), ...countedTwice(world), ...disorder(world)];
      expect(problems, `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });

  it.each(['kill', 'power'] as const)('with a disk that fails now and then (%s)', async (kind) => {
    for (const seed of seeds) {
      const world = limited(seed);
      await run(world, kind, (life) => {
        const failing = failingWrites(seed * 10 + life, 0.1);
        return (operation, name) => (name.startsWith('cursor') ? undefined : failing(operation, name));
      });
      expect([...uncounted(world), ...countedTwice(world), ...disorder(world)], `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });

  it('with a disk that takes no cursor, but for what was on its way when a process died', async () => {
    for (const seed of seeds) {
      const world = limited(seed);
      await run(world, 'kill', () => fullFor('cursor'));
      expect([...countedTwice(world), ...disorder(world)], `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });
});

describe('where segments cannot be read, what was accepted arrives in order, or is counted', () => {
  it.each([
    ['a few', 0.2, 'kill'],
    ['most', 0.6, 'kill'],
    ['all', 1, 'kill'],
    ['most', 0.6, 'power'],
  ] as const)('for a while, %s of them (%d, %s)', async (_which, share, kind) => {
    let unreadable = 0;
    for (const seed of seeds) {
      const world = worldOf(seed, 'batch');
      await run(world, kind, (life) => unreadableFiles(seed * 10 + life, /segment/, share));
      const problems = [...uncounted(world), ...countedTwice(world), ...disorder(world)];
      expect(problems, `DISK_QUEUE_SEED=${seed}`).toEqual([]);
      unreadable += world.unreadable;
    }
    expect(unreadable).toBeGreaterThan(0);
  });

  it('and the disk fails in other ways, too', async () => {
    for (const seed of seeds) {
      const world = limited(seed);
      await run(world, 'kill', (life) =>
        both(unreadableFiles(seed * 10 + life, /segment/, 0.3), failingWrites(seed * 10 + life, 0.1)),
      );
      expect([...countedTwice(world), ...disorder(world)], `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });

  it.each(['kill', 'power'] as const)('because they are damaged, cut or gone (%s)', async (kind) => {
    const seen = { lost: 0, unreadable: 0, dropped: 0 };
    for (const seed of seeds) {
      const world = worldOf(seed, 'batch');
      const destroyed = new Set<number>();
      await run(world, kind, undefined, () => {
        if (world.random.chance(0.7)) for (const id of rot(world)) destroyed.add(id);
      });
      const problems = [...uncounted(world, { destroyed }), ...countedTwice(world), ...disorder(world)];
      expect(problems, `DISK_QUEUE_SEED=${seed}`).toEqual([]);
      seen.lost += world.lost;
      seen.unreadable += world.unreadable;
      seen.dropped += world.dropped.length;
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });
});
