// Where a shard reads a partition on: the ledger's word, checked against what the log holds now. Must never give an offset of another log,
// nor pass over records that are gone without saying so.

import { LogError, type LogSource } from '../log/index.ts';
import type { Logger } from '../telemetry/index.ts';
import type { Position, ShardPlan } from './protocol.ts';

export interface ReadStartOptions {
  log: LogSource;
  plan: ShardPlan;
  logger: Logger;
  position: Position;
  /** Records from `from` up to `to` are gone before they were folded. @throws where the configuration says to stop */
  gap(partition: number, from: number, to: number): void;
}

/** The ledger's offset of a partition, unchecked; undefined: it has none. */
export function ledgerOffset(position: Position, partition: number): number | undefined {
  return position.offsets.find(([id]) => id === partition)?.[1];
}

/** @throws LogError `log_unavailable`: ask again; others say that it must not be read on */
export async function readStart(partition: number, options: ReadStartOptions): Promise<number> {
  const { log, plan, logger, position, gap } = options;
  await checkIdentity(log, position, partition);
  const bounds = await log.bounds(partition);
  const known = ledgerOffset(position, partition);
  if (known === undefined) {
    // A shard that has a position met all partitions there were: this one came later.
    const isFirstStart = position.offsets.length === 0;
    if (isFirstStart && !log.startOffset && bounds.end > 0) {
      logger.warn(
        { shard: plan.shard, partition, ...bounds },
        'the ledger is empty, the log is not: all that it still holds is counted anew',
      );
    }
    return isFirstStart && log.startOffset ? log.startOffset(partition) : bounds.start;
  }
  if (known > bounds.end) {
    throw new LogError(
      'offset_out_of_range',
      `partition ${partition} ends at ${bounds.end}, but the ledger has folded up to ${known}: the log was cut back or replaced. With the shard's ledger (${plan.ledgerPath}) moved away, all that the log still holds is counted anew`,
    );
  }
  if (known < bounds.start) gap(partition, known, bounds.start);
  return Math.max(known, bounds.start);
}

/** The last folded record must still be what it was, or be gone: else this is another log. */
async function checkIdentity(log: LogSource, { lastRecords }: Position, partition: number): Promise<void> {
  const last = lastRecords.find(([id]) => id === partition);
  if (!last) return;
  const [, offset, timestampMs, crc] = last;
  const found = await log.identify(partition, offset);
  if (!found || (found.timestampMs === timestampMs && (found.crc ?? crc) === crc)) return;
  throw new LogError(
    'log_damaged',
    `record ${offset} of partition ${partition} is not the one that the ledger has folded: another log was put in place of this one`,
  );
}

/** A partition that the ledger has folded must be there. @throws LogError `log_unavailable`: a broker may not know of it yet */
export function checkAllThere(log: LogSource, { lastRecords }: Position): void {
  const ids = log.partitionIds();
  const missing = lastRecords.find(([partition]) => !ids.includes(partition));
  if (missing)
    throw new LogError('log_unavailable', `the ledger has folded partition ${missing[0]}, which the log doesn't have`);
}
