// Follows partitions of a topic for one listener: one loop of fetches per broker that leads some of them. A loop holds nothing open:
// an answer is delivered, or waits with its partition while that is paused.

import { type LogConsumer, LogError, type LogListener } from '../port.ts';
import { giveBack } from './answers.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { Connection } from './connection.ts';
import type { EnvelopeReader } from './envelope.ts';
import { decodeFetchResponse, type FetchResponse } from './fetch-response.ts';
import { Follower } from './follower.ts';
import { fetchRaw } from './kafkajs.ts';
import type { KafkaLogStats, Lag, Skipped } from './options.ts';
import { bounds, readOne } from './positions.ts';

const OFFSET_OUT_OF_RANGE = 1;
const CORRUPT_MESSAGE = 2;
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const TOPIC_AUTHORIZATION_FAILED = 29;
/** Said by a leader that knows the partition. */
const ANSWERED: readonly number[] = [0, OFFSET_OUT_OF_RANGE];
const RETRY_MS = 200;
/** A partition that no broker knows for so long is gone. */
const MISSING_MS = 60_000;

/** An answer waits for so much, or for `maxWaitMs`. */
const MAX_MIN_BYTES = 1024 * 1024;

export interface ConsumerOptions {
  /** Of this consumer alone: a broker answers its requests one by one, and lets a fetch wait. Closed by whoever gives it, at `onStop`. */
  connection: Connection;
  topic: string;
  envelopes: EnvelopeReader;
  maxWaitMs: number;
  partitionBytes: number;
  maxBytes: number;
  checkCrcs: boolean;
  stats: KafkaLogStats;
  now(): number;
  onSkipped(skipped: Skipped): void;
  onTrouble(what: string, error?: Error): void;
  onStop(consumer: KafkaConsumer): void;
}

export class KafkaConsumer implements LogConsumer {
  private readonly options: ConsumerOptions;
  private readonly followers = new Map<number, Follower>();
  private readonly loops = new Map<number, Promise<void>>();
  private readonly missingSince = new Map<number, number>();
  /** They were missing: whether they are what they were is yet to be seen. */
  private readonly unchecked = new Set<number>();
  private readonly delivery: ConstructorParameters<typeof Follower>[3];
  private readonly asleep = new Set<() => void>();
  private isStopped = false;

  constructor(from: ReadonlyMap<number, number>, listener: LogListener, options: ConsumerOptions) {
    this.options = options;
    const { envelopes, checkCrcs, stats, now, onSkipped } = options;
    this.delivery = { listener, builder: new BatchBuilder(), envelopes, checkCrcs, stats, now, onSkipped };
    this.add(from);
  }

  add(from: ReadonlyMap<number, number>): void {
    for (const [partition, offset] of from) {
      if (this.followers.get(partition)?.hasFailed ?? true)
        this.followers.set(partition, new Follower(partition, offset, this.options.partitionBytes, this.delivery));
    }
    // Later, so that the caller holds the consumer when its listener is first called.
    queueMicrotask(() => {
      this.startLoops();
      this.wakeLoops();
    });
  }

  pause(partition: number): void {
    this.follower(partition).isPaused = true;
  }

  resume(partition: number): void {
    const follower = this.follower(partition);
    if (!follower.isPaused) return;
    follower.resume();
    queueMicrotask(() => {
      follower.goOn();
      this.wakeLoops();
    });
  }

  lag(nowMs: number): Map<number, Lag> {
    return new Map([...this.followers].map(([partition, follower]) => [partition, follower.lag(nowMs)]));
  }

