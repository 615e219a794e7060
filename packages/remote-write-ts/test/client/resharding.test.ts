import { describe, expect, it } from 'vitest';
import { desiredShards, type Load, Rate } from '../../src/client/resharding.ts';

const calm: Load = {
  shards: 4,
  minShards: 1,
  maxShards: 50,
  inPerSecond: 1000,
  outPerSecond: 1000,
  sendingPerSecond: 4,
  pending: 0,
  behindMs: 0,
};

describe('the number of shards', () => {
  it.each<[string, Partial<Load>, number]>([
    ['stays when they are as busy as they can be', {}, 4],
    ['stays within a tolerance', { sendingPerSecond: 4.9 }, 4],
    ['grows with what comes in', { inPerSecond: 3000 }, 12],
    ['grows with a twentieth of the backlog', { pending: 40_000 }, 12],
    ['shrinks when there is little to do', { sendingPerSecond: 0.5 }, 1],
    ['does not shrink while it is behind', { sendingPerSecond: 0.5, behindMs: 10_001 }, 4],
    ['says nothing without a settled point', { outPerSecond: 0, inPerSecond: 9999 }, 4],
    ['has a maximum', { inPerSecond: 1e6 }, 50],
    ['has a minimum', { sendingPerSecond: 0.1, minShards: 2 }, 2],
  ])('%s', (_title, load, shards) => {
    expect(desiredShards({ ...calm, ...load })).toBe(shards);
  });
});

describe('a rate', () => {
  it('begins with the first value and follows the next ones by a fifth', () => {
    const rate = new Rate();
    expect(rate.perSecond).toBe(0);
    rate.add(1000, 10);
    expect(rate.perSecond).toBe(100);
    rate.add(2000, 10);
    expect(rate.perSecond).toBe(120);
  });
});
