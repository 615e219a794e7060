// The file system of Node.js.

import { mkdirSync } from 'node:fs';
import { constants, type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskQueueError } from './errors.ts';
import type { DiskFile, FileSystem } from './file-system.ts';
import { acquireLock } from './lock.ts';

// For nobody else: label values may be confidential.
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;

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
  async read(path) {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  async open(path, mode) {
    const flags = constants.O_RDWR | (mode === 'create' ? constants.O_CREAT : 0);
    return diskFile(await open(path, flags, FILE_MODE));
  },
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
