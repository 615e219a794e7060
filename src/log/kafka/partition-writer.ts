// Writes one partition: idempotent, acknowledged by all in-sync replicas, one request at a time, records in the order of their appends.
// The outcome of a request that is unknown is asked again with the same producer id and sequence, so the broker stores it once; when the
// answer stays away, that producer id is never used again. No partition waits for another one.

import { LogError } from '../port.ts';
import type { Connection } from './connection.ts';
import { type Message, produceRaw, protocolError } from './kafkajs.ts';

/** For a leader's election or a broker's restart. */
const GIVE_UP_MS = 20_000;
const REPLICAS_MS = 8_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 1_000;
const SEQUENCES = 2 ** 31;
const TOO_LARGE: readonly string[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'];

export interface Written {
  message: Message;
  sizeBytes: number;
  /** Called once: without an error when the record is stored. */
  settle(error?: LogError): void;
}

export interface PartitionWriterOptions {
  connection: Connection;
  partition: number;
  /** Values in one request; a larger record goes alone. */
  batchBytes: number;
  compression: number;
  onTrouble(what: string, error?: Error): void;
}

interface Producer {
  producerId: string;
  producerEpoch: number;
  sequence: number;
}

export class PartitionWriter {
  private readonly options: PartitionWriterOptions;
  private queue: Written[] = [];
  /** So many of the first ones go one by one: together they were too large. */
  private alone = 0;
  private producer: Producer | undefined;
  private running: Promise<void> | undefined;

  constructor(options: PartitionWriterOptions) {
    this.options = options;
  }

  add(record: Written): void {
    this.queue.push(record);
    this.running ??= this.writeAll();
  }

  /** Resolves when nothing is left to be written. */
  async idle(): Promise<void> {
    await this.running;
  }

  private async writeAll(): Promise<void> {
    // What other callers append in this turn of the event loop goes out in one request.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const taken = this.take();
      const error = await this.write(taken);
      if (error?.code === 'record_too_large' && taken.length > 1) {
        // The topic's own limit is not known here: only a record that is refused by itself is too large.
        this.queue = [...taken, ...this.queue];
        this.alone = taken.length;
        continue;
      }
      for (const { settle } of taken) settle(error);
      if (error !== undefined && error.code !== 'record_too_large') {
        // They have waited behind it; each of them would wait as long again.
        for (const { settle } of this.queue) settle(error);
        this.queue = [];
        this.alone = 0;
      }
    }
    this.running = undefined;
  }

  private take(): Written[] {
    if (this.alone > 0) {
      this.alone--;
      return this.queue.splice(0, 1);
    }
    let count = 0;
    for (let sum = 0; count < this.queue.length; count++) {
      sum += this.queue[count]!.sizeBytes;
      if (count > 0 && sum > this.options.batchBytes) break;
    }
    return this.queue.splice(0, count);
  }

  private async write(records: readonly Written[]): Promise<LogError | undefined> {
    const { connection, partition, compression, onTrouble } = this.options;
    const messages = records.map(({ message }) => message);
    const endMs = performance.now() + GIVE_UP_MS;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
      try {
        if (connection.leaderOf(partition) < 0) await connection.connect();
        this.producer ??= { ...(await this.begin()), sequence: 0 };
        const { producerId, producerEpoch, sequence } = this.producer;
        await connection.onLeader(partition, (broker) =>
          produceRaw(broker, {
            topic: connection.topic,
            partition,
            producerId,
            producerEpoch,
            firstSequence: sequence,
            compression,
            messages,
            timeoutMs: REPLICAS_MS,
          }),
        );
        this.producer.sequence = (sequence + messages.length) % SEQUENCES;
        return undefined;
      } catch (cause) {
        const refusal = protocolError(cause);
        const type = refusal?.type;
        if (type === 'DUPLICATE_SEQUENCE_NUMBER') {
          // Stored by a try before this one. The broker no longer knows the numbers around it: begin anew.
          this.producer = undefined;
          return undefined;
        }
        // Not stored, and its sequence not used up.
        if (type !== undefined && TOO_LARGE.includes(type)) return this.failed('record_too_large', cause);
        if (cause instanceof LogError) return cause;
        if (refusal?.retriable === false || performance.now() > endMs) {
          this.producer = undefined;
          return this.failed('log_unavailable', cause);
        }
        onTrouble(`append to partition ${partition}`, cause as Error);
        await connection.recover(cause);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  private begin(): Promise<{ producerId: string; producerEpoch: number }> {
    const { connection, partition } = this.options;
    return connection.onLeader(partition, (broker) => broker.initProducerId({ transactionTimeout: 60_000 }));
  }

  private failed(code: 'record_too_large' | 'log_unavailable', cause: unknown): LogError {
    const { connection, partition } = this.options;
    const text = `topic ${connection.topic}, partition ${partition}: ${(cause as Error).message}`;
    return new LogError(code, text, { cause });
  }
}
