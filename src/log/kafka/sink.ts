// Writes records to the topic: idempotent, acknowledged by all in-sync replicas, one request at a time. kafkajs numbers a failed
// request's sequence again for the next one, and a broker drops what it thinks it has: so two sends never overlap, and after a failure
// the producer, whose last outcome is unknown, is never used again.

import { createRequire } from 'node:module';
import type { Producer } from 'kafkajs';
import { type AppendRecord, type Encoding, LogError } from '../port.ts';
import { CODEC_IDS } from './codecs.ts';
import { typeOf } from './group-member.ts';
import { plainSocketFactory } from './kafkajs.ts';
import type { KafkaLogOptions, KafkaLogStats } from './options.ts';
import { saslOptions, tlsOptions } from './security.ts';

const { Kafka } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');
const BATCH_BYTES = 900 * 1024;
const MAX_RECORD_BYTES = 64 * 1024 * 1024;
const TENANT_HEADER = 'X-Scope-OrgID';
const TRACES_TAG = 0x12;

interface Message {
  partition: number;
  key: Buffer | null;
  value: Buffer;
  headers?: Record<string, string>;
  timestamp: string;
}

interface Append {
  /** Records that no broker has acknowledged yet. */
  open: number;
  failure: LogError | undefined;
  settle: PromiseWithResolvers<void>;
}

interface Queued {
  append: Append;
  message: Message;
  sizeBytes: number;
}

export class KafkaSink {
  private readonly options: KafkaLogOptions;
  private readonly stats: KafkaLogStats;
  private readonly queue: Queued[] = [];
  private producer: Promise<Producer> | undefined;
  private sending: Promise<void> | undefined;
  private isClosed = false;

  constructor(options: KafkaLogOptions, stats: KafkaLogStats) {
    this.options = options;
    this.stats = stats;
  }

  /** Resolves when all are acknowledged. @throws LogError `record_too_large`, `log_unavailable` (some may be in the log), `log_closed` */
  append(records: readonly AppendRecord[], partitions: number): Promise<void> {
    if (this.isClosed) return Promise.reject(new LogError('log_closed', 'the log is closed'));
    if (records.length === 0) return Promise.resolve();
    const maxBytes = this.options.sink?.maxRecordBytes ?? MAX_RECORD_BYTES;
    const timestamp = String(this.options.now());
    const append: Append = { open: records.length, failure: undefined, settle: Promise.withResolvers() };
    for (const { partition, bytes } of records) {
      if (bytes.length > maxBytes)
        return Promise.reject(
          new LogError('record_too_large', `a record of ${bytes.length} bytes; the topic takes ${maxBytes}`),
        );
      if (partition < 0 || partition >= partitions)
        return Promise.reject(new RangeError(`there is no partition ${partition}`));
    }
    for (const record of records) {
      const message = messageOf(record, this.options.encoding, timestamp);
      this.queue.push({ append, message, sizeBytes: message.value.length });
    }
    this.sending ??= this.sendAll();
    return append.settle.promise;
  }

  /** Waits for appends under way. Idempotent. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.sending;
    await this.drop();
  }

  private async sendAll(): Promise<void> {
    // What other callers append meanwhile, in this turn of the event loop, goes out in one request.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const taken = this.take();
      try {
        await this.send(taken.map(({ message }) => message));
        this.stats.appendedRecords += taken.length;
        for (const { append } of taken) {
          append.open--;
          settle(append);
        }
      } catch (cause) {
        this.stats.failedAppends++;
        await this.drop();
        this.failed(taken, cause);
      }
    }
    this.sending = undefined;
  }

  /** The next records in order, so many per partition as one request may hold; a large one goes alone. */
  private take(): Queued[] {
    const limit = this.options.sink?.batchBytes ?? BATCH_BYTES;
    if (this.queue[0]!.sizeBytes > limit) return [this.queue.shift()!];
    const bytes = new Map<number, number>();
    let count = 0;
    for (const { message, sizeBytes } of this.queue) {
      const sum = (bytes.get(message.partition) ?? 0) + sizeBytes;
      if (sum > limit) break;
      bytes.set(message.partition, sum);
      count++;
    }
    return this.queue.splice(0, count);
  }

  private async send(messages: Message[]): Promise<void> {
    this.producer ??= this.connect();
    const producer = await this.producer;
    const compression = CODEC_IDS[this.options.sink?.compression ?? 'none'];
    await producer.send({ topic: this.options.topic, acks: -1, compression, messages });
  }

  private failed(taken: Queued[], cause: unknown): void {
    const isLarge = typeOf(cause) === 'MESSAGE_TOO_LARGE' || typeOf(cause) === 'RECORD_LIST_TOO_LARGE';
    const text = `topic ${this.options.topic}: ${(cause as Error).message}`;
    const error = isLarge
      ? new LogError('record_too_large', text, { cause })
      : new LogError('log_unavailable', text, { cause });
    const appends = new Set(taken.map(({ append }) => append));
    for (const append of appends) {
      append.failure = error;
      append.open = 0;
      settle(append);
    }
    // The rest of a request that has failed: its caller will send all of it again.
    for (let i = this.queue.length - 1; i >= 0; i--) if (appends.has(this.queue[i]!.append)) this.queue.splice(i, 1);
  }

  private async connect(): Promise<Producer> {
    const { brokers, clientId, tls, sasl, connectionTimeoutMs, socketFactory } = this.options;
    const ssl = tlsOptions(tls);
    const auth = saslOptions(sasl);
    const kafka = new Kafka({
      brokers,
      clientId: `${clientId ?? 'spanmill'}-sink`,
      connectionTimeout: connectionTimeoutMs ?? 5_000,
      logLevel: 0,
      logCreator: () => () => undefined,
      socketFactory: (socketFactory ?? plainSocketFactory()) as never,
      ...(ssl === undefined ? {} : { ssl }),
      ...(auth === undefined ? {} : { sasl: auth }),
    });
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition!,
      // About 15 s, for a leader's election or a broker's restart.
      retry: { retries: 12, initialRetryTime: 100, maxRetryTime: 2_000 },
    });
    await producer.connect();
    return producer;
  }

  private async drop(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    await (await producer?.catch(() => undefined))?.disconnect().catch(() => undefined);
  }
}

function settle(append: Append): void {
  if (append.open > 0) return;
  if (append.failure === undefined) append.settle.resolve();
  else append.settle.reject(append.failure);
}

/** A topic of push-bytes gets push-bytes: its readers take the tenant from the key and don't look for OTLP. */
function messageOf(
  { partition, tenant, encoding, bytes }: AppendRecord,
  topicEncoding: string,
  timestamp: string,
): Message {
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const written: Encoding = topicEncoding === 'push-bytes' ? 'push-bytes' : encoding;
  if (written === 'push-bytes')
    return { partition, key: Buffer.from(tenant), value: encoding === 'otlp' ? pushBytes(value) : value, timestamp };
  return { partition, key: null, value, headers: { [TENANT_HEADER]: tenant }, timestamp };
}

/** A push-bytes record of one request: field 2 holds it. */
export function pushBytes(request: Uint8Array): Buffer {
  const head: number[] = [TRACES_TAG];
  let size = request.length;
  for (; size > 127; size = Math.floor(size / 128)) head.push((size % 128) | 128);
  head.push(size);
  return Buffer.concat([Buffer.from(head), request]);
}
