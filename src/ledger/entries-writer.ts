// Writes the newest file of entries, a frame at a time, each durable before the next. Must never leave a frame that failed where
// the next one would not replace it.
import { entriesPath } from './directory.ts';
import { damaged } from './errors.ts';
import { type LedgerFile, type LedgerFileSystem, readFully, writeFully } from './file-system.ts';
import { sealFrame } from './frame.ts';
import type { EntriesFile } from './scan.ts';
import { readSoundFrame } from './walk.ts';

/** At least a page on every platform: see `repair`. */
const REWRITE_BYTES = 64 * 1024;

export class EntriesWriter {
  /** The newest file; undefined before the first. */
  current: EntriesFile | undefined;
  /** Times that a file was cut back and made sure of after a failure. */
  repairs = 0;
  private readonly fileSystem: LedgerFileSystem;
  private readonly directory: string;
  private file: LedgerFile | undefined;
  /** Something failed: the file may hold more than its durable frames, and the page cache can't be believed. */
  private isSuspect = false;

  constructor(fileSystem: LedgerFileSystem, directory: string, current: EntriesFile | undefined) {
    this.fileSystem = fileSystem;
    this.directory = directory;
    this.current = current;
  }

  /** Cuts what an unfinished write left behind the last good frame. */
  async cutTorn(): Promise<void> {
    this.isSuspect = true;
    this.file = await this.reopen(this.current!);
  }

  /** The position of the frame, which is durable. If it rejects, the file ends where it did, and another frame may be tried. */
  async append(frame: Uint8Array): Promise<number> {
    const current = this.current!;
    this.file ??= await this.reopen(current);
    const { file } = this;
    const position = current.endPosition;
    sealFrame(frame, position);
    try {
      await writeFully(file, frame, position);
      await file.datasync();
    } catch (cause) {
      this.isSuspect = true;
      this.file = undefined;
      await file.truncate(position).catch(() => {});
      await file.close().catch(() => {});
      throw cause;
    }
    current.endPosition = position + frame.length;
    current.lastFrameAt = position;
    return position;
  }

  /**
   * Starts the file that goes on after `tMs`, with its first frame; both are durable, and so is the name. If it rejects, a file
   * of this name may be there, empty or with a part of the frame: nothing may go into the old one before this has succeeded.
   */
  async roll(tMs: number, frame: Uint8Array): Promise<void> {
    const path = entriesPath(this.directory, tMs);
    sealFrame(frame, 0);
    const file = await this.fileSystem.open(path, 'w+');
    try {
      await writeFully(file, frame, 0);
      await file.datasync();
      await this.fileSystem.syncDirectory(this.directory);
    } catch (cause) {
      await file.close().catch(() => {});
      await this.fileSystem.unlink(path).catch(() => {});
      throw cause;
    }
    const sealed = this.file;
    this.file = file;
    this.isSuspect = false;
    this.current = { path, tMs, endPosition: frame.length, lastFrameAt: 0 };
    await sealed?.close().catch(() => {});
  }

  async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  private async reopen(current: EntriesFile): Promise<LedgerFile> {
    const file = await this.fileSystem.open(current.path, 'r+');
    if (!this.isSuspect) return file;
    try {
      await repair(file, current);
    } catch (cause) {
      await file.close().catch(() => {});
      throw cause;
    }
    this.isSuspect = false;
    this.repairs++;
    return file;
  }
}

/**
 * After a failed fsync the kernel may have marked pages clean that never reached the disk, and a later fsync would succeed
 * without writing them. Cutting the file at its durable end drops all such pages but the one the end lies in; that one is made
 * dirty again by writing its own bytes over it, so that the sync below is about it too.
 */
async function repair(file: LedgerFile, current: EntriesFile): Promise<void> {
  const end = current.endPosition;
  const where = { file: current.path, position: current.lastFrameAt };
  await file.truncate(end);
  const from = Math.max(0, end - REWRITE_BYTES);
  const tail = new Uint8Array(end - from);
  if ((await readFully(file, tail, from)) < tail.length) throw damaged(where, 'the last durable record is gone');
  await writeFully(file, tail, from);
  await file.datasync();
  if (current.lastFrameAt === end) return;
  if ((await readSoundFrame(file, current.lastFrameAt, end)) === undefined) {
    throw damaged(where, 'the last durable record is no longer sound');
  }
}
