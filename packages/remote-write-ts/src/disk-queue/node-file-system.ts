// The file system of Node.js.

import { mkdirSync } from 'node:fs';
import { constants, type FileHandle, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskQueueError } from './errors.ts';
import type { DiskFile, FileSystem } from './file-system.ts';
import { acquireLock } from './lock.ts';

// For nobody else: label values may be confidential.
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const OPEN_FLAGS = { create: constants.O_CREAT, new: constants.O_CREAT | constants.O_EXCL, existing: 0 };

export const nodeFileSystem: FileSystem = {
  lock(directory) {
    try {
      mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    } catch (cause) {
      throw new DiskQueueError('unreadable', `can't make ${directory}`, { cause });
    }
    return acquireLock(join(directory, 'lock'));
  },
  list: (directory) => readdir(directory),
  read: (path) => orUndefined(readFile(path)),
  size: (path) => orUndefined(stat(path).then(({ size }) => size)),
  async open(path, mode) {
    return diskFile(await open(path, constants.O_RDWR | OPEN_FLAGS[mode], FILE_MODE));
  },
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  async syncDirectory(directory) {
    // Windows has no such thing.
    if (process.platform === 'win32') return;
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function diskFile(handle: FileHandle): DiskFile {
  return {
    async write(bytes, position) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
    },
    async read(lengthBytes, position) {
      const into = Buffer.allocUnsafe(lengthBytes);
      let done = 0;
      while (done < lengthBytes) {
        const { bytesRead } = await handle.read(into, done, lengthBytes - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return into.subarray(0, done);
    },
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    // The size that a write has changed is synced with it; times are not.
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}
