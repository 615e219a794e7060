// Bounded means of reading: a few scratch buffers and a few open files for all readers together. Readers wait for a buffer in
// turn; a file is closed when it is the longest unused one and there are too many.

import { type LogFile, type LogFileSystem, readFully } from './file-system.ts';
import { claimedFrameBytes, viewOf } from './frame.ts';

const WINDOW_BYTES = 1024 * 1024;
const SCRATCH_BUFFERS = 4;
const MAX_OPEN_FILES = 32;

/** Bytes of a file, from a position on. `bytes` is good until the callback that got it returns. */
export interface Window {
  bytes: Uint8Array;
  view: DataView;
  length: number;
}

interface OpenFile {
  file: Promise<LogFile>;
  users: number;
  isDropped: boolean;
}

export class ReadAccess {
  private readonly fileSystem: LogFileSystem;
  private readonly free: Uint8Array[] = [];
  private made = 0;
  private readonly waiting: ((scratch: Uint8Array) => void)[] = [];
  /** In the order of their last use. */
  private readonly files = new Map<string, OpenFile>();

  constructor(fileSystem: LogFileSystem) {
    this.fileSystem = fileSystem;
  }

  get openFiles(): number {
    return this.files.size;
  }

  /**
   * Reads from `position` up to `limit` as much as a scratch buffer holds, or one frame that is larger than that, and hands it
   * to `use`, which must be done with it when it returns.
   */
  async readWindow<T>(path: string, position: number, limit: number, use: (window: Window) => T): Promise<T> {
    const scratch = await this.takeScratch();
    const open = this.openFile(path);
    try {
      const file = await open.file;
      return use(await fillWindow(file, scratch, position, limit));
    } finally {
      open.users--;
      if (open.isDropped) void closeUnused(open);
      this.giveScratch(scratch);
    }
  }

  /** Forgets a file, because it is gone or about to change. */
  async drop(path: string): Promise<void> {
    const open = this.files.get(path);
    if (open === undefined) return;
    this.files.delete(path);
    open.isDropped = true;
    await closeUnused(open);
  }

  async close(): Promise<void> {
    await Promise.all([...this.files.keys()].map((path) => this.drop(path)));
  }

  private openFile(path: string): OpenFile {
    let open = this.files.get(path);
    if (open === undefined) {
      open = { file: this.fileSystem.open(path, 'r'), users: 0, isDropped: false };
      const mine = open;
      open.file.catch(() => {
        if (this.files.get(path) === mine) this.files.delete(path);
      });
    }
    this.files.delete(path);
    this.files.set(path, open);
    open.users++;
    for (const [oldest, other] of this.files) {
      if (this.files.size <= MAX_OPEN_FILES) break;
      if (other.users === 0) void this.drop(oldest);
    }
    return open;
  }

  private takeScratch(): Uint8Array | Promise<Uint8Array> {
    const scratch = this.free.pop();
    if (scratch !== undefined) return scratch;
    if (this.made < SCRATCH_BUFFERS) {
      this.made++;
      return new Uint8Array(WINDOW_BYTES);
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private giveScratch(scratch: Uint8Array): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(scratch);
    else next(scratch);
  }
}

/** A file in use is closed by its last user. */
async function closeUnused(open: OpenFile): Promise<void> {
  if (open.users > 0) return;
  await open.file.then((file) => file.close()).catch(() => {});
}

async function fillWindow(file: LogFile, scratch: Uint8Array, position: number, limit: number): Promise<Window> {
  const wanted = Math.max(0, Math.min(scratch.length, limit - position));
  const bytes = scratch.subarray(0, wanted);
  const view = viewOf(bytes);
  const length = await readFully(file, bytes, position);
  const frame = claimedFrameBytes(view, 0, length);
  // A length that runs past the limit is no frame's: not worth a buffer, the caller will find it damaged or torn.
  if (frame <= length || position + frame > limit) return { bytes, view, length };
  const large = new Uint8Array(frame);
  return { bytes: large, view: viewOf(large), length: await readFully(file, large, position) };
}
