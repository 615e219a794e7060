// Folds the log again along the ticks of the entries, with a fold that never crashed, and gives each entry's digest.
import { Fold } from '../../../src/fold/index.ts';
import { digestOf, type Entry, type EntryContent } from '../../../src/ledger/index.ts';
import { crc32c } from '../../../src/log/index.ts';
import { type ClosedTick, replayTicks, TICK_TIMES } from '../../../src/shard/ticks/index.ts';
import { settingsIn } from './settings.ts';
import { batchOf } from './sim-log.ts';
import type { World } from './world.ts';

/** Entries whose digest comes out as another one; T of each. `base`: begin with the state there instead of with nothing. */
export async function replayMismatches(world: World, base?: Entry): Promise<number[]> {
  const entries = world.history.filter((entry) => entry.tMs > (base?.tMs ?? -1));
  let epoch = base?.epoch ?? 1;
  const tableOf = (of: number) => (tenant: string) => settingsIn(world.epochs.get(of)!, tenant);
  const fold = new Fold({ settingsOf: tableOf(epoch), originMs: 0 });
  for (const section of base?.sections ?? []) fold.load(section, base!.tMs);
  if (base) fold.loaded();
  let from = new Map(base?.offsets ?? []);
  const identities = new Map((base?.lastRecords ?? []).map(([partition, ...rest]) => [partition, rest]));
  const wrong: number[] = [];
  for (const entry of entries) {
    if (entry.epoch !== epoch) fold.configure(tableOf(entry.epoch));
    epoch = entry.epoch;
    await replayTicks(
      ticksOf(entry),
      from,
      TICK_TIMES.tickMs,
      (partition, first, end) => [
        batchOf(partition, first, world.log.partitions[partition]!.slice(first, end), entry.tMs),
      ],
      {
        open: (startMs) => fold.advance(startMs),
        fold: (batch, i, startMs) => {
          const bytes = batch.bytes.subarray(batch.starts[i]!, batch.starts[i + 1]!);
          const stampMs = batch.timestampsMs[i]!;
          const endMs = startMs + TICK_TIMES.tickMs;
          identities.set(batch.partition, [batch.offsets[i]!, stampMs, crc32c(bytes)]);
          try {
            fold.push(
              batch.tenants[batch.tenantOf[i]!]!,
              Math.min(Math.max(stampMs, startMs), endMs - 1),
              Math.min(stampMs, endMs),
              bytes,
              false,
            );
          } catch {
            // Damaged: counted elsewhere.
          }
        },
        close: (endMs) => fold.advance(endMs),
      },
    );
    const { tMs, kind, engine, offsets, ticks } = entry;
    const lastRecords = offsets.flatMap(([partition]) => {
      const identity = identities.get(partition);
      return identity ? [[partition, ...identity] as [number, number, number, number]] : [];
    });
    const content: EntryContent = {
      tMs,
      epoch: entry.epoch,
      kind,
      engine,
      offsets,
      ticks,
      lastRecords,
      sections: fold.collect(tMs),
    };
    if (digestOf(content, entry.shard, entry.logIdentity) !== entry.digest) wrong.push(tMs);
    from = new Map(offsets);
  }
  return wrong;
}

function ticksOf({ ticks: { endsMs, nextOffsets, partitions } }: Entry): ClosedTick[] {
  const width = partitions.length;
  return Array.from(endsMs, (tickEndMs, i) => ({
    tickEndMs,
    partitions,
    nextOffsets: nextOffsets.slice(i * width, (i + 1) * width),
  }));
}
