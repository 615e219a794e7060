// A member of a group whose coordinator answers here by hand. What a broker says is in test/integration/kafka.

import { afterEach, describe, expect, it } from 'vitest';
import { type Assignment, GroupMember } from '../../../src/log/kafka/group-member.ts';

const members: GroupMember[] = [];
afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.stop()));
});

interface Synced {
  groupAssignment: { memberId: string; memberAssignment: Buffer }[];
}

describe('the leader of a group', () => {
  it('names the partitions that there are now, also while its own connection waited for others to join', async () => {
    const assigned = Promise.withResolvers<Assignment>();
    const synced: Synced[] = [];
    const coordinator = {
      lookupRequest: () => (call: { groupProtocols: { metadata: Buffer }[] }) => call,
      connectionPool: {
        send: async ({ groupProtocols }: { groupProtocols: { metadata: Buffer }[] }) => ({
          generationId: 1,
          leaderId: 'm',
          memberId: 'm',
          members: [{ memberId: 'm', memberMetadata: groupProtocols[0]!.metadata }],
        }),
      },
      syncGroup: async (call: Synced) => {
        synced.push(call);
        return { memberAssignment: call.groupAssignment[0]!.memberAssignment };
      },
      heartbeat: async () => undefined,
      leaveGroup: async () => undefined,
    };
    const connection = (partitions: number[]) =>
      ({
        partitions: () => partitions,
        onCoordinator: async (_: string, run: (of: typeof coordinator) => unknown) => run(coordinator),
        recover: async () => undefined,
      }) as never;
    const member = new GroupMember({
      // What it knew before it asked to join.
      connection: connection([0]),
      queries: connection([0, 1, 2]),
      groupId: 'g',
      topic: 't',
      shardCount: 1,
      wants: [0],
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      heartbeatMs: 1_000,
      onAssigned: async (assignment) => assigned.resolve(assignment),
      onEnded: () => undefined,
      onTrouble: () => undefined,
    });
    members.push(member);
    member.start();
    expect((await assigned.promise).shards).toEqual([0]);
    const { memberAssignment } = synced[0]!.groupAssignment[0]!;
    // version 2 | topics 4 | name 2+n | partitions [ 4 each ]
    const at = 2 + 4 + 2 + memberAssignment.readInt16BE(6);
    const partitions = Array.from({ length: memberAssignment.readInt32BE(at) }, (_, i) =>
      memberAssignment.readInt32BE(at + 4 + 4 * i),
    );
    expect(partitions).toEqual([0, 1, 2]);
  });
});
