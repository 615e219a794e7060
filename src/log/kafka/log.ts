// A Kafka topic as spanmill's log: ties connections, consumers, the group's fence and the sink together. It never decides to go on at
// another offset than it was told, and never commits but for the fence.

import { createHash } from 'node:crypto';
import {
  type AppendRecord,
  type LogBounds,
  type LogConsumer,
  LogError,
  type LogListener,
  type RecordIdentity,
} from '../port.ts';
import { registerCodecs } from './codecs.ts';
import { Connection } from './connection.ts';
import { KafkaConsumer } from './consumer.ts';
import { emptyStats } from './counts.ts';
import { type DeadLetter, DeadLetters } from './dead-letters.ts';
import { createEnvelopeReader, type EnvelopeReader } from './envelope.ts';
import { GroupFence } from './fence.ts';
import { GroupMember } from './group-member.ts';
import type { KafkaLog, KafkaLogOptions, KafkaLogStats, Lag } from './options.ts';
import { bounds, identify, offsetAt } from './positions.ts';
import { KafkaSink } from './sink.ts';

const METADATA_MS = 10_000;
const FETCH = { maxWaitMs: 250, partitionBytes: 1024 * 1024, maxBytes: 16 * 1024 * 1024, checkCrcs: true };
const GROUP = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 60_000, heartbeatMs: 1_000 };

/**
 * Connects, joins the group if there is one, and resolves when its shards are ours: another member that holds them is waited for.
 * @throws LogError `log_unavailable` (no broker, no such topic, not allowed), `log_incompatible` (the group has other members than
 *   spanmill), `log_closed` (the signal)
 */
