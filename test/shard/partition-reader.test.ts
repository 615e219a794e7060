// How a shard's partitions are read, from a log that answers when it is told to.

import { afterEach, describe, expect, it } from 'vitest';
import { LogError, type LogListener, type LogSource } from '../../src/log/index.ts';
import { PartitionReader } from '../../src/shard/partition-reader.ts';
import type { Position, ShardPlan, ToShard } from '../../src/shard/protocol.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const readers: PartitionReader[] = [];
afterEach(async () => {
  await Promise.all(readers.splice(0).map((reader) => reader.stop()));
});

const position = (
  offsets: [number, number][],
  lastRecords: Position['lastRecords'] = offsets.map(([partition, next]) => [partition, next - 1, 1_000, 7]),
): Position => ({ tMs: 15_000, offsets, lastRecords, epoch: 1, claim: 2, isFinal: false });

/** Partitions of one log: each holds records 0 to 99 of the same time and CRC. */
function reading(partitions: number[]) {
  const away = new Set<number>();
  const sent: ToShard[] = [];
  const failures: Error[] = [];
  const gaps: unknown[] = [];
  const consumed: [number, number][][] = [];
  const bounds = new Map(partitions.map((partition) => [partition, { start: 0, end: 100 }]));
  const identity = { timestampMs: 1_000, crc: 7 as number | undefined };
  let listener: LogListener | undefined;
  const ask = async (partition: number) => {
    if (away.has(partition)) throw new LogError('log_unavailable', 'topic t: There is no leader for this partition');
  };
  const log = {
    identity: 'x',
    partitionIds: () => partitions,
    bounds: async (partition: number) => {
      await ask(partition);
      return bounds.get(partition)!;
    },
    identify: async (partition: number) => {
      await ask(partition);
      return { ...identity };
    },
    startOffset: async () => 42,
    consume: (from: ReadonlyMap<number, number>, given: LogListener) => {
      listener = given;
      consumed.push([...from]);
      return {
        pause: () => undefined,
        resume: () => undefined,
        add: (more: ReadonlyMap<number, number>) => consumed.push([...more]),
        stop: async () => undefined,
      };
    },
    release: () => undefined,
  } as LogSource;
  const reader = new PartitionReader({
    plan: { shard: 0, partitions: [...partitions], ledgerPath: '/ledger' } as unknown as ShardPlan,
    log,
    logger: createLogger('silent'),
    toShard: (message) => sent.push(message),
    onGap: (gap) => {
      gaps.push(gap);
      return 'continue';
    },
    onFailed: (error) => failures.push(error),
    retryMs: 1,
  });
  readers.push(reader);
  return { reader, away, sent, failures, gaps, consumed, bounds, identity, listener: () => listener! };
}

/** Looks again, in later turns of the event loop, until it is so. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the partitions of a shard', () => {
  it('do not wait for one without a leader: it comes in, checked, when it has one', async () => {
    const { reader, away, consumed, failures, bounds, gaps } = reading([0, 1, 2]);
    away.add(1);
    const found = await reader.find(
      position([
        [0, 10],
        [1, 20],
        [2, 30],
      ]),
    );
    // The ledger's word, for the take-over and the fold.
    expect(found).toEqual([
      [0, 10],
      [1, 20],
      [2, 30],
    ]);
    reader.begin();
    expect(consumed).toEqual([
      [
        [0, 10],
        [2, 30],
      ],
    ]);
    bounds.set(1, { start: 25, end: 100 });
    away.delete(1);
    await until(() => consumed.length === 2);
    expect(consumed[1]).toEqual([[1, 25]]);
    expect(gaps).toEqual([{ shard: 0, partition: 1, from: 20, to: 25 }]);
    expect(failures).toEqual([]);
  });

  it('are left out of a first start while they have no leader, and begin where that would have begun', async () => {
    const { reader, away, consumed, sent } = reading([0, 1]);
    away.add(1);
    expect(await reader.find(position([]))).toEqual([[0, 42]]);
    reader.begin();
    away.delete(1);
    await until(() => sent.length > 0);
    expect(sent).toEqual([{ type: 'add', partition: 1, offset: 42 }]);
    expect(consumed).toEqual([[[0, 42]]]);
    reader.readFrom(1, 42);
    expect(consumed[1]).toEqual([[1, 42]]);
  });

  it('are not read on when they turn out to be those of another log, now or later', async () => {
    const { reader, away, identity, consumed, failures } = reading([0, 1]);
    identity.crc = 8;
    const both = position([
      [0, 10],
      [1, 20],
    ]);
    await expect(reader.find(both)).rejects.toThrow(/record 9 of partition 0 is not the one/);
    const later = reading([0, 1]);
    later.away.add(1);
    await later.reader.find(both);
    later.reader.begin();
    later.identity.timestampMs = 1;
    later.away.delete(1);
    await until(() => later.failures.length > 0);
    expect(later.failures).toMatchObject([{ code: 'log_damaged', message: /^record 19 of partition 1 is not/ }]);
    expect(later.consumed).toHaveLength(1);
    expect([consumed, failures, away.size]).toEqual([[], [], 0]);
  });

  it('are known again by the time alone where their bytes are made anew at each reading', async () => {
    const { reader, identity } = reading([0]);
    identity.crc = undefined;
    expect(await reader.find(position([[0, 10]]))).toEqual([[0, 10]]);
    identity.timestampMs = 2_000;
    await expect(reader.find(position([[0, 10]]))).rejects.toMatchObject({ code: 'log_damaged' });
  });

  it('that come later, or whose next records are gone, are asked for until they answer', async () => {
    const { reader, away, sent, failures, bounds, consumed, listener, gaps } = reading([0]);
    await reader.find(position([[0, 10]]));
    reader.begin();
    away.add(0).add(1);
    bounds.set(0, { start: 50, end: 100 }).set(1, { start: 3, end: 4 });
    reader.add(1);
    listener().onError(0, new LogError('offset_out_of_range', 'offset 10 is outside'));
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect([failures, sent]).toEqual([[], []]);
    away.clear();
    await until(() => sent.length > 0 && consumed.length > 1);
    expect(sent).toEqual([{ type: 'add', partition: 1, offset: 3 }]);
    expect(consumed[1]).toEqual([[0, 50]]);
    expect(gaps).toEqual([{ shard: 0, partition: 0, from: 10, to: 50 }]);
    expect(failures).toEqual([]);
  });

  it('are named when the log says for good that one of them can not be read', async () => {
    const { reader, failures, listener } = reading([0, 3]);
    await reader.find(position([]));
    reader.begin();
    listener().onError(3, new LogError('log_damaged', 'a segment is damaged'));
    await until(() => failures.length > 0);
    expect(failures).toMatchObject([{ code: 'log_damaged', message: 'partition 3: a segment is damaged' }]);
  });

  it('are not asked for any more once the reading has ended', async () => {
    const { reader, away, sent, consumed } = reading([0]);
    await reader.find(position([]));
    reader.begin();
    away.add(1);
    reader.add(1);
    await reader.stop();
    away.clear();
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect([sent, consumed.length]).toEqual([[], 1]);
  });

  it('must all be in the log', async () => {
    const { reader } = reading([0]);
    const missing = position([
      [0, 10],
      [4, 10],
    ]);
    await expect(reader.find(missing)).rejects.toMatchObject({ code: 'log_unavailable', message: /partition 4/ });
  });
});
