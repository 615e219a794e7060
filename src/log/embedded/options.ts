// What the embedded log is opened with, and what it offers beyond the port.
import type { LogSink, LogSource } from '../port.ts';
import type { Every } from './consumer.ts';
import type { LogFileSystem } from './file-system.ts';
import type { Logger } from './recovery.ts';

/** The largest value that a record may have: a reader must be able to hold one whole. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

export interface EmbeddedLogOptions {
  /** The log's directory; it is made if it isn't there. */
  path: string;
  /** At least as many as the log already has. */
  partitions: number;
  /** A segment takes no record that would make it larger, unless it is the first one in it. */
  segmentBytes: number;
  retention: {
    /** Released segments whose newest record is older than this are deleted. */
    maxAgeMs: number;
    /** Of all partitions together; each gets an equal part. Above it the oldest released segments are deleted. */
    maxBytes: number;
  };
  /** The wall clock, ms since the Unix epoch. It may go back: the log's timestamps don't. */
  now: () => number;
  logger?: Logger;
  fileSystem?: LogFileSystem;
  /** What repeats end marks; setInterval by default. */
  every?: Every;
}

export interface PartitionStats {
  partition: number;
  start: number;
  end: number;
  segments: number;
  sizeBytes: number;
  /** Bytes of appends that no group has taken yet. */
  queuedBytes: number;
}

export interface EmbeddedLogStats {
  partitions: PartitionStats[];
  /** Groups written, each with one fdatasync, and the records and bytes in them, since the log was opened. */
  groups: number;
  records: number;
  bytes: number;
  failedGroups: number;
  /** Times that a segment was cut back and made sure of after a failure. */
  repairs: number;
  deletedSegments: number;
  /** Bytes cut off behind the last good record when the log was opened. */
  tornBytes: number;
  openFiles: number;
  consumers: number;
}

export interface EmbeddedLog extends LogSink, LogSource {
  /** Deletes the segments that are due at `nowMs`. Also done when a segment is rolled and when records are released. */
  runRetention(nowMs: number): Promise<void>;
  stats(): EmbeddedLogStats;
  /** Idempotent. Refuses new appends, waits for those under way, stops the consumers, frees the lock. */
  close(): Promise<void>;
}