export async function openKafkaLog(given: KafkaLogOptions): Promise<KafkaLog> {
  registerCodecs();
  const options = withCallbacksThatNeverThrow(given);
  const log = new TopicLog(options);
  const abort = () => void log.close();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    if (options.signal?.aborted) throw new LogError('log_closed', 'the log was closed while it was being opened');
    await log.open();
    return log;
  } catch (cause) {
    await log.close();
    throw cause instanceof LogError
      ? cause
      : new LogError('log_unavailable', `topic ${options.topic}: ${(cause as Error).message}`, { cause });
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** What its caller's events throw is its caller's: it must not break a delivery, a join or a commit, nor end the process from a timer. */
function withCallbacksThatNeverThrow(options: KafkaLogOptions): KafkaLogOptions {
  const { onPartition, onSkipped, onTrouble, group } = options;
  const guarded =
    <A extends unknown[]>(callback: ((...args: A) => void) | undefined, then?: (error: Error) => void) =>
    (...args: A): void => {
      try {
        callback?.(...args);
      } catch (error) {
        then?.(error as Error);
      }
    };
  const tell = guarded(onTrouble);
  const told = (name: string) => (error: Error) => tell(`${name} failed`, error);
  return {
    ...options,
    onTrouble: tell,
    onPartition: guarded(onPartition, told('onPartition')),
    onSkipped: guarded(onSkipped, told('onSkipped')),
    ...(group === undefined ? {} : { group: { ...group, onLost: guarded(group.onLost, told('onLost')) } }),
  };
}

class TopicLog implements KafkaLog {
  identity = '';
  partitions = 0;
  fence?: GroupFence;
  private readonly options: KafkaLogOptions;
  private readonly queries: Connection;
  private readonly groups: Connection | undefined;
  private readonly envelopes: EnvelopeReader;
  private readonly sink: KafkaSink;
  private readonly deadLetters: DeadLetters | undefined;
  private readonly counts: KafkaLogStats = emptyStats();
  private readonly consumers = new Set<KafkaConsumer>();
  private known: number[] = [];
  private member: GroupMember | undefined;
  private polling: NodeJS.Timeout | undefined;
  private closing: Promise<void> | undefined;

  constructor(options: KafkaLogOptions) {
    this.options = options;
    this.queries = new Connection(options, 'query');
    if (options.group !== undefined) this.groups = new Connection(options, 'group');
    this.envelopes = createEnvelopeReader(options);
    if (options.deadLetterTopic !== undefined) {
      this.deadLetters = new DeadLetters({
        queries: this.queries,
        target: new Connection({ ...options, topic: options.deadLetterTopic }, 'dead-letters'),
        stats: this.counts,
        now: options.now,
        onTrouble: (what, error) => this.options.onTrouble?.(what, error),
      });
    }
    this.sink = new KafkaSink(options, this.counts);
  }

  async open(): Promise<void> {
    await Promise.all([this.queries.connect(), this.groups?.connect()]);
    this.known = this.queries.partitions();
    if (this.known.length === 0) throw new LogError('log_unavailable', `there is no topic ${this.options.topic}`);
    this.partitions = this.known.length;
    this.identity = createHash('sha256')
      .update(JSON.stringify([this.queries.clusterId, this.options.topic]))
      .digest('hex')
      .slice(0, 16);
    await this.joinGroup();
    if (this.closing !== undefined) throw new LogError('log_closed', 'the log was closed while it was being opened');
    this.schedulePoll();
  }

  partitionIds(): readonly number[] {
    return this.known;
  }

  bounds(partition: number): Promise<LogBounds> {
    return bounds(this.queries, partition);
  }

  identify(partition: number, offset: number): Promise<RecordIdentity | undefined> {
    return identify(this.queries, this.envelopes, partition, offset);
  }

  async startOffset(partition: number): Promise<number> {
    const { start, now } = this.options;
    // A partition that came after this log was opened has nothing that was there before.
    if (start === 'earliest' || partition >= this.partitions) return (await this.bounds(partition)).start;
    if (start === 'latest') return (await this.bounds(partition)).end;
    return offsetAt(this.queries, partition, now() - start.agoMs);
  }

  consume(from: ReadonlyMap<number, number>, listener: LogListener): LogConsumer {
    if (this.closing !== undefined) throw new LogError('log_closed', 'the log is closed');
    const { topic, now, fetch } = this.options;
    const connection = new Connection(this.options, 'read');
    const consumer = new KafkaConsumer(from, listener, {
      ...FETCH,
      ...fetch,
      connection,
      topic,
      now,
      envelopes: this.envelopes,
      stats: this.counts,
      onSkipped: (skipped) => {
        this.options.onSkipped?.(skipped);
        const { reason, partition, offset } = skipped;
        if (reason === 'undecodable' || reason === 'invalid_tenant') this.deadLetter({ partition, offset, reason });
      },
      onTrouble: (what, error) => this.options.onTrouble?.(what, error),
      onStop: (stopped) => {
        this.consumers.delete(stopped);
        connection.close();
      },
    });
    this.consumers.add(consumer);
    return consumer;
  }

  /** Kafka's retention asks nobody. */
  release(): void {}

  append(records: readonly AppendRecord[]): Promise<void> {
    return this.sink.append(records, this.partitions);
  }

  deadLetter(letter: DeadLetter): void {
    this.deadLetters?.add(letter);
  }

  lag(): Map<number, Lag> {
    const lags = [...this.consumers].flatMap((consumer) => [...consumer.lag(this.options.now())]);
    return new Map(lags);
  }

  stats(): KafkaLogStats {
    return {
      ...this.counts,
      skipped: { ...this.counts.skipped },
      generation: this.member?.generation ?? -1,
      rebalances: this.member?.rebalances ?? 0,
    };
  }

  async regain(): Promise<void> {
    await this.fence?.renew();
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    clearTimeout(this.polling);
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
    this.fence?.end(new LogError('log_closed', 'the log is closed'));
    await Promise.all([this.sink.close(), this.member?.stop()]);
    this.deadLetters?.close();
    for (const connection of [this.queries, this.groups]) connection?.close();
  }

  private async joinGroup(): Promise<void> {
    const { group, topic } = this.options;
    if (group === undefined || this.groups === undefined || this.closing !== undefined) return;
    const onTrouble = (what: string, error?: Error) => this.options.onTrouble?.(what, error);
    const { shards } = group;
    const common = { connection: this.groups, groupId: group.id, topic, shardCount: shards.count, onTrouble };
    const fence = new GroupFence({
      ...common,
      queries: this.queries,
      own: shards.own,
      stats: this.counts,
      onLost: (reason) => this.lost(reason),
    });
    this.member = new GroupMember({
      ...common,
      queries: this.queries,
      sessionTimeoutMs: group.sessionTimeoutMs ?? GROUP.sessionTimeoutMs,
      rebalanceTimeoutMs: group.rebalanceTimeoutMs ?? GROUP.rebalanceTimeoutMs,
      heartbeatMs: group.heartbeatMs ?? GROUP.heartbeatMs,
      wants: shards.own,
      onAssigned: (assignment) => fence.assigned(assignment),
      onEnded: (error) => fence.end(error),
    });
    fence.bind(this.member);
    this.fence = fence;
    this.member.start();
    await fence.whenOwned();
  }

  private lost(reason: string): void {
    const error = new LogError('ownership_lost', reason);
    for (const consumer of this.consumers) consumer.failAll(error);
    this.options.group?.onLost?.(reason);
  }

  private schedulePoll(): void {
    if (this.closing !== undefined) return;
    this.polling = setTimeout(() => {
      void this.poll().then(() => this.schedulePoll());
    }, this.options.metadataMs ?? METADATA_MS);
  }

  /** Asks for new partitions. Never throws. */
  private async poll(): Promise<void> {
    try {
      // Not by that of the group, whose join may wait for other members, nor by those of consumers, which find new leaders themselves.
      await this.queries.refresh();
    } catch (cause) {
      await this.queries.recover(cause);
      return;
    }
    if (this.closing !== undefined) return;
    const found = this.queries.partitions().filter((partition) => !this.known.includes(partition));
    if (found.length === 0) return;
    this.known = [...this.known, ...found].sort((a, b) => a - b);
    for (const partition of found) this.options.onPartition?.(partition);
  }
}
