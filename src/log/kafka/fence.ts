// The commit fence of a consumer group. A commit is sent under the generation of this member, so the broker refuses it when that is
// over; it never goes through kafkajs's `commitOffsets`, which takes whatever generation is current and may resolve without sending.
//
// An *ownership* begins with an assignment and outlives a rebalance only if nobody else can have folded in between:
// - the same member was given the same shards in the very next generation, or
// - what the group holds now is still exactly what this ownership committed last. Whoever takes over commits a claim of its own before it
//   folds, and commits of generations before this one are refused from now on: so nobody has taken over, and nobody can any more.
// Otherwise it is lost, for good: commits are refused until the owner recovers and begins a new one. That one takes only entries of
// claims above those that it found: an entry that was made under the ownership before it comes too late.

import { type CommitEntry, type CommitFence, type Committed, LogError } from '../port.ts';
import type { Connection } from './connection.ts';
import type { Assignment, GroupMember } from './group-member.ts';
import { typeOf } from './kafkajs.ts';
import type { KafkaLogStats } from './options.ts';
import { retried } from './positions.ts';

const RETRY_MS = 100;
const GENERATION_OVER: readonly string[] = [
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'REBALANCE_IN_PROGRESS',
];
const NEVER: readonly string[] = [
  'OFFSET_METADATA_TOO_LARGE',
  'INVALID_COMMIT_OFFSET_SIZE',
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'INVALID_GROUP_ID',
];

export interface FenceOptions {
  connection: Connection;
  /** Another one, for reading: brokers answer a connection's requests one after another, and a join may wait. */
  queries: Connection;
  groupId: string;
  topic: string;
  own: readonly number[];
  shardCount: number;
  stats: KafkaLogStats;
  onLost(reason: string): void;
  onTrouble(what: string, error?: Error): void;
}

interface Ownership {
  last: Assignment;
  /** By partition, what was committed when it began. */
  found: ReadonlyMap<number, Committed>;
  /** What the group is known to hold, and what an unanswered commit may have made of it. */
  known: Map<number, Committed>;
  pending: Map<number, Committed> | undefined;
  isLost: boolean;
}

export class GroupFence implements CommitFence {
  private readonly options: FenceOptions;
  private member: GroupMember | undefined;
  private ownership: Ownership | undefined;
  /** The newest assignment. A judgement of an older one that is still under way must not count. */
  private latest: Assignment | undefined;
  private owned = Promise.withResolvers<void>();
  private commits: Promise<unknown> = Promise.resolve();
  private ended: LogError | undefined;

  constructor(options: FenceOptions) {
    this.options = options;
    this.owned.promise.catch(() => undefined);
  }

  bind(member: GroupMember): void {
    this.member = member;
  }

  /** Resolves when all wanted shards are owned. @throws LogError `log_closed`, `log_incompatible` */
  whenOwned(): Promise<void> {
    return this.owned.promise;
  }

  /** After a loss: the next assignment begins a new ownership, or the present one does if it has all shards. @throws as `whenOwned` */
  async renew(): Promise<void> {
    if (this.ended !== undefined) throw this.ended;
    if (!this.ownership?.isLost) return this.owned.promise;
    this.ownership = undefined;
    this.owned = Promise.withResolvers();
    this.owned.promise.catch(() => undefined);
    const assignment = await this.member!.assignment();
    if (assignment === this.latest) await this.judge(assignment);
    return this.owned.promise;
  }

  /** The member has an assignment. @throws when the group's offsets can't be read */
  async assigned(assignment: Assignment): Promise<void> {
    this.latest = assignment;
    await this.judge(assignment);
  }

  private async judge(assignment: Assignment): Promise<void> {
    const { own } = this.options;
    const hasAll = own.every((shard) => assignment.shards.includes(shard));
    const { ownership } = this;
    if (ownership === undefined) {
      if (!hasAll) {
        this.options.onTrouble('another member of the group holds the shards: waiting for it to leave');
        return;
      }
      const found = await this.committed();
      if (this.ownership !== undefined || this.latest !== assignment || this.ended !== undefined) return;
      this.ownership = { last: assignment, found, known: new Map(found), pending: undefined, isLost: false };
      this.owned.resolve();
      return;
    }
    if (ownership.isLost) return;
    if (!hasAll) {
      this.lose(ownership, 'the group gave the shards to another member');
      return;
    }
    const { last } = ownership;
    const isNext = last.memberId === assignment.memberId && assignment.generationId === last.generationId + 1;
    if (!isNext && !(await this.isUntouched(ownership))) {
      this.lose(ownership, 'the group was left for a while, and its offsets were committed by somebody else meanwhile');
      return;
    }
    ownership.last = assignment;
  }

  commit(entry: CommitEntry): Promise<'committed' | 'refused'> {
    const { ownership } = this;
    // One after another: an older entry's repeat must never land on a newer one's offsets.
    const result = this.commits.then(() => this.commitUnder(ownership, entry));
    this.commits = result.catch(() => undefined);
    return result;
  }