  /** A fetch may still be under way; its answer reaches nobody. */
  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.isStopped = true;
    for (const follower of this.followers.values()) follower.isStopped = true;
    this.wakeLoops();
    this.options.onStop(this);
  }

  /** Tells all partitions that they can't be read on. */
  failAll(error: Error): void {
    for (const follower of this.followers.values()) follower.fail(error);
  }

  /** One loop for each broker that leads a partition of ours. Also after leaders have changed. */
  private startLoops(): void {
    if (this.isStopped) return;
    const led = new Set<number>();
    for (const { partition } of this.followers.values()) led.add(this.leaderOf(partition));
    for (const nodeId of led) {
      if (this.loops.has(nodeId)) continue;
      const loop = this.run(nodeId).finally(() => {
        this.loops.delete(nodeId);
        // A partition may have come to this broker just when its loop saw none left.
        if (!this.isStopped && this.ofLeader(nodeId).length > 0) this.startLoops();
      });
      this.loops.set(nodeId, loop);
    }
  }

  /** Loops of leader -1 wait until a partition has a leader again. */
  private async run(nodeId: number): Promise<void> {
    while (!this.isStopped && this.ofLeader(nodeId).length > 0) {
      if (nodeId < 0) {
        await this.refresh();
        if (this.ofLeader(nodeId).length > 0) await this.pauseLoop(RETRY_MS);
        continue;
      }
      const asked = this.ask(nodeId);
      if (asked.length === 0) {
        await this.pauseLoop(this.options.maxWaitMs);
        continue;
      }
      try {
        const askedMs = this.options.now();
        const response = await this.fetch(nodeId, asked).finally(() => {
          for (const follower of asked) follower.asked = 0;
        });
        if (this.isStopped) return;
        await this.answered(response, askedMs);
        // What waits of it waits in memory of its own.
        giveBack(response.bytes);
      } catch (error) {
        if (this.isStopped) return;
        this.options.onTrouble(`fetch from broker ${nodeId}`, error as Error);
        await this.options.connection.recover(error);
        await this.pauseLoop(RETRY_MS);
        this.startLoops();
      }
    }
  }

  /** The partitions that the next fetch asks for. */
  private ask(nodeId: number): Follower[] {
    let waiting = 0;
    for (const { waitingBytes } of this.followers.values()) waiting += waitingBytes;
    const asked: Follower[] = [];
    for (const follower of this.ofLeader(nodeId)) {
      const bytes = follower.wantedBytes(waiting < this.options.maxBytes);
      if (bytes === 0) continue;
      follower.asked = bytes;
      asked.push(follower);
    }
    return asked;
  }

  private async fetch(nodeId: number, followers: Follower[]): Promise<FetchResponse> {
    const { connection, topic, maxWaitMs, maxBytes, stats } = this.options;
    // Another one goes first each time: an answer's bytes are filled in the order of the request.
    const turn = stats.fetches++ % followers.length;
    const partitions = [...followers.slice(turn), ...followers.slice(0, turn)].map(
      ({ partition, position, asked }) => ({
        partition,
        fetchOffset: String(position),
        maxBytes: asked,
      }),
    );
    // Many small answers cost more than the wait for larger ones; one that was asked for little must still come at once.
    const asked = followers.reduce((sum, follower) => sum + follower.asked, 0);
    const minBytes = Math.max(1, Math.min(MAX_MIN_BYTES, asked >> 1));
    const call = { topic, partitions, maxWaitTime: maxWaitMs, minBytes, maxBytes };
    const response = await connection.onNode(nodeId, (broker) => fetchRaw(broker, call, decodeFetchResponse));
    stats.fetchedBytes += response.bytes.length;
    return response;
  }

  private async answered(response: FetchResponse, askedMs: number): Promise<void> {
    let mustRefresh = response.errorCode !== 0;
    for (const part of response.partitions) {
      const follower = this.followers.get(part.partition);
      if (follower === undefined) continue;
      if (part.errorCode !== UNKNOWN_TOPIC_OR_PARTITION) this.missingSince.delete(part.partition);
      const isBeyond = part.errorCode === OFFSET_OUT_OF_RANGE;
      const mayBeOther = isBeyond || (this.unchecked.has(part.partition) && ANSWERED.includes(part.errorCode));
      if (mayBeOther && !(await this.isSame(follower))) continue;
      if (part.errorCode === 0) follower.fetched(part, askedMs);
      else if (!this.failed(follower, part.errorCode, part.logStart)) mustRefresh = true;
      if (this.isStopped) return;
    }
    if (mustRefresh) {
      await this.pauseLoop(RETRY_MS);
      await this.refresh();
    }
  }

  /**
   * A partition that was gone for a while, or has no record for our position, may be another one: the record that was read last must
   * still be there, or be deleted, and the end can't lie before it.
   * @throws where that can't be learnt now: the next answer is looked at again
   */
  private async isSame(follower: Follower): Promise<boolean> {
    const { connection, topic } = this.options;
    const { partition, lastRecord } = follower;
    const found =
      lastRecord && (await readOne(connection, partition, lastRecord.offset, (record) => record.timestampMs));
    this.unchecked.delete(partition);
    if (found !== undefined && found === lastRecord?.timestampMs) return true;
    let what: string;
    if (found !== undefined)
      what = `record ${lastRecord?.offset} of partition ${partition} is not the one that was read`;
    else {
      const { end } = await bounds(connection, partition);
      if (end >= follower.position) return true;
      what = `partition ${partition} ends at offset ${end}, before ${follower.position}, up to where it was read`;
    }
    follower.fail(new LogError('log_damaged', `${what}: topic ${topic} was deleted and made anew, or lost records`));
    return false;
  }

  /** False: the leader may have changed, or not know yet; try again. */
  private failed(follower: Follower, errorCode: number, logStart: number): boolean {
    const { partition, position } = follower;
    if (errorCode === OFFSET_OUT_OF_RANGE) {
      // Never reset: to go on elsewhere is for whoever keeps the positions to decide.
      follower.fail(
        new LogError(
          'offset_out_of_range',
          `offset ${position} of partition ${partition} is outside the log (it starts at ${logStart})`,
        ),
      );
      return true;
    }
    if (errorCode === TOPIC_AUTHORIZATION_FAILED) {
      follower.fail(new LogError('log_unavailable', `not allowed to read topic ${this.options.topic}`));
      return true;
    }
    if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) {
      const now = this.options.now();
      const since = this.missingSince.get(partition) ?? now;
      this.missingSince.set(partition, since);
      this.unchecked.add(partition);
      if (now - since > MISSING_MS) {
        follower.fail(
          new LogError('log_unavailable', `no broker has partition ${partition} of topic ${this.options.topic}`),
        );
        return true;
      }
    }
    this.options.onTrouble(
      `partition ${partition}: ${errorCode === CORRUPT_MESSAGE ? 'the broker finds a record damaged' : `error ${errorCode}`}`,
    );
    return false;
  }

  private async refresh(): Promise<void> {
    const { connection, onTrouble } = this.options;
    try {
      // The first time, and where its topic wasn't there then.
      await connection.connect();
      await connection.refresh();
    } catch (error) {
      if (this.isStopped) return;
      onTrouble('leaders of partitions', error as Error);
      await connection.recover(error);
    }
    this.startLoops();
  }

  private ofLeader(nodeId: number): Follower[] {
    return [...this.followers.values()].filter(
      ({ partition, hasFailed }) => !hasFailed && this.leaderOf(partition) === nodeId,
    );
  }

  private leaderOf(partition: number): number {
    return this.options.connection.leaderOf(partition);
  }

  /** Waits for a resume or a stop, at most so long. */
  private async pauseLoop(ms: number): Promise<void> {
    if (this.isStopped) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.asleep.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.asleep.add(wake);
    });
  }

  private wakeLoops(): void {
    for (const wake of this.asleep) wake();
  }

  private follower(partition: number): Follower {
    const follower = this.followers.get(partition);
    if (follower === undefined) throw new RangeError(`partition ${partition} isn't consumed here`);
    return follower;
  }
}
