// One client per directory: an exclusive SQLite transaction that is never committed. The operating system frees it when the
// process ends, however it ends (Node.js has no flock). Nothing else in the process may open the lock file: closing any
// descriptor of it would drop the POSIX lock underneath.

import { DiskQueueError } from './errors.ts';

export interface Lock {
  /** Idempotent. */
  release(): void;
}

const SQLITE_BUSY = 5;
/** Held until it is released, or the process ends: one that is garbage would be closed, and its lock gone. */
const held = new Set<object>();

/**
 * Takes the lock at once or not at all; the directory of `path` must exist.
 * @throws DiskQueueError `locked`, `unreadable`
 */
export function acquireLock(path: string): Lock {
  // Not imported: who has no disk queue shall not load SQLite.
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = open(() => new DatabaseSync(path, { timeout: 0 }), path);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw unusable(path, cause);
    throw new DiskQueueError('locked', `${path} is locked: another process, or this one, has this disk queue open`, {
      cause,
    });
  }
  held.add(database);
  return {
    release() {
      if (held.delete(database)) database.close();
    },
  };
}

function open<T>(make: () => T, path: string): T {
  try {
    return make();
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): DiskQueueError {
  return new DiskQueueError('unreadable', `can't lock ${path}`, { cause });
}
