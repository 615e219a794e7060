// Keeps the cursor in three files, so that there always is a sound one: the one that is known to be on the disk, and the one
// that was written last, are never written to. What fails is counted, and told to whoever waits: it costs repeats after a crash.

import { join } from 'node:path';
import { type Cursor, decodeCursor, encodeCursor, NO_CURSOR } from './cursor.ts';
import { type DiskFile, type FileSystem, isBadPlace, MAX_READS, READ_PAUSE_MS } from './file-system.ts';
import type { FsyncPolicy } from './options.ts';
import type { DiskErrorKind } from './stats.ts';

const NAMES = ['cursor-0', 'cursor-1', 'cursor-2'] as const;

export interface FoundCursor {
  cursor: Cursor;
  /** Index of its file; -1 if there is none. */
  index: number;
  /** There was one that couldn't be read, and was removed: this one may not be the newest. */
  isIncomplete: boolean;
}

export interface Patience {
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /** Ends it. */
  signal: AbortSignal;
}

export interface ReadCursorOptions extends Patience {
  onError: (kind: DiskErrorKind, error: unknown) => void;
}

/** Rejects for what may be mended, and if one can neither be read nor removed. */
export async function readCursor(fs: FileSystem, directory: string, options: ReadCursorOptions): Promise<FoundCursor> {
  let found: FoundCursor = { cursor: NO_CURSOR, index: -1, isIncomplete: false };
  for (const [index, name] of NAMES.entries()) {
    const path = join(directory, name);
    const bytes = await readPatiently(fs, path, options);
    if (bytes === 'unread') {
      // Or it could turn up again, and take bodies for settled that will be given the sequences it knows of.
      await fs.remove(path);
      found.isIncomplete = true;
    } else {
      const cursor = bytes && decodeCursor(bytes);
      if (cursor !== undefined && cursor.generation > found.cursor.generation) found = { ...found, cursor, index };
    }
  }
  return found;
}

// Without it bodies are sent again: that is worth a wait.
async function readPatiently(
  fs: FileSystem,
  path: string,
  { sleep, signal, onError }: ReadCursorOptions,
): Promise<Buffer | undefined | 'unread'> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fs.read(path);
    } catch (error) {
      if (!isBadPlace(error) || signal.aborted) throw error;
      onError('read', error);
    }
    if (attempt === MAX_READS) return 'unread';
    await sleep(READ_PAUSE_MS, signal).catch(() => {});
  }
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
  #line: Promise<unknown> = Promise.resolve();
  /** The write that hasn't begun. */
  #waiting: Promise<boolean> | undefined;

  constructor(fs: FileSystem, directory: string, { cursor, index }: FoundCursor, options: CursorOptions) {
    this.#fs = fs;
    this.#directory = directory;
    this.#options = options;
    this.#generation = cursor.generation;
    this.#last = index;
    this.#safe = index;
  }

  /** Whether the cursor as it is now, or a later one, has been written, and with the policy `batch` is on the disk. */
  advance(): Promise<boolean> {
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
  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#line.then(work);
    this.#line = done;
    return done;
  }

  async #write(): Promise<boolean> {
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
      return false;
    }
    return this.#options.fsync !== 'batch' || this.#sync();
  }

  async #sync(): Promise<boolean> {
    const index = this.#last;
    this.#isDirty = false;
    try {
      await this.#files.get(index)!.sync();
      this.#safe = index;
      return true;
    } catch (error) {
      // Nor is it known to be sound any more, but it is the newest.
      this.#options.onError(error);
      return false;
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