  /** @throws LogError `log_unavailable`, `log_closed` */
  committed(): Promise<Map<number, Committed>> {
    const { queries, groupId, topic } = this.options;
    return retried(queries, async () => {
      const partitions = queries.partitions().map((partition) => ({ partition }));
      const { responses } = await queries.onCoordinator(groupId, (broker) =>
        broker.offsetFetch({ groupId, topics: [{ topic, partitions }] }),
      );
      const found = new Map<number, Committed>();
      for (const { partition, offset, metadata } of responses.find((response) => response.topic === topic)
        ?.partitions ?? []) {
        if (Number(offset) >= 0) found.set(partition, { offset: Number(offset), metadata: metadata ?? '' });
      }
      return found;
    });
  }

  /** No commit and no ownership from now on; `log_closed`, or why the member can't ever join again. Idempotent. */
  end(error: LogError): void {
    if (this.ended !== undefined) return;
    this.ended = error;
    this.owned.reject(error);
    const { ownership } = this;
    if (error.code !== 'log_closed' && ownership !== undefined && !ownership.isLost)
      this.lose(ownership, error.message);
  }

  private async commitUnder(ownership: Ownership | undefined, entry: CommitEntry): Promise<'committed' | 'refused'> {
    const { stats, onTrouble, connection, groupId, topic } = this.options;
    const metadata = `${entry.claim}:${entry.tMs}:${entry.digest}`;
    const wanted = new Map(entry.offsets.map(([partition, offset]) => [partition, { offset, metadata }]));
    if (ownership !== undefined && isOfBefore(ownership, entry)) {
      onTrouble(`an entry of claim ${entry.claim}, which the group had already when the shards were taken over`);
      stats.refusedCommits++;
      return 'refused';
    }
    for (let tries = 0; ; tries++) {
      if (tries > 0) stats.repeatedCommits++;
      // Waits while the group is being joined; the fence has judged the assignment before anybody gets it.
      const generation = this.ended !== undefined ? undefined : await this.member!.assignment().catch(() => undefined);
      if (generation === undefined || ownership === undefined || ownership.isLost || ownership !== this.ownership) {
        // Our own close is no other owner.
        if (this.ended?.code !== 'log_closed' || ownership?.isLost) stats.refusedCommits++;
        return 'refused';
      }
      ownership.pending = wanted;
      try {
        const partitions = entry.offsets.map(([partition, offset]) => ({
          partition,
          offset: String(offset),
          metadata,
        }));
        const { generationId: groupGenerationId, memberId } = generation;
        const { responses } = await connection.onCoordinator(groupId, (broker) =>
          broker.offsetCommit({ groupId, groupGenerationId, memberId, topics: [{ topic, partitions }] }),
        );
        if (!namesAll(responses, topic, wanted))
          throw new Error('the answer to a commit does not name all its partitions');
        for (const [partition, committed] of wanted) ownership.known.set(partition, committed);
        ownership.pending = undefined;
        stats.commits++;
        return 'committed';
      } catch (cause) {
        const type = typeOf(cause);
        if (type !== undefined && NEVER.includes(type)) {
          ownership.pending = undefined;
          throw new LogError('commit_failed', `the group does not take the commit: ${(cause as Error).message}`, {
            cause,
          });
        }
        if (type !== undefined && GENERATION_OVER.includes(type)) {
          this.member!.invalidate(generation);
          continue;
        }
        // The outcome is unknown: only the same commit, under the same ownership, may follow it.
        if (this.ended !== undefined) continue;
        onTrouble('commit', cause as Error);
        await connection.recover(cause);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** The group holds what this ownership left there. */
  private async isUntouched({ known, pending }: Ownership): Promise<boolean> {
    const { own, shardCount, queries } = this.options;
    const now = await this.committed();
    const mine = queries.partitions().filter((partition) => own.includes(partition % shardCount));
    return mine.every((partition) => {
      const found = now.get(partition);
      return (
        isSame(found, known.get(partition)) ||
        (pending?.has(partition) === true && isSame(found, pending.get(partition)))
      );
    });
  }

  private lose(ownership: Ownership, reason: string): void {
    ownership.isLost = true;
    this.options.onLost(reason);
  }
}

/** An entry whose claim the group had already when this ownership began: made by an earlier owner, in this process or another one. */
function isOfBefore({ found }: Ownership, entry: CommitEntry): boolean {
  return entry.offsets.some(([partition]) => claimOf(found.get(partition)) >= entry.claim);
}

/** -1: nothing is committed, or not by a fence. */
function claimOf(committed: Committed | undefined): number {
  const claim = /^(\d+):-?\d+:/.exec(committed?.metadata ?? '')?.[1];
  return claim === undefined ? -1 : Number(claim);
}

function isSame(a: Committed | undefined, b: Committed | undefined): boolean {
  return a?.offset === b?.offset && a?.metadata === b?.metadata;
}

function namesAll(
  responses: { topic: string; partitions: { partition: number; errorCode: number }[] }[],
  topic: string,
  wanted: ReadonlyMap<number, unknown>,
): boolean {
  const stored = new Set<number>();
  for (const response of responses) {
    if (response.topic !== topic) continue;
    for (const { partition, errorCode } of response.partitions) if (errorCode === 0) stored.add(partition);
  }
  return [...wanted.keys()].every((partition) => stored.has(partition));
}
