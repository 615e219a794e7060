// The answer to a Fetch request, version 11 (protocol guide, "Fetch API"), with its record batches left as bytes.
//
//   throttleMs 4 | error 2 | session 4 | topics [ name | partitions [ partition 4 | error 2 | highWatermark 8 | lastStable 8
//   | logStart 8 | aborted [ producerId 8 | firstOffset 8 ] | preferredReplica 4 | records 4+n ] ]

import { int64 } from './bytes.ts';
import type { Aborted } from './record-batch.ts';

export interface FetchedPartition {
  partition: number;
  /** 0 = none. */
  errorCode: number;
  /** First offset that a reader of committed records can't have yet. */
  lastStable: number;
  logStart: number;
  aborted: Aborted[];
  /** A view of the answer: it pins the whole of it. */
  records: Buffer;
}

export interface FetchResponse {
  errorCode: number;
  /** The whole answer, records included. */
  bytes: Buffer;
  partitions: FetchedPartition[];
  /** kafkajs holds the connection back for so long (KIP-219). */
  clientSideThrottleTime: number;
}

/** @throws RangeError when the bytes end too early */
export function decodeFetchResponse(bytes: Buffer): FetchResponse {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const partitions: FetchedPartition[] = [];
  let p = 10;
  const topics = view.getInt32(p);
  p += 4;
  for (let t = 0; t < topics; t++) {
    p += 2 + view.getInt16(p);
    const count = view.getInt32(p);
    p += 4;
    for (let i = 0; i < count; i++) {
      const partition = view.getInt32(p);
      const errorCode = view.getInt16(p + 4);
      const highWatermark = int64(view, p + 6);
      const lastStable = int64(view, p + 14);
      const logStart = int64(view, p + 22);
      const abortedCount = view.getInt32(p + 30);
      p += 34;
      const aborted: Aborted[] = [];
      for (let a = 0; a < abortedCount; a++, p += 16)
        aborted.push({ producerId: int64(view, p), firstOffset: int64(view, p + 8) });
      const size = view.getInt32(p + 4);
      p += 8;
      if (size > 0 && p + size > bytes.length) throw new RangeError('a fetch answer ends inside its records');
      partitions.push({
        partition,
        errorCode,
        lastStable: lastStable >= 0 ? lastStable : highWatermark,
        logStart,
        aborted,
        records: bytes.subarray(p, p + Math.max(0, size)),
      });
      p += Math.max(0, size);
    }
  }
  return { errorCode: view.getInt16(4), bytes, partitions, clientSideThrottleTime: view.getInt32(0) };
}
