// How a host ends when it does not end by itself.

import { LogError } from '../log/index.ts';

/** The ledger worker says why it can't go on, in one line. */
export class ShardFailed extends Error {
  readonly code = 'shard_failed';
}

/** The shard worker ended by itself; `record` is the one that it was folding, if it was. */
export class WorkerDied extends Error {
  readonly record: [partition: number, offset: number] | undefined;
  constructor(cause: Error, record: [partition: number, offset: number] | undefined) {
    const what = record ? `while it folded record ${record[1]} of partition ${record[0]}` : 'between two records';
    super(`the shard worker ended ${what}`, { cause });
    this.record = record;
  }
}

/** The log does not answer now: it may later. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof LogError && error.code === 'log_unavailable';
}

/** The log's error, with its code, said of a partition. */
export function partitionError(partition: number, error: Error): Error {
  const name = `partition ${partition}`;
  const message = new RegExp(`\\b${name}\\b`).test(error.message) ? error.message : `${name}: ${error.message}`;
  return error instanceof LogError
    ? new LogError(error.code, message, { cause: error })
    : new Error(message, { cause: error });
}
