// Writes a base whole or not at all, and reads it back. A name that ends in `.base` always stands for a file that was durable
// before it got that name.
import { basePath, UNFINISHED_SUFFIX } from './directory.ts';
import { entryOf } from './entry-codec.ts';
import { LedgerError } from './errors.ts';
import { type LedgerFileSystem, withFile, writeFully } from './file-system.ts';
import { alternative, type BaseFile } from './scan.ts';
import type { Entry, EntryHead } from './section.ts';
import { readFrame } from './walk.ts';

/** Must not be called for a T that has a base: a failure may take the file away again. */
export async function writeBase(
  fileSystem: LedgerFileSystem,
  directory: string,
  head: EntryHead,
  frame: Uint8Array,
): Promise<BaseFile> {
  const path = basePath(directory, head.tMs);
  const unfinished = path.replace(/\.base$/, UNFINISHED_SUFFIX);
  try {
    const file = await fileSystem.open(unfinished, 'w+');
    try {
      await writeFully(file, frame, 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    await fileSystem.rename(unfinished, path);
    await fileSystem.syncDirectory(directory);
  } catch (cause) {
    for (const left of [unfinished, path]) await fileSystem.unlink(left).catch(() => {});
    throw cause;
  }
  return { path, tMs: head.tMs, sizeBytes: frame.length, head };
}

/** @throws LedgerError `ledger_damaged` */
export async function readBase(fileSystem: LedgerFileSystem, base: BaseFile): Promise<Entry> {
  const where = { file: base.path, position: 0 };
  try {
    return await withFile(fileSystem, base.path, async (file) =>
      entryOf((await readFrame(file, where, base.sizeBytes)).frame, where),
    );
  } catch (cause) {
    if (!(cause instanceof LedgerError) || cause.code !== 'ledger_damaged') throw cause;
    throw new LedgerError('ledger_damaged', `${cause.message}${alternative}`, { cause });
  }
}
