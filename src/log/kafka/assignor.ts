// Who gets which shards: the part of the group's leader. Pure. A member gets all shards that it wants or none, as it folds with none less:
// a share of them would only keep others from folding. Who has all that it wants keeps it; whoever wants one of them waits.

import { createRequire } from 'node:module';

/** The protocol's name in the group. Members of other protocols can't join the same group. */
export const ASSIGNOR = 'spanmill';
const VERSION = 1;

export interface Member {
  memberId: string;
  /** Shards that it would fold, and those that it folds now. */
  wants: readonly number[];
  holds: readonly number[];
  shardCount: number;
}

/** Every member with its shards. Members that disagree on the number of shards with the first one get nothing. */
export function assignShards(members: readonly Member[]): Map<string, number[]> {
  const sorted = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const owned = new Map(sorted.map(({ memberId }) => [memberId, [] as number[]]));
  // The holders' count is the one that state was made with.
  const count = (sorted.find(({ holds }) => holds.length > 0) ?? sorted[0])?.shardCount ?? 0;
  const able = sorted.filter(({ shardCount }) => shardCount === count);
  const taken = new Set<number>();
  for (const { memberId, wants } of [...able.filter(holdsAll), ...able.filter((member) => !holdsAll(member))]) {
    const wanted = [...new Set(wants)].filter((shard) => shard < count);
    if (wanted.some((shard) => taken.has(shard))) continue;
    for (const shard of wanted) taken.add(shard);
    owned.set(memberId, wanted);
  }
  return owned;
}

function holdsAll({ wants, holds }: Member): boolean {
  return wants.every((shard) => holds.includes(shard));
}

interface AssignerProtocol {
  MemberMetadata: {
    encode(data: { version: number; topics: string[]; userData: Buffer }): Buffer;
    decode(bytes: Buffer): { userData: Buffer } | null;
  };
  MemberAssignment: {
    encode(data: { version: number; assignment: Record<string, number[]>; userData: Buffer }): Buffer;
    decode(bytes: Buffer): { userData: Buffer | null } | null;
  };
}

const { AssignerProtocol: protocol } = createRequire(import.meta.url)('kafkajs') as {
  AssignerProtocol: AssignerProtocol;
};

/** In the consumer protocol's own envelope, so that Kafka's tools can show topics and partitions. */
export function encodeMember(topic: string, member: Omit<Member, 'memberId'>): Buffer {
  const userData = Buffer.from(JSON.stringify({ v: VERSION, ...member }));
  return protocol.MemberMetadata.encode({ version: VERSION, topics: [topic], userData });
}

/** A member that can't be read wants nothing. */
export function decodeMember(memberId: string, bytes: Buffer): Member {
  try {
    const { wants, holds, shardCount } = JSON.parse(
      protocol.MemberMetadata.decode(bytes)!.userData.toString(),
    ) as Member;
    if (Array.isArray(wants) && Array.isArray(holds) && Number.isInteger(shardCount))
      return { memberId, wants, holds, shardCount };
  } catch {
    // Written by a version that isn't known here.
  }
  return { memberId, wants: [], holds: [], shardCount: -1 };
}

export function encodeAssignment(
  topic: string,
  shards: readonly number[],
  shardCount: number,
  partitions: readonly number[],
): Buffer {
  const mine = partitions.filter((partition) => shards.includes(partition % shardCount));
  return protocol.MemberAssignment.encode({
    version: VERSION,
    assignment: { [topic]: mine },
    userData: Buffer.from(JSON.stringify({ v: VERSION, shards })),
  });
}

export function decodeAssignment(bytes: Buffer): number[] {
  try {
    const userData = protocol.MemberAssignment.decode(bytes)?.userData;
    const { shards } = JSON.parse(userData?.toString() ?? '{}') as { shards?: number[] };
    return Array.isArray(shards) ? shards : [];
  } catch {
    return [];
  }
}
