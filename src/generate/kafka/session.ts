// One idempotent producer and its connections. The broker knows a batch by producer id, partition and sequence number, so a batch may be
// sent again until its answer comes, and is written once: within the session. Must never be used again after an outcome that stayed
// unknown: kafkajs gives the same numbers to the next batch then, and the broker drops that as one it has.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Kafka, Message, Producer } from 'kafkajs';
import { loadKafkajs } from './kafkajs.ts';
import { CODECS, type KafkaCodec } from './names.ts';

export interface SessionOptions {
  brokers: readonly string[];
  topic: string;
  codec: KafkaCodec;
  /** How long a batch is sent again. */
  answerTimeoutMs: number;
  /** How sockets are made; tests cut them. */
  socketFactory?: SocketFactory;
}

export type SocketFactory = (host: string, port: number, onConnect: () => void) => Socket;

/** What became of one batch. */
export type Written = { type: 'acknowledged' } | { type: 'refused' | 'unknown'; reason: string };

const CLIENT_ID = 'spanmill-generate';
const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 1_000;
/** Said before anything of a batch is written, and again however often it is asked. */
const REFUSALS = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_REQUIRED_ACKS',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
]);

export class Session {
  readonly #options: SessionOptions;
  readonly #sockets = new Set<Socket>();
  readonly #kafka: Kafka;
  readonly #producer: Producer;
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#kafka = new (loadKafkajs().Kafka)({
      brokers: [...options.brokers],
      clientId: CLIENT_ID,
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      logLevel: 0,
      logCreator: () => () => undefined,
      socketFactory: ({ host, port, onConnect }) => this.#connect(host, port, onConnect),
      retry: { retries: 1, initialRetryTime: FIRST_WAIT_MS },
    });
    this.#producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition!,
      // As few as kafkajs allows: repeating is done here, where it can be ended.
      retry: { retries: 1, initialRetryTime: FIRST_WAIT_MS },
    });
  }

  /** Asks for the topic and a producer id; says how many partitions there are. @throws Error of one line */
  async open(): Promise<number> {
    const { brokers, topic } = this.#options;
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.disconnect();
      await this.#producer.connect();
      return topics[0]!.partitions.length;
    } catch (error) {
      await this.close();
      const { type, message } = rootOf(error);
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') throw new Error(`there is no topic "${topic}"`, { cause: error });
      if (type === 'INVALID_TOPIC_EXCEPTION') throw new Error(`"${topic}" can not name a topic`, { cause: error });
      if (type === undefined) {
        const text = `no broker answers at ${brokers.join(',')} (${message.replaceAll('\n', ' ')})`;
        throw new Error(text, { cause: error });
      }
      throw new Error(`topic "${topic}": ${message}`, { cause: error });
    }
  }

  /**
   * Writes a batch, acknowledged by all in-sync replicas. All messages are of one partition: that makes it one request to one broker.
   * Of several, kafkajs repeats those that were in flight when another one failed, under new numbers. One batch at a time.
   */
  async write(messages: Message[], signal: AbortSignal): Promise<Written> {
    const { topic, codec, answerTimeoutMs } = this.#options;
    const end = AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]);
    const ended = new Promise<'ended'>((resolve) => end.addEventListener('abort', () => resolve('ended')));
    let reason = 'no answer in time';
    for (let waitMs = FIRST_WAIT_MS; !end.aborted; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
      const sending = this.#producer
        .send({ topic, acks: -1, timeout: REQUEST_TIMEOUT_MS, compression: CODECS[codec], messages })
        .then(() => undefined, rootOf);
      const failure = await Promise.race([sending, ended]);
      if (failure === undefined) return { type: 'acknowledged' };
      if (failure === 'ended') break;
      reason = failure.type ?? failure.message;
      if (REFUSALS.has(reason)) return { type: 'refused', reason };
      // The state of the partition is not what this session knows: it can't be repeated.
      if (failure.type !== undefined && failure.retriable === false) return { type: 'unknown', reason };
      await sleepFor(waitMs, undefined, { signal: end }).catch(() => undefined);
    }
    return { type: 'unknown', reason: signal.aborted ? 'given up' : reason };
  }

  /** Nothing more goes out. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy(new Error('closed'));
    await this.#producer.disconnect().catch(() => undefined);
  }

  #connect(host: string, port: number, onConnect: () => void): Socket {
    const socket = (this.#options.socketFactory ?? plainSocket)(host, port, onConnect);
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    if (this.#isClosed) queueMicrotask(() => socket.destroy(new Error('closed')));
    return socket;
  }
}

const plainSocket: SocketFactory = (host, port, onConnect) =>
  connect({ host, port, noDelay: true, keepAlive: true }, onConnect);

interface KafkaError extends Error {
  /** Of an answer of the broker. */
  type?: string;
  retriable?: boolean;
}

/** kafkajs wraps the error that ended its own retries. */
function rootOf(error: unknown): KafkaError {
  let root = error as KafkaError;
  for (let depth = 0; root.type === undefined && root.cause instanceof Error && depth < 5; depth++) root = root.cause;
  return root;
}
