// Cuts a ledger after the entry that the log's fence names as committed: what follows was durable here, but was never said. Must leave
// a sound ledger wherever a crash interrupts it.
import { nameOf } from './chain.ts';
import { LedgerError } from './errors.ts';
import type { LedgerFileSystem } from './file-system.ts';
import type { Inventory } from './scan.ts';

export interface CommittedName {
  tMs: number;
  digest: string;
}

/**
 * Whether anything was cut: then the directory must be read again. Bases go first, then files from the newest back, each deletion
 * durable before the next: what is left is always a beginning of what was there.
 * @throws LedgerError `unknown_commit` if the entry isn't there
 */
export async function cutAfter(
  fileSystem: LedgerFileSystem,
  directory: string,
  inventory: Inventory,
  committed: CommittedName,
): Promise<boolean> {
  const { chain, places, bases, files } = inventory;
  const { tMs, digest } = committed;
  if (chain.last?.digest === digest) return false;
  const at = places.findIndex((place) => place.digest === digest);
  const isAnchor = chain.anchor?.digest === digest;
  if (at < 0 && !isAnchor) {
    const name = `entry T=${tMs} digest ${digest.slice(0, 12)}`;
    throw new LedgerError(
      'unknown_commit',
      `${directory}: the log has ${name} committed, but this ledger ends with ${nameOf(chain.last)} and does not hold it: restore the ledger; or delete the group's offsets to go on from what this ledger holds, and move it away too to begin anew`,
    );
  }
  const first = places[at + 1]!;
  for (const base of bases.filter((one) => one.tMs > tMs)) {
    await fileSystem.unlink(base.path);
    await fileSystem.syncDirectory(directory);
  }
  for (const file of files.slice(files.indexOf(first.file) + 1).reverse()) {
    await fileSystem.unlink(file.path);
    await fileSystem.syncDirectory(directory);
  }
  const file = await fileSystem.open(first.file.path, 'r+');
  try {
    await file.truncate(first.position);
    await file.datasync();
  } finally {
    await file.close();
  }
  return true;
}
