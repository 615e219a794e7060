// The order of events around the queue of dead letters. What is written is in test/integration/kafka.

import { describe, expect, it } from 'vitest';
import { emptyStats } from '../../../src/log/kafka/counts.ts';
import { DeadLetters } from '../../../src/log/kafka/dead-letters.ts';
import { encodeBatch } from './batches.ts';

/** A topic whose every record can be read, and one that takes every letter, unless it is held. */
async function letters() {
  const records = await encodeBatch([{ value: 'bad' }]);
  const answer = (offset: number) => {
    const bytes = Buffer.from(records);
    bytes.writeBigInt64BE(BigInt(offset), 0);
    return { errorCode: 0, partitions: [{ partition: 0, errorCode: 0, aborted: [], records: bytes }] };
  };
  let read = 0;
  const queries = { topic: 't', onLeader: async () => answer(read++), recover: async () => undefined } as never;
  const held = { until: Promise.resolve() };
  let closed = 0;
  const target = {
    topic: 'dead',
    connect: async () => undefined,
    partitions: () => [0],
    leaderOf: () => 1,
    onLeader: async () => {
      await held.until;
      return { producerId: '1', producerEpoch: 0 };
    },
    recover: async () => undefined,
    close: () => closed++,
  } as never;
  const stats = emptyStats();
  const dead = new DeadLetters({ queries, target, stats, now: () => 1, onTrouble: () => undefined });
  return { dead, stats, held };
}

const letter = (offset: number) => ({ partition: 0, offset, reason: 'undecodable' });
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the queue of dead letters', () => {
  it('takes a letter at whatever moment after the one before it was written', async () => {
    for (let moments = 0; moments < 12; moments++) {
      const { dead, stats } = await letters();
      dead.add(letter(0));
      while (stats.deadLetters === 0) await Promise.resolve();
      for (let i = 0; i < moments; i++) await Promise.resolve();
      dead.add(letter(1));
      await turn();
      await turn();
      expect([moments, stats.deadLetters, stats.lostDeadLetters]).toEqual([moments, 2, 0]);
    }
  });

  it('counts as lost what still waits when it is closed, and what comes later', async () => {
    const { dead, stats, held } = await letters();
    const { promise, resolve } = Promise.withResolvers<void>();
    held.until = promise;
    for (let i = 0; i < 60; i++) dead.add(letter(i));
    await turn();
    dead.close();
    dead.add(letter(60));
    expect(stats.lostDeadLetters).toBe(11);
    resolve();
    await turn();
    expect(stats.deadLetters + stats.lostDeadLetters).toBe(61);
  });
});
