// One member of a consumer group, by the classic protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup): joins, beats, joins again when
// the group changes. It knows who owns shards now; whether that ownership went on unbroken is the fence's to say.

import { LogError } from '../port.ts';
import { ASSIGNOR, assignShards, decodeAssignment, decodeMember, encodeAssignment, encodeMember } from './assignor.ts';
import type { Connection } from './connection.ts';
import { type Joined, joinRaw, type KafkaJsError, typeOf } from './kafkajs.ts';

const RETRY_MS = 250;
/** How long a leave may take; the session's end does the same, later. */
const LEAVE_MS = 1_000;

export interface Generation {
  generationId: number;
  memberId: string;
}

export interface Assignment extends Generation {
  shards: number[];
}

export interface GroupMemberOptions {
  connection: Connection;
  /** Another one, to leave by and to know the topic's partitions: brokers take no further request of one whose join waits for others. */
  queries: Connection;
  groupId: string;
  topic: string;
  shardCount: number;
  wants: readonly number[];
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  heartbeatMs: number;
  /** Called before anything else learns of it; while it waits, the member goes on beating. A rejection makes the member join again. */
  onAssigned(assignment: Assignment): Promise<void>;
  /** It can't ever join again. */
  onEnded(error: LogError): void;
  onTrouble(what: string, error?: Error): void;
}

/** Errors that repeating can't mend. */
const FATAL: readonly string[] = [
  'INCONSISTENT_GROUP_PROTOCOL',
  'GROUP_AUTHORIZATION_FAILED',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_GROUP_ID',
  'TOPIC_AUTHORIZATION_FAILED',
];

export class GroupMember {
  rebalances = 0;
  private readonly options: GroupMemberOptions;
  private memberId = '';
  private holds: number[] = [];
  private current: Assignment | undefined;
  private settled = Promise.withResolvers<Assignment>();
  private mustRejoin = false;
  private wake = Promise.withResolvers<void>();
  private isStopped = false;
  private isRunning = false;

  constructor(options: GroupMemberOptions) {
    this.options = options;
    this.settled.promise.catch(() => undefined);
  }

  start(): void {
    if (this.isRunning || this.isStopped) return;
    this.isRunning = true;
    void this.run();
  }

  get generation(): number {
    return this.current?.generationId ?? -1;
  }

  /** The assignment that holds now; waits while the group is being joined. @throws LogError `log_closed`, `log_incompatible` */
  assignment(): Promise<Assignment> {
    return this.settled.promise;
  }

  /** A request under this generation was refused: it is over, whatever the next heartbeat would say. */
  invalidate(generation: Generation): void {
    const { current } = this;
    if (
      current === undefined ||
      current.generationId !== generation.generationId ||
      current.memberId !== generation.memberId
    )
      return;
    this.unsettle();
    this.mustRejoin = true;
    this.wake.resolve();
  }

