// The log port: what the rest of spanmill knows of a log. A log is partitioned, ordered and replayable; each record has an
// offset and a timestamp. `embedded/` and `kafka/` implement it. Nothing here reads a clock or a file.

/** How a record's value is encoded. `push-bytes` is Tempo's record: several traces and a skip flag in one value. */
export type Encoding = 'otlp' | 'push-bytes';

/** Encodings by their number in batches and on disk. Append only: the numbers are stored. */
export const ENCODINGS: readonly Encoding[] = ['otlp', 'push-bytes'];

/** One record to be appended. The log gives it its offset and its timestamp. */
export interface AppendRecord {
  partition: number;
  tenant: string;
  encoding: Encoding;
  bytes: Uint8Array;
}

export interface LogSink {
  /** Number of partitions, fixed while the process runs. */
  readonly partitions: number;
  /**
   * Appends all records and resolves once every one of them is durable.
   * @throws LogError `disk_full`, `log_unavailable` (nothing may be acknowledged; try again later), `record_too_large`, `log_closed`.
   */
  append(records: readonly AppendRecord[]): Promise<void>;
}

/**
 * Records of one partition, ascending by offset, laid out so that the whole batch moves to another thread without a copy
 * (every array owns its buffer). Record `i` is `bytes[starts[i] .. starts[i + 1])`.
 */
export interface LogBatch {
  partition: number;
  count: number;
  offsets: Float64Array;
  /** Milliseconds since the Unix epoch, as the log stamped them. */
  timestampsMs: Float64Array;
  encodings: Uint8Array;
  /** Distinct tenants of the batch, and each record's index into them. */
  tenants: string[];
  tenantOf: Uint16Array;
  /** `count + 1` positions in `bytes`. */
  starts: Uint32Array;
  bytes: Uint8Array;
  /** The wall clock when the batch was read from the log, ms. */
  readAtMs: number;
}

/** What a record takes in a batch beside its value: offset, timestamp, encoding, tenant and start. */
export const RECORD_HEAD_BYTES = 23;

/** Said when everything up to `end` has been delivered: at `wallMs` the partition ended at `end` (the next offset to be written). */
export interface EndMark {
  partition: number;
  end: number;
  wallMs: number;
}

export interface LogListener {
  /**
   * Bytes that a batch may have, RECORD_HEAD_BYTES of each record among them; a larger record comes alone. Absent: as the log likes.
   * Looked at anew for each delivery.
   */
  readonly batchBytes?: number;
  onBatch(batch: LogBatch): void;
  onEnd(mark: EndMark): void;
  /** The partition can't be read any more (damaged segment, broker refused): the shard that owns it must stop. */
  onError(partition: number, error: Error): void;
}

/** Offsets that a partition holds now: `start` is the first one still there, `end` the next to be written. */
export interface LogBounds {
  start: number;
  end: number;
}

/** Delivers in order per partition. Between `pause` and `resume` at most one batch in flight still arrives. */
export interface LogConsumer {
  pause(partition: number): void;
  resume(partition: number): void;
  /** Reads further partitions too, from these offsets on, and ones that had an error. Absent where a log has all its partitions from the start. */
  add?(from: ReadonlyMap<number, number>): void;
  /** Idempotent; no listener call after it resolves. */
  stop(): Promise<void>;
}

/** An entry's offsets as they are committed: the next offset to be folded, by partition. `claim`, `tMs` and `digest` name the entry. */
export interface CommitEntry {
  claim: number;
  tMs: number;
  digest: string;
  offsets: [partition: number, nextOffset: number][];
}

/** What a log has committed for a partition. `metadata` is `claim:T:digest` of the entry, or what somebody else wrote. */
export interface Committed {
  offset: number;
  metadata: string;
}

/** The log's own word on who may fold: a commit is refused once the partitions may have had another owner. */
export interface CommitFence {
  /**
   * Commits all offsets of the entry, or none, and resolves when they are stored. `refused`: this owner's time is over, or the log was
   * closed; nothing of the entry may be sent. A commit whose outcome is unknown is repeated for as long as the ownership lasts.
   * @throws LogError `commit_failed` where repeating can't help (not allowed, metadata too long).
   */
  commit(entry: CommitEntry): Promise<'committed' | 'refused'>;
  /** What is committed now, by partition; partitions without a commit are absent. */
  committed(): Promise<Map<number, Committed>>;
}

export interface RecordIdentity {
  timestampMs: number;
  /** CRC-32C of its bytes as they are delivered. Absent where they are made anew at each reading: another version may make others. */
  crc?: number;
}

export interface LogSource {
  /** Names this log for good: a restart keeps it, another log has another one. */
  readonly identity: string;
  partitionIds(): readonly number[];
  bounds(partition: number): Promise<LogBounds>;
  /** What one record is told by, to see whether the log is still the one a position was taken from. Undefined if it is gone. */
  identify(partition: number, offset: number): Promise<RecordIdentity | undefined>;
  /** Reads each named partition from its offset on, for ever. An end mark follows at once when the end is reached, and again every 250 ms while idle. */
  consume(from: ReadonlyMap<number, number>, listener: LogListener): LogConsumer;
  /** Records below these offsets are in a durable ledger: retention may delete them, and nothing above. */
  release(below: ReadonlyMap<number, number>): void;
  /** Where a partition that has no position begins, as configured. Absent: at its first record. */
  startOffset?(partition: number): Promise<number>;
  /** Present where the log itself fences its readers. Absent: whoever holds the lock of the directory is the only one. */
  readonly fence?: CommitFence;
}

export type LogErrorCode =
  | 'commit_failed'
  | 'disk_full'
  | 'log_closed'
  | 'log_locked'
  | 'log_damaged'
  | 'log_incompatible'
  | 'log_unavailable'
  | 'offset_out_of_range'
  | 'ownership_lost'
  | 'record_too_large'
  | 'unknown_commit';

export class LogError extends Error {
  readonly code: LogErrorCode;
  constructor(code: LogErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'LogError';
    this.code = code;
  }
}
