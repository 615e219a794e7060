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
  /** To read and to write, as it is. With `create` it is made if it isn't there. */
  open(path: string, mode: 'create' | 'existing'): Promise<DiskFile>;
  /** As well if it isn't there. */
  remove(path: string): Promise<void>;
  /** Resolves when files made and removed before stay so if the machine dies. */
  syncDirectory(directory: string): Promise<void>;
}

export type OnReadError = (kind: 'read', error: unknown) => void;

/**
 * The whole file; undefined if there is none, or if it lies on a bad place of the disk: that is damage, and is told. Rejects
 * for what may pass: no permission, no descriptors.
 */
export async function readIfPossible(fs: FileSystem, path: string, onError: OnReadError): Promise<Buffer | undefined> {
  try {
    return await fs.read(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error;
    onError('read', error);
    return undefined;
  }
}
