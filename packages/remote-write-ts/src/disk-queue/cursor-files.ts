// Keeps the cursor in three files, so that there always is a sound one: the one that is known to be on the disk, and the one
// that was written last, are never written to. What fails is only counted: it costs repeats after a crash, and nothing else.

import { join } from 'node:path';
import { type Cursor, decodeCursor, encodeCursor, NO_CURSOR } from './cursor.ts';
import { type DiskFile, type FileSystem, type OnReadError, readIfPossible } from './file-system.ts';
import type { FsyncPolicy } from './options.ts';

const NAMES = ['cursor-0', 'cursor-1', 'cursor-2'] as const;

export interface FoundCursor {
  cursor: Cursor;
  /** Index of its file; -1 if there is none. */
  index: number;
}

export async function readCursor(fs: FileSystem, directory: string, onError: OnReadError): Promise<FoundCursor> {
  let found: FoundCursor = { cursor: NO_CURSOR, index: -1 };
  for (const [index, name] of NAMES.entries()) {
    const bytes = await readIfPossible(fs, join(directory, name), onError);
    const cursor = bytes && decodeCursor(bytes);
    if (cursor !== undefined && cursor.generation > found.cursor.generation) found = { cursor, index };
  }
  return found;
}

export interface CursorOptions {
  fsync: FsyncPolicy;
  /** What it is now. */
  current: () => Omit<Cursor, 'generation'>;
  onError: (error: unknown) => void;
}

export class CursorFiles {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #options: CursorOptions;
  #generation: number;
  /** Indices of files: what was written last, and what is known to be on the disk. */
  #last: number;
  #safe: number;
  readonly #files = new Map<number, DiskFile>();
  #isDirty = false;
  /** One after the other: a sync must not begin in the middle of a write, or vouch for one that follows. */
  #line: Promise<void> = Promise.resolve();
  /** The write that hasn't begun. */
  #waiting: Promise<void> | undefined;

  constructor(fs: FileSystem, directory: string, { cursor, index }: FoundCursor, options: CursorOptions) {
    this.#fs = fs;
    this.#directory = directory;
    this.#options = options;
    this.#generation = cursor.generation;
    this.#last = index;
    this.#safe = index;
  }

  /** Resolves when the cursor as it is now, or a later one, is written, and with the policy `batch` is on the disk. */
  advance(): Promise<void> {
    this.#waiting ??= this.#inLine(() => {
      this.#waiting = undefined;
      return this.#write();
    });
    return this.#waiting;
  }

  /** For the policy `interval`. */
  sync(): Promise<void> {
    if (this.#options.fsync === 'never') return Promise.resolve();
    return this.#inLine(async () => {
      if (this.#isDirty) await this.#sync();
    });
  }

  async close(): Promise<void> {
    await this.advance();
    await this.sync();
    for (const file of this.#files.values()) await file.close().catch(() => {});
    this.#files.clear();
  }

  // What is in line doesn't reject.
  #inLine(work: () => Promise<void>): Promise<void> {
    this.#line = this.#line.then(work);
    return this.#line;
  }

  async #write(): Promise<void> {
    const index = NAMES.findIndex((_, i) => i !== this.#last && i !== this.#safe);
    try {
      const file = await this.#file(index);
      const cursor = { generation: this.#generation + 1, ...this.#options.current() };
      this.#generation++;
      await file.write(encodeCursor(cursor), 0);
      this.#last = index;
      this.#isDirty = true;
    } catch (error) {
      this.#options.onError(error);
      return;
    }
    if (this.#options.fsync === 'batch') await this.#sync();
  }

  async #sync(): Promise<void> {
    const index = this.#last;
    this.#isDirty = false;
    try {
      await this.#files.get(index)!.sync();
      this.#safe = index;
    } catch (error) {
      // Nor is it known to be sound any more, but it is the newest.
      this.#options.onError(error);
    }
  }

  async #file(index: number): Promise<DiskFile> {
    const known = this.#files.get(index);
    if (known !== undefined) return known;
    const file = await this.#fs.open(join(this.#directory, NAMES[index]!), 'create');
    this.#files.set(index, file);
    if (this.#options.fsync !== 'never') await this.#fs.syncDirectory(this.#directory);
    return file;
  }
}
