// What a Kafka log is opened with, what it is, and what it counts.

import type { CommitFence, LogSink, LogSource } from '../port.ts';
import type { Transcode } from './envelope.ts';
import type { SocketFactory } from './kafkajs.ts';

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

export interface KafkaTls {
  /** PEM of the authorities to trust; absent: those that Node trusts. */
  ca?: string | Buffer;
  /** Client certificate and its key, PEM. */
  cert?: string | Buffer;
  key?: string | Buffer;
  passphrase?: string;
  /** Name that the broker's certificate must carry; absent: the host that is connected to. */
  serverName?: string;
  /** True accepts any certificate. */
  insecureSkipVerify?: boolean;
}

export interface KafkaSasl {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  username: string;
  password: string;
}

/** Where partitions without a position begin: `agoMs` is the first record that is at most so old. */
export type KafkaStart = 'earliest' | 'latest' | { agoMs: number };

export interface KafkaLogOptions {
  brokers: string[];
  topic: string;
  clientId?: string;
  tls?: KafkaTls;
  sasl?: KafkaSasl;
  /** `push-bytes`, `otlp`, `auto` (told apart per record), or one that `transcode` knows. */
  encoding: string;
  /** Turns records of other encodings into one of the two that the shards read. */
  transcode?: Transcode;
  isTenantId(tenant: string): boolean;
  /** Whatever key and headers say, all records are of the one tenant, `single-tenant`. */
  isSingleTenant?: boolean;
  start: KafkaStart;
  /** Membership in a consumer group, for its fence and its committed offsets. Absent: no fence. */
  group?: {
    id: string;
    /** Shards of the whole, and those that this process folds. Partition p belongs to shard p mod count. */
    shards: { count: number; own: number[] };
    /** 30 s by default: how long the group waits for a member that is silent. */
    sessionTimeoutMs?: number;
    rebalanceTimeoutMs?: number;
    heartbeatMs?: number;
    /** This process no longer owns its shards: they must stop, send nothing, and recover if they are to go on. Called once. */
    onLost?(reason: string): void;
  };
  /** Says that the topic has a partition more. It is read when it is added to a consumer. */
  onPartition?(partition: number): void;
  /** A record or a whole record batch that is delivered to nobody. For logs; the counts are in `stats`. */
  onSkipped?(skipped: Skipped): void;
  /** Trouble that is being waited out: brokers away, leaders unknown, another member holds the shards. */
  onTrouble?(what: string, error?: Error): void;
  fetch?: {
    /** How long a broker holds an empty fetch, so also how often ends are seen. 250 by default. */
    maxWaitMs?: number;
    /** Bytes, as the broker has them, per partition and fetch; one record batch may be larger. 1 MiB by default. */
    partitionBytes?: number;
    /** 16 MiB by default. */
    maxBytes?: number;
    /** False leaves the CRC of record batches unread. */
    checkCrcs?: boolean;
  };
  sink?: {
    compression?: Compression;
    /** Bytes per partition and request, below the topic's `max.message.bytes`. 900 KiB by default. */
    batchBytes?: number;
    /** A single record may be so large; the topic's `max.message.bytes` decides in the end. 64 MiB by default. */
    maxRecordBytes?: number;
  };
  /** Records that are skipped as `undecodable` or of an `invalid_tenant`, or handed to `deadLetter`, are copied to this topic. */
  deadLetterTopic?: string;
  /** How often the topic is asked for new partitions. 10 s by default. */
  metadataMs?: number;
  connectionTimeoutMs?: number;
  /** The wall clock, ms since the Unix epoch. */
  now(): number;
  /** Ends the wait for the group while the log is being opened. */
  signal?: AbortSignal;
  /** How sockets are made; tests cut them. */
  socketFactory?: SocketFactory;
}

export type SkipReason =
  | 'aborted'
  | 'bad_crc'
  | 'control'
  | 'damaged'
  | 'invalid_tenant'
  | 'old_format'
  | 'tombstone'
  | 'undecodable'
  | 'unknown_codec';

export interface Skipped {
  reason: SkipReason;
  partition: number;
  /** Of the first record that is skipped, and how many offsets are passed. */
  offset: number;
  count: number;
  detail?: string;
}

export interface Lag {
  /** Records between what was delivered and the partition's end. */
  records: number;
  /** Age of the newest delivered record while there are more to come; 0 at the end. */
  seconds: number;
}

export interface KafkaLogStats {
  records: number;
  /** Of values delivered, and of fetch answers as they came. */
  bytes: number;
  fetchedBytes: number;
  fetches: number;
  batches: number;
  skipped: Record<SkipReason, number>;
  generation: number;
  rebalances: number;
  commits: number;
  refusedCommits: number;
  /** Commits that were sent again because the outcome was unknown. */
  repeatedCommits: number;
  appendedRecords: number;
  failedAppends: number;
  /** Copied to the dead letter topic, and not copied. */
  deadLetters: number;
  lostDeadLetters: number;
}

export interface KafkaLog extends LogSource, LogSink {
  readonly fence?: CommitFence;
  startOffset(partition: number): Promise<number>;
  /** Copies a record that can't be used to the dead letter topic, if there is one. */
  deadLetter(letter: { partition: number; offset: number; reason: string }): void;
  lag(): Map<number, Lag>;
  stats(): KafkaLogStats;
  /** After a loss: waits until the group gives the shards back, and opens the fence for a new take-over. */
  regain(): Promise<void>;
  /** Leaves the group, stops consumers, ends the connections. Idempotent. */
  close(): Promise<void>;
}
