// The few file calls that the ledger makes, as an interface, so that tests can fail any of them or lose what wasn't synced.
// Nothing else here touches a disk.
import fs from 'node:fs';
import { acquireLock, type Lock } from './lock.ts';

export interface LedgerFile {
  /** Bytes read into `into`; 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Bytes written; may be fewer than given. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  datasync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  sizeBytes(): Promise<number>;
  close(): Promise<void>;
}

/** `r` reads, `r+` also writes, `w+` makes the file new and empty. */
export type OpenFlags = 'r' | 'r+' | 'w+';

export interface LedgerFileSystem {
  open(path: string, flags: OpenFlags): Promise<LedgerFile>;
  /** Makes a directory and those above it; the topmost one that was new, if any. */
  makeDirectory(path: string): Promise<string | undefined>;
  readDirectory(path: string): Promise<string[]>;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  lock(path: string): Lock;
}

type Callback<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

function call<T>(start: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

export const nodeFileSystem: LedgerFileSystem = {
  open: async (path, flags) => nodeFile(await call<number>((done) => fs.open(path, flags, done))),
  makeDirectory: (path) => call<string | undefined>((done) => fs.mkdir(path, { recursive: true }, done)),
  readDirectory: (path) => call<string[]>((done) => fs.readdir(path, done)),
  rename: (from, to) => call<void>((done) => fs.rename(from, to, done)),
  unlink: (path) => call<void>((done) => fs.unlink(path, done)),
  lock: acquireLock,
  async syncDirectory(path) {
    const fd = await call<number>((done) => fs.open(path, 'r', done));
    try {
      await call<void>((done) => fs.fsync(fd, done));
    } finally {
      await call<void>((done) => fs.close(fd, done));
    }
  },
};

function nodeFile(fd: number): LedgerFile {
  return {
    read: (into, position) => call<number>((done) => fs.read(fd, into, 0, into.length, position, done)),
    write: (bytes, position) => call<number>((done) => fs.write(fd, bytes, 0, bytes.length, position, done)),
    datasync: () => call<void>((done) => fs.fdatasync(fd, done)),
    truncate: (sizeBytes) => call<void>((done) => fs.ftruncate(fd, sizeBytes, done)),
    sizeBytes: async () => (await call<fs.Stats>((done) => fs.fstat(fd, done))).size,
    close: () => call<void>((done) => fs.close(fd, done)),
  };
}

export async function writeFully(file: LedgerFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const n = await file.write(done === 0 ? bytes : bytes.subarray(done), position + done);
    if (n <= 0) throw new Error('the file takes no more bytes');
    done += n;
  }
}

/** Reads until `into` is full or the file ends; the number of bytes that were there. */
export async function readFully(file: LedgerFile, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const n = await file.read(done === 0 ? into : into.subarray(done), position + done);
    if (n <= 0) break;
    done += n;
  }
  return done;
}

/** Opens, runs, closes. A file that was only read may fail to close unnoticed. */
export async function withFile<T>(
  fileSystem: LedgerFileSystem,
  path: string,
  run: (file: LedgerFile) => Promise<T>,
): Promise<T> {
  const file = await fileSystem.open(path, 'r');
  try {
    return await run(file);
  } finally {
    await file.close().catch(() => {});
  }
}
