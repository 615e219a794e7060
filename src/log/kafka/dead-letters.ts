// Copies records that nobody can read to a topic of their own, as they are: key, value and headers, and headers that say where they came
// from and why. Best effort: what can't be copied is counted, and never holds up the log.

import { at, varint } from './bytes.ts';
import { CODEC_IDS } from './codecs.ts';
import type { Connection } from './connection.ts';
import type { Message } from './kafkajs.ts';
import type { KafkaLogStats } from './options.ts';
import { PartitionWriter } from './partition-writer.ts';
import { readOne } from './positions.ts';
import type { RecordView } from './record-batch.ts';

/** More are not kept waiting. */
const MAX_QUEUED = 1_000;
const BATCH_BYTES = 900 * 1024;

export interface DeadLetter {
  partition: number;
  offset: number;
  reason: string;
}

export interface DeadLettersOptions {
  /** Where the records are read again. */
  queries: Connection;
  /** To the topic that they are written to. */
  target: Connection;
  stats: KafkaLogStats;
  now(): number;
  onTrouble(what: string, error?: Error): void;
}

export class DeadLetters {
  private readonly options: DeadLettersOptions;
  private queue: DeadLetter[] = [];
  private working: Promise<void> | undefined;
  private writers: PartitionWriter[] | undefined;
  private isClosed = false;

  constructor(options: DeadLettersOptions) {
    this.options = options;
  }

  add(letter: DeadLetter): void {
    if (this.isClosed || this.queue.length >= MAX_QUEUED) {
      this.options.stats.lostDeadLetters++;
      return;
    }
    this.queue.push(letter);
    this.working ??= this.work();
  }

  /** What still waits is lost. */
  close(): void {
    this.isClosed = true;
    this.options.stats.lostDeadLetters += this.queue.length;
    this.queue = [];
    this.options.target.close();
  }

  private async work(): Promise<void> {
    // What comes in this turn of the event loop goes along.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const letters = this.queue.splice(0, 50);
      await Promise.all(letters.map((letter) => this.copy(letter)));
    }
    // In one go with the look at the queue: what is added from now on begins anew.
    this.working = undefined;
  }

  private async copy(letter: DeadLetter): Promise<void> {
    const { queries, stats, onTrouble } = this.options;
    try {
      const message = await readOne(queries, letter.partition, letter.offset, (record) => this.message(record, letter));
      if (message === undefined) throw new Error(`record ${letter.offset} of partition ${letter.partition} is gone`);
      await this.write(letter.partition, message);
      stats.deadLetters++;
    } catch (error) {
      stats.lostDeadLetters++;
      if (!this.isClosed) onTrouble('a dead letter could not be written', error as Error);
    }
  }

  private async write(partition: number, message: Message): Promise<void> {
    if (this.writers === undefined) {
      const { target, onTrouble } = this.options;
      await target.connect();
      this.writers ??= target.partitions().map(
        (id) =>
          new PartitionWriter({
            connection: target,
            partition: id,
            batchBytes: BATCH_BYTES,
            compression: CODEC_IDS.none,
            onTrouble,
          }),
      );
    }
    const { writers } = this;
    if (writers.length === 0) throw new Error(`there is no topic ${this.options.target.topic}`);
    await new Promise<void>((resolve, reject) => {
      writers[partition % writers.length]!.add({
        message,
        sizeBytes: message.value.length,
        settle: (error) => (error === undefined ? resolve() : reject(error)),
      });
    });
  }

  private message(record: RecordView, { partition, offset, reason }: DeadLetter): Message {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd } = record;
    const copy = (start: number, end: number) => Buffer.from(bytes.slice(start, end));
    return {
      key: keyStart < 0 ? null : copy(keyStart, keyEnd),
      value: valueStart < 0 ? Buffer.alloc(0) : copy(valueStart, valueEnd),
      headers: {
        ...headersOf(record),
        'spanmill.reason': reason,
        'spanmill.topic': this.options.queries.topic,
        'spanmill.partition': String(partition),
        'spanmill.offset': String(offset),
      },
      timestamp: String(this.options.now()),
    };
  }
}

function headersOf({ bytes, headersStart, headersEnd, headerCount }: RecordView): Record<string, string> {
  const headers: Record<string, string> = {};
  let position = headersStart;
  for (let i = 0; i < headerCount; i++) {
    const keyBytes = varint(bytes, position, headersEnd);
    const keyStart = at;
    const valueBytes = varint(bytes, keyStart + keyBytes, headersEnd);
    const valueStart = at;
    const text = (start: number, length: number) => Buffer.from(bytes.subarray(start, start + length)).toString('utf8');
    headers[text(keyStart, keyBytes)] = text(valueStart, Math.max(0, valueBytes));
    position = valueStart + Math.max(0, valueBytes);
  }
  return headers;
}
