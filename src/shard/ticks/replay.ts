// Folds closed ticks again. Which records belong to which tick was decided when they were closed: no clock and no queue has a say.

import type { LogBatch } from '../../log/index.ts';
import type { TickFold } from './contract.ts';

/** What `close` was told of a tick. */
export interface ClosedTick {
  tickEndMs: number;
  partitions: readonly number[];
  nextOffsets: Float64Array;
}

/** Ascending batches that hold every record of a partition from offset `from` to below `to`; others in them are passed over. */
export type ReadRange = (partition: number, from: number, to: number) => Iterable<LogBatch> | AsyncIterable<LogBatch>;

/**
 * Makes the calls that the live machine made for these ticks, in the same order.
 * @param from the next offset to fold of each partition before the first of the ticks; 0 where a partition isn't named
 */
export async function replayTicks(
  ticks: Iterable<ClosedTick> | AsyncIterable<ClosedTick>,
  from: ReadonlyMap<number, number>,
  tickMs: number,
  read: ReadRange,
  fold: TickFold,
): Promise<void> {
  const next = new Map(from);
  for await (const { tickEndMs, partitions, nextOffsets } of ticks) {
    const startMs = tickEndMs - tickMs;
    let isEmpty = true;
    for (const [place, partition] of partitions.entries()) {
      const first = next.get(partition) ?? 0;
      const end = nextOffsets[place]!;
      if (end <= first) continue;
      for await (const batch of read(partition, first, end)) {
        for (let i = 0; i < batch.count; i++) {
          const offset = batch.offsets[i]!;
          if (offset < first || offset >= end) continue;
          if (isEmpty) fold.open(startMs);
          isEmpty = false;
          fold.fold(batch, i, startMs);
        }
      }
      next.set(partition, end);
    }
    fold.close(tickEndMs, nextOffsets, partitions);
  }
}
