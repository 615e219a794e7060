// The open files of the segments: each is opened once, by whoever needs it first, and closed only when nobody reads it.

import type { Segment } from './entry.ts';
import type { DiskFile, FileSystem } from './file-system.ts';

export class SegmentFiles {
  readonly #fs: FileSystem;
  readonly #files = new Map<Segment, DiskFile>();
  readonly #reads = new Map<Segment, Set<Promise<unknown>>>();

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** @param mode for the first time */
  async file(segment: Segment, mode: 'new' | 'existing'): Promise<DiskFile> {
    const known = this.#files.get(segment);
    if (known !== undefined) return known;
    const file = await this.#fs.open(segment.path, mode);
    const first = this.#files.get(segment);
    if (first !== undefined) {
      // Two readers came at the same time.
      await file.close();
      return first;
    }
    this.#files.set(segment, file);
    return file;
  }

  /** If it is open. */
  open(segment: Segment): DiskFile | undefined {
    return this.#files.get(segment);
  }

  /** @returns fewer bytes if the file has no more. */
  async read(segment: Segment, lengthBytes: number, position: number): Promise<Buffer> {
    const read = this.file(segment, 'existing').then((file) => file.read(lengthBytes, position));
    const reads = this.#reads.get(segment) ?? new Set();
    this.#reads.set(segment, reads.add(read));
    try {
      return await read;
    } finally {
      reads.delete(read);
      if (reads.size === 0) this.#reads.delete(segment);
    }
  }

  /** When it is read no more. */
  async close(segment: Segment): Promise<void> {
    await Promise.allSettled(this.#reads.get(segment) ?? []);
    const file = this.#files.get(segment);
    this.#files.delete(segment);
    await file?.close();
  }

  async closeAll(): Promise<void> {
    for (const segment of [...this.#files.keys()]) await this.close(segment).catch(() => {});
  }
}
