// Offsets that a topic knows: its ends, the first record of a time, one record's identity.

import { crc32c } from '../embedded/index.ts';
import { type LogBounds, LogError, type RecordIdentity } from '../port.ts';
import type { Connection } from './connection.ts';
import type { EnvelopeReader } from './envelope.ts';
import { decodeFetchResponse } from './fetch-response.ts';
import { fetchRaw, typeOf } from './kafkajs.ts';
import { type RecordView, type RecordVisitor, readRecords, recordSet } from './record-batch.ts';

const EARLIEST = '-2';
const LATEST = '-1';
const OFFSET_OUT_OF_RANGE = 1;
const TRIES = 20;
const RETRY_MS = 250;
const ONE_RECORD_BYTES = 1024 * 1024;
/** Repeating can't mend these. */
const NOT_ALLOWED: readonly string[] = ['TOPIC_AUTHORIZATION_FAILED', 'GROUP_AUTHORIZATION_FAILED'];

/** `end` is the end for readers of committed records: an open transaction holds it back. */
export async function bounds(connection: Connection, partition: number): Promise<LogBounds> {
  const [start, end] = await Promise.all([
    listOffset(connection, partition, EARLIEST),
    listOffset(connection, partition, LATEST),
  ]);
  return { start: start!, end: end! };
}

/** The first offset whose record is at least so new; the end if there is none. */
export async function offsetAt(connection: Connection, partition: number, timestampMs: number): Promise<number> {
  const offset = await listOffset(connection, partition, String(Math.max(0, Math.floor(timestampMs))));
  return offset ?? (await listOffset(connection, partition, LATEST))!;
}

/** Undefined: no such record is there, or none that is delivered. */
export async function identify(
  connection: Connection,
  envelopes: EnvelopeReader,
  partition: number,
  offset: number,
): Promise<RecordIdentity | undefined> {
  const { start, end } = await bounds(connection, partition);
  if (offset < start || offset >= end) return undefined;
  return readOne(connection, partition, offset, (record) => {
    const envelope = envelopes.open(record);
    if (typeof envelope === 'string') return undefined;
    const { timestampMs } = record;
    if (envelope.isTranscoded) return { timestampMs };
    return { timestampMs, crc: crc32c(envelope.bytes, envelope.start, envelope.end) };
  });
}

/** What `look` makes of one record of the topic; undefined if it is gone. */
export function readOne<T>(
  connection: Connection,
  partition: number,
  offset: number,
  look: (record: RecordView) => T | undefined,
): Promise<T | undefined> {
  return retried(connection, async () => {
    const call = {
      topic: connection.topic,
      partitions: [{ partition, fetchOffset: String(offset), maxBytes: ONE_RECORD_BYTES }],
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: ONE_RECORD_BYTES,
    };
    const response = await connection.onLeader(partition, (broker) => fetchRaw(broker, call, decodeFetchResponse));
    const part = response.partitions[0];
    // Retention has taken it since.
    if (part?.errorCode === OFFSET_OUT_OF_RANGE) return undefined;
    if (part === undefined || part.errorCode !== 0)
      throw new LogError('log_unavailable', `partition ${partition}: error ${part?.errorCode ?? response.errorCode}`);
    let found: T | undefined;
    const visitor: RecordVisitor = {
      record: (record) => {
        if (record.offset === offset) found = look(record);
        return false;
      },
      skipped: () => undefined,
    };
    readRecords(recordSet(part.records, part.aborted), offset, visitor, { checkCrcs: true });
    return found;
  });
}

/** Undefined: no record is so new. */
function listOffset(connection: Connection, partition: number, timestamp: string): Promise<number | undefined> {
  return retried(connection, async () => {
    const { responses } = await connection.onLeader(partition, (broker) =>
      broker.listOffsets({
        isolationLevel: 1,
        topics: [{ topic: connection.topic, partitions: [{ partition, timestamp }] }],
      }),
    );
    const offset = Number(responses[0]?.partitions[0]?.offset ?? -1);
    return offset < 0 ? undefined : offset;
  });
}

/** Over changes of leaders and short absences of brokers. @throws LogError `log_unavailable`, `log_closed`, `log_incompatible` (not allowed) */
export async function retried<T>(connection: Connection, run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (cause) {
      if (cause instanceof LogError && cause.code === 'log_closed') throw cause;
      if (NOT_ALLOWED.includes(typeOf(cause) ?? ''))
        throw new LogError('log_incompatible', `topic ${connection.topic}: ${(cause as Error).message}`, { cause });
      if (tries === TRIES)
        throw new LogError('log_unavailable', `topic ${connection.topic}: ${(cause as Error).message}`, { cause });
      await connection.recover(cause);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
