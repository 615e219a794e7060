// The order of events in the fence, with a group that answers when it is told to. What a broker says is in test/integration/kafka.

import { describe, expect, it } from 'vitest';
import { LogError } from '../../../src/log/index.ts';
import { emptyStats } from '../../../src/log/kafka/counts.ts';
import { GroupFence } from '../../../src/log/kafka/fence.ts';
import type { Assignment } from '../../../src/log/kafka/group-member.ts';

const entry = (claim: number) => ({ claim, tMs: 1, digest: 'd', offsets: [[0, 1]] as [number, number][] });
const assignment = (generationId: number, shards: number[], memberId = 'm'): Assignment => ({
  generationId,
  memberId,
  shards,
});

function fenced() {
  const lost: string[] = [];
  const sent: { generation: number; metadata: string }[] = [];
  const stored = new Map<number, { offset: string; metadata: string }>();
  const reads: (() => void)[] = [];
  const stats = emptyStats();
  const state = { isHeld: false, current: assignment(1, [0]) };
  const broker = {
    offsetFetch: async () => {
      const partitions = [...stored].map(([partition, committed]) => ({ partition, ...committed }));
      if (state.isHeld) await new Promise<void>((resolve) => reads.push(resolve));
      return { responses: [{ topic: 't', partitions }] };
    },
    offsetCommit: async (call: {
      groupGenerationId: number;
      topics: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[];
    }) => {
      const { partitions } = call.topics[0]!;
      for (const { partition, offset, metadata } of partitions) stored.set(partition, { offset, metadata });
      sent.push({ generation: call.groupGenerationId, metadata: partitions[0]!.metadata });
      return {
        responses: [{ topic: 't', partitions: partitions.map(({ partition }) => ({ partition, errorCode: 0 })) }],
      };
    },
  };
  const connection = {
    partitions: () => [0],
    onCoordinator: (_: string, run: (of: typeof broker) => unknown) => run(broker),
    recover: async () => undefined,
  } as never;
  const fence = new GroupFence({
    connection,
    queries: connection,
    groupId: 'g',
    topic: 't',
    own: [0],
    shardCount: 1,
    stats,
    onLost: (reason) => lost.push(reason),
    onTrouble: () => undefined,
  });
  fence.bind({ assignment: async () => state.current, invalidate: () => undefined } as never);
  const assign = (next: Assignment) => {
    state.current = next;
    return fence.assigned(next);
  };
  return { fence, assign, lost, sent, stored, reads, state, stats };
}

describe('the ownership of shards', () => {
  it('goes on in the very next generation, and over a gap in which nobody has committed', async () => {
    const { fence, assign, sent, lost } = fenced();
    await assign(assignment(1, [0]));
    await fence.whenOwned();
    expect(await fence.commit(entry(1))).toBe('committed');
    await assign(assignment(2, [0]));
    expect(await fence.commit(entry(1))).toBe('committed');
    await assign(assignment(9, [0], 'n'));
    expect(await fence.commit(entry(1))).toBe('committed');
    expect(sent.map(({ generation }) => generation)).toEqual([1, 2, 9]);
    expect(lost).toEqual([]);
  });

  it('ends when somebody has committed in a gap, and when the shards go to another member', async () => {
    const gap = fenced();
    await gap.assign(assignment(1, [0]));
    expect(await gap.fence.commit(entry(1))).toBe('committed');
    gap.stored.set(0, { offset: '1', metadata: '2:1:d' });
    await gap.assign(assignment(3, [0]));
    expect(await gap.fence.commit(entry(1))).toBe('refused');
    const given = fenced();
    await given.assign(assignment(1, [0]));
    await given.assign(assignment(2, []));
    expect(await given.fence.commit(entry(1))).toBe('refused');
    expect([gap.lost.length, given.lost.length, given.sent.length]).toEqual([1, 1, 0]);
  });

  it('does not begin by an assignment that is over before the offsets were read', async () => {
    const { fence, assign, reads, state, sent } = fenced();
    await assign(assignment(1, [0]));
    await assign(assignment(2, []));
    state.current = assignment(3, [0]);
    const third = assign(state.current);
    await third;
    state.isHeld = true;
    const renewed = fence.renew();
    while (reads.length === 0) await Promise.resolve();
    // While it reads, the next generation gives the shards to somebody else: this member lives on, and the broker would take its commits.
    await assign(assignment(4, []));
    reads[0]!();
    let isOwned = false;
    void renewed.then(() => {
      isOwned = true;
    });
    await new Promise(setImmediate);
    expect(await fence.commit(entry(1))).toBe('refused');
    expect([isOwned, sent.length]).toEqual([false, 0]);
    state.isHeld = false;
    await assign(assignment(5, [0]));
    await renewed;
    expect(await fence.commit(entry(1))).toBe('committed');
  });

  it('takes only claims above those that it found', async () => {
    const { fence, assign, stored } = fenced();
    stored.set(0, { offset: '1', metadata: '7:15000:d' });
    await assign(assignment(1, [0]));
    expect(await fence.commit(entry(7))).toBe('refused');
    expect(await fence.commit(entry(8))).toBe('committed');
    expect(await fence.commit(entry(8))).toBe('committed');
  });

  it('counts as refused what another owner is the reason of, not what comes after its own close', async () => {
    const closed = fenced();
    await closed.assign(assignment(1, [0]));
    closed.fence.end(new LogError('log_closed', 'closed'));
    expect(await closed.fence.commit(entry(1))).toBe('refused');
    const lost = fenced();
    await lost.assign(assignment(1, [0]));
    await lost.assign(assignment(2, []));
    lost.fence.end(new LogError('log_closed', 'closed'));
    expect(await lost.fence.commit(entry(1))).toBe('refused');
    expect([closed.stats.refusedCommits, lost.stats.refusedCommits]).toEqual([0, 1]);
  });

  it('ends, and says so, when its member can not ever join again, and ends quietly when the log is closed', async () => {
    const { fence, assign, lost } = fenced();
    await assign(assignment(1, [0]));
    fence.end(new LogError('log_incompatible', 'not spanmill'));
    expect(await fence.commit(entry(1))).toBe('refused');
    expect(lost).toEqual(['not spanmill']);
    await expect(fence.renew()).rejects.toMatchObject({ code: 'log_incompatible' });
    const waiting = fenced();
    await waiting.assign(assignment(1, []));
    waiting.fence.end(new LogError('log_closed', 'closed'));
    await expect(waiting.fence.whenOwned()).rejects.toMatchObject({ code: 'log_closed' });
    expect(waiting.lost).toEqual([]);
  });
});
