// One writer per shard's ledger: an exclusive SQLite transaction that is never committed. The operating system frees it when
// the process ends, however it ends (Node has no flock). Nothing else in the process may open the lock file: closing any
// descriptor of it would drop the POSIX lock underneath.
import { DatabaseSync } from 'node:sqlite';
import { LedgerError } from './errors.ts';

export interface Lock {
  /** Idempotent. */
  release(): void;
}

const SQLITE_BUSY = 5;

/**
 * Takes the lock at once or not at all; the directory of `file` must exist.
 * @throws LedgerError `ledger_locked` if this or another process holds it.
 */
export function acquireLock(file: string): Lock {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw cause;
    throw new LedgerError('ledger_locked', `${file} is locked: another process, or this one, has this ledger open`, {
      cause,
    });
  }
  let isHeld = true;
  return {
    release() {
      if (!isHeld) return;
      isHeld = false;
      database.close();
    },
  };
}
