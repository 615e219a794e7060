// Appends records of receivers to the topic. An append is answered when every record of it is stored, whatever partitions they go to.

import { type AppendRecord, type Encoding, LogError } from '../port.ts';
import { CODEC_IDS } from './codecs.ts';
import { Connection } from './connection.ts';
import type { Message } from './kafkajs.ts';
import type { KafkaLogOptions, KafkaLogStats } from './options.ts';
import { PartitionWriter } from './partition-writer.ts';

const BATCH_BYTES = 900 * 1024;
const MAX_RECORD_BYTES = 64 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Appends under way when the log is closed may take so long. */
const CLOSE_MS = 1_000;
const TENANT_HEADER = 'X-Scope-OrgID';
const TRACES_TAG = 0x12;

export class KafkaSink {
  private readonly options: KafkaLogOptions;
  private readonly stats: KafkaLogStats;
  private readonly writers = new Map<number, PartitionWriter>();
  private connection: Connection | undefined;
  private isClosed = false;

  constructor(options: KafkaLogOptions, stats: KafkaLogStats) {
    this.options = options;
    this.stats = stats;
  }

  /**
   * Resolves when all are stored.
   * @throws LogError `record_too_large`, `log_unavailable` (some may be in the log), `log_closed`, `log_incompatible` (the topic is read
   *   in an encoding that isn't the records')
   */
  async append(records: readonly AppendRecord[], partitions: number): Promise<void> {
    if (this.isClosed) throw new LogError('log_closed', 'the log is closed');
    const maxBytes = this.options.sink?.maxRecordBytes ?? MAX_RECORD_BYTES;
    for (const { partition, encoding, bytes } of records) {
      if (bytes.length > maxBytes)
        throw new LogError('record_too_large', `a record of ${bytes.length} bytes; at most ${maxBytes} are taken`);
      if (!Number.isInteger(partition) || partition < 0 || partition >= partitions)
        throw new RangeError(`there is no partition ${partition}`);
      if (!isReadable(encoding, this.options.encoding))
        throw new LogError(
          'log_incompatible',
          `a topic that is read as ${this.options.encoding} can't hold ${encoding}`,
        );
    }
    const timestamp = String(this.options.now());
    const written = records.map((record) => this.write(record, timestamp));
    const failure = (await Promise.all(written)).find((error) => error !== undefined);
    if (failure === undefined) return;
    this.stats.failedAppends++;
    throw failure;
  }

  /** Appends under way have a second; then those that are not stored fail. Idempotent. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    let timer: NodeJS.Timeout | undefined;
    const idle = Promise.all([...this.writers.values()].map((writer) => writer.idle()));
    await Promise.race([
      idle,
      new Promise((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      }),
    ]);
    clearTimeout(timer);
    this.connection?.close();
  }

  private write(record: AppendRecord, timestamp: string): Promise<LogError | undefined> {
    const message = messageOf(record, this.options.encoding, timestamp);
    return new Promise((resolve) => {
      this.writer(record.partition).add({
        message,
        sizeBytes: message.value.length,
        settle: (error) => {
          if (error === undefined) this.stats.appendedRecords++;
          resolve(error);
        },
      });
    });
  }

  private writer(partition: number): PartitionWriter {
    let writer = this.writers.get(partition);
    if (writer === undefined) {
      this.connection ??= new Connection(this.options, 'sink', REQUEST_TIMEOUT_MS);
      writer = new PartitionWriter({
        connection: this.connection,
        partition,
        batchBytes: this.options.sink?.batchBytes ?? BATCH_BYTES,
        compression: CODEC_IDS[this.options.sink?.compression ?? 'none'],
        onTrouble: (what, error) => this.options.onTrouble?.(what, error),
      });
      this.writers.set(partition, writer);
    }
    return writer;
  }
}

/** OTLP can be wrapped as push-bytes, which hold it; nothing else can be made of anything else. */
function isReadable(encoding: Encoding, topicEncoding: string): boolean {
  return topicEncoding === 'auto' || topicEncoding === encoding || topicEncoding === 'push-bytes';
}

/** A topic of push-bytes gets push-bytes: its readers take the tenant from the key and don't look for OTLP. */
function messageOf({ tenant, encoding, bytes }: AppendRecord, topicEncoding: string, timestamp: string): Message {
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const written: Encoding = topicEncoding === 'push-bytes' ? 'push-bytes' : encoding;
  if (written === 'push-bytes')
    return { key: Buffer.from(tenant), value: encoding === 'otlp' ? pushBytes(value) : value, timestamp };
  return { key: null, value, headers: { [TENANT_HEADER]: tenant }, timestamp };
}

/** A push-bytes record of one request: field 2 holds it. */
export function pushBytes(request: Uint8Array): Buffer {
  const head: number[] = [TRACES_TAG];
  let size = request.length;
  for (; size > 127; size = Math.floor(size / 128)) head.push((size % 128) | 128);
  head.push(size);
  return Buffer.concat([Buffer.from(head), request]);
}
