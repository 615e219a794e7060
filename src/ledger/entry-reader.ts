// Reads entries of the chain back from disk while others are appended and pruned.
import { entryOf } from './entry-codec.ts';
import { asLedgerError, LedgerError } from './errors.ts';
import { type LedgerFileSystem, withFile } from './file-system.ts';
import type { Inventory, Place } from './scan.ts';
import type { Entry } from './section.ts';
import { readFrame } from './walk.ts';

type Index = Pick<Inventory, 'files' | 'places'>;

/** The T after which all entries are there: -Infinity if none was pruned. */
export function oldestMs(index: Index): number {
  const tMs = index.files[0]?.tMs ?? 0;
  return tMs === 0 ? Number.NEGATIVE_INFINITY : tMs;
}

/** Looks at the index again for each entry: what is appended meanwhile is seen, what is pruned before its turn is an error. */
export async function* readEntries(
  fileSystem: LedgerFileSystem,
  index: Index,
  afterTMs: number,
): AsyncGenerator<Entry> {
  for (let reachedMs = afterTMs; ; ) {
    if (reachedMs < oldestMs(index)) throw prunedAfter(reachedMs, index);
    const place = index.places[firstAfter(index.places, reachedMs)];
    if (place === undefined) return;
    const entry = await readAt(fileSystem, place).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code === 'ENOENT'
        ? prunedAfter(reachedMs, index)
        : asLedgerError(cause, `reading ${place.file.path}`);
    });
    reachedMs = entry.tMs;
    yield entry;
  }
}

/** @throws LedgerError `ledger_damaged` */
export function readAt(fileSystem: LedgerFileSystem, place: Place): Promise<Entry> {
  const { file, position, sizeBytes } = place;
  const where = { file: file.path, position };
  return withFile(fileSystem, file.path, async (opened) =>
    entryOf((await readFrame(opened, where, position + sizeBytes)).frame, where),
  );
}

/** Index of the first place with T > `tMs`. */
export function firstAfter(places: readonly Place[], tMs: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (places[middle]!.tMs > tMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

function prunedAfter(tMs: number, index: Index): LedgerError {
  return new LedgerError(
    'pruned',
    `entries after T=${tMs} are pruned: the oldest kept come after T=${oldestMs(index)}`,
  );
}
