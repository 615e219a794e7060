// The queue's promise, whatever happens: what was accepted arrives, each series in its order, and after a crash not more again
// than what was on its way.

import { describe, expect, it } from 'vitest';
import { excessRepeats, losses, randomFaults, run, worldOf } from './world.ts';

const FIRST_SEED = Number(process.env['DISK_QUEUE_SEED'] ?? 1);
const SEEDS = Number(process.env['DISK_QUEUE_SEEDS'] ?? 60);
const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i);

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
      await run(world, kind, randomFaults(seed));
      expect(losses(world), `DISK_QUEUE_SEED=${seed}`).toEqual([]);
    }
  });
});