  /** Leaves the group, so that others need not wait for the session's end; within a second. Idempotent. */
  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.end(new LogError('log_closed', 'the log is closed'));
    const { memberId } = this;
    if (memberId === '') return;
    const { queries, groupId } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_MS);
    });
    const leave = queries.onCoordinator(groupId, (broker) => broker.leaveGroup({ groupId, memberId }));
    await Promise.race([leave.catch(() => undefined), timeout]);
    clearTimeout(timer);
  }

  private end(error: LogError): void {
    this.isStopped = true;
    this.unsettle();
    this.settled.reject(error);
    this.wake.resolve();
  }

  private async run(): Promise<void> {
    const { options } = this;
    while (!this.isStopped) {
      try {
        const assignment = await this.join();
        await this.beatWhile(options.onAssigned(assignment), assignment);
        if (this.isStopped) return;
        this.settle(assignment);
        await this.beat(assignment);
        this.unsettle();
      } catch (error) {
        if (this.isStopped) return;
        this.unsettle();
        if (!this.goesOn(error as KafkaJsError)) return;
        await this.sleep(RETRY_MS);
      }
    }
  }

  private async join(): Promise<Assignment> {
    const { groupId, topic, shardCount, connection, queries } = this.options;
    this.mustRejoin = false;
    const joined = await this.joinAs();
    const { generationId, memberId } = joined;
    this.memberId = memberId;
    this.rebalances++;
    let groupAssignment: { memberId: string; memberAssignment: Buffer }[] = [];
    if (joined.leaderId === memberId) {
      const members = joined.members.map((member) => decodeMember(member.memberId, member.memberMetadata));
      const partitions = queries.partitions();
      groupAssignment = [...assignShards(members)].map(([id, shards]) => ({
        memberId: id,
        memberAssignment: encodeAssignment(topic, shards, shardCount, partitions),
      }));
    }
    const { memberAssignment } = await connection.onCoordinator(groupId, (broker) =>
      broker.syncGroup({ groupId, generationId, memberId, groupAssignment }),
    );
    const shards = decodeAssignment(memberAssignment);
    this.holds = shards;
    return { generationId, memberId, shards };
  }

  private async joinAs(): Promise<Joined> {
    const { groupId, topic, shardCount, wants, sessionTimeoutMs, rebalanceTimeoutMs, connection } = this.options;
    const metadata = encodeMember(topic, { wants, holds: this.holds, shardCount });
    const join = () =>
      connection.onCoordinator(groupId, (broker) =>
        joinRaw(broker, {
          groupId,
          memberId: this.memberId,
          sessionTimeout: sessionTimeoutMs,
          rebalanceTimeout: rebalanceTimeoutMs,
          groupProtocols: [{ name: ASSIGNOR, metadata }],
        }),
      );
    try {
      return await join();
    } catch (error) {
      const { memberId } = error as KafkaJsError;
      if (memberId === undefined || this.isStopped) throw error;
      this.memberId = memberId;
      return join();
    }
  }

  /** Beats until the group changes. */
  private async beat(assignment: Assignment): Promise<void> {
    while (!this.isStopped && !this.mustRejoin) {
      await this.sleep(this.options.heartbeatMs);
      if (this.isStopped || this.mustRejoin) return;
      if (!(await this.beatOnce(assignment))) return;
    }
  }

  private async beatWhile(work: Promise<void>, assignment: Assignment): Promise<void> {
    let isDone = false;
    const beating = (async () => {
      while (!isDone && !this.isStopped) {
        await this.sleep(this.options.heartbeatMs);
        if (!isDone && !(await this.beatOnce(assignment))) return;
      }
    })();
    try {
      await work;
    } finally {
      isDone = true;
      this.wake.resolve();
      await beating;
    }
  }

  /** False: this generation is over. */
  private async beatOnce({ generationId, memberId }: Generation): Promise<boolean> {
    const { connection, groupId, onTrouble } = this.options;
    try {
      await connection.onCoordinator(groupId, (broker) =>
        broker.heartbeat({ groupId, memberId, groupGenerationId: generationId }),
      );
      return true;
    } catch (cause) {
      const error = cause as KafkaJsError;
      switch (error.type) {
        case 'UNKNOWN_MEMBER_ID':
          this.forget();
          return false;
        case 'REBALANCE_IN_PROGRESS':
        case 'ILLEGAL_GENERATION':
          return false;
        default:
          // Whether the session has ended is for the coordinator to say, once it answers.
          if (!this.isStopped) {
            onTrouble('heartbeat', error);
            await connection.recover(error);
          }
          return true;
      }
    }
  }

  /** The session is over: what it held may be anybody's. */
  private forget(): void {
    this.memberId = '';
    this.holds = [];
  }

  /** False: the member can't ever join. */
  private goesOn(error: KafkaJsError): boolean {
    const type = typeOf(error);
    if (type === 'UNKNOWN_MEMBER_ID') this.forget();
    if (type !== undefined && FATAL.includes(type)) {
      const hint =
        type === 'INCONSISTENT_GROUP_PROTOCOL'
          ? ': the group has members that are not spanmill; give it a group of its own'
          : '';
      const text = `consumer group ${this.options.groupId}: ${error.message}${hint}`;
      const ended = new LogError('log_incompatible', text, { cause: error });
      this.end(ended);
      this.options.onEnded(ended);
      return false;
    }
    if (type !== 'REBALANCE_IN_PROGRESS') this.options.onTrouble('joining the group', error);
    void this.options.connection.recover(error);
    return true;
  }

  private settle(assignment: Assignment): void {
    this.current = assignment;
    this.settled.resolve(assignment);
  }

  private unsettle(): void {
    if (this.current === undefined) return;
    this.current = undefined;
    this.settled = Promise.withResolvers();
    this.settled.promise.catch(() => undefined);
  }

  private async sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      this.wake.promise,
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, ms);
      }),
    ]);
    clearTimeout(timer);
    if (!this.isStopped) this.wake = Promise.withResolvers();
  }
}
