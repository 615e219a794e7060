// What a disk queue asks of a file system: little enough that a test can stand in for it, tear its writes and fail its syncs.

export interface DiskFile {
  /** All of the bytes, or it rejects; then nobody knows what has reached the file. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fewer bytes only at the end of the file. */
  read(lengthBytes: number, position: number): Promise<Buffer>;
  truncate(sizeBytes: number): Promise<void>;
  /** Resolves when what was written before survives the death of the machine. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileSystem {
  /**
   * Makes the directory if it is missing and holds it, alone, until `release` or the end of the process, however that comes.
   * @throws DiskQueueError `locked`, `unreadable`
   */
  lock(directory: string): { release(): void };
  /** Names of its files. */
  list(directory: string): Promise<string[]>;
  /** The whole file; undefined if there is none. */
  read(path: string): Promise<Buffer | undefined>;
  /** In bytes; undefined if there is none. */
  size(path: string): Promise<number | undefined>;
  /** To read and to write, as it is. With `create` it is made if it isn't there; with `new` it must not be there. */
  open(path: string, mode: 'create' | 'new' | 'existing'): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  /** As well if it isn't there. */
  remove(path: string): Promise<void>;
  /** Resolves when files made and removed before stay so if the machine dies. */
  syncDirectory(directory: string): Promise<void>;
}

/** What can't be read may be there a moment later; what never comes back must not hold up the rest for ever. */
export const MAX_READS = 10;
export const READ_PAUSE_MS = 1_000;

/** Whether the disk couldn't read it. Anything else may be mended: no permission, no descriptors. */
export function isBadPlace(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EIO';
}
