// The segments of a directory as one log: bodies are written to its end and read from anywhere, and segments are removed
// from its beginning. After a write or a sync that failed, nothing more goes to that segment: what is in it is not known.

import { join } from 'node:path';
import type { RequestBody } from '../points/index.ts';
import type { Place, Segment } from './entry.ts';
import type { DiskFile, FileSystem } from './file-system.ts';
import { encodeFrameHeader, FRAME_HEADER_BYTES } from './frame.ts';
import type { FsyncPolicy } from './options.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from './segment.ts';
import type { DiskErrorKind } from './stats.ts';

export interface Unstored {
  body: RequestBody;
  shard: number;
  storedMs: number;
}

export interface LogState {
  /** From the oldest to the newest. */
  segments: Segment[];
  nextSequence: number;
  /** Above the numbers of all segments. */
  nextNumber: number;
}

export interface LogOptions {
  segmentBytes: number;
  fsync: FsyncPolicy;
  /** For salts. */
  random: () => number;
  onError: (kind: DiskErrorKind, error: unknown) => void;
}

export function frameBytes({ body }: Unstored): number {
  return FRAME_HEADER_BYTES + body.bytes.length;
}

export class SegmentLog {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #options: LogOptions;
  readonly #segments: Segment[];
  readonly #files = new Map<Segment, DiskFile>();
  #nextSequence: number;
  #nextNumber: number;
  /** What is written to; the last of the segments, unless it is new and nothing stands in it. */
  #active: Segment | undefined;
  #isDirty = false;
  #removal: Promise<boolean> | undefined;
  /** Those whose sync has failed. */
  readonly #distrusted = new WeakSet<Segment>();
  readonly #reads = new Map<Segment, Set<Promise<unknown>>>();

  constructor(fs: FileSystem, directory: string, state: LogState, options: LogOptions) {
    this.#fs = fs;
    this.#directory = directory;
    this.#options = options;
    this.#segments = state.segments;
    this.#nextSequence = state.nextSequence;
    this.#nextNumber = state.nextNumber;
  }

  get segments(): number {
    return this.#segments.length;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** The oldest, unless it is being written to. */
  get oldest(): Segment | undefined {
    return this.#segments[0] === this.#active ? undefined : this.#segments[0];
  }

  /**
   * Stores as many of the bodies as go into one segment, at least the first, in their order. To be called one at a time.
   * Rejects if nothing is stored.
   * @returns the places of those that are stored.
   */
  async append(bodies: readonly Unstored[], shards: number): Promise<Place[]> {
    if (this.#active !== undefined && !this.#hasRoom(this.#active, bodies[0]!, shards)) await this.retire();
    const segment = this.#active ?? this.#newSegment(shards);
    const isNew = segment.sizeBytes === 0;
    const buffers: Uint8Array[] = isNew ? [encodeSegmentHeader(segment)] : [];
    const places: Place[] = [];
    let at = isNew ? SEGMENT_HEADER_BYTES : segment.sizeBytes;
    for (const unstored of bodies) {
      if (places.length > 0 && at + frameBytes(unstored) > this.#options.segmentBytes) break;
      const sequence = this.#nextSequence + places.length;
      const header = encodeFrameHeader(unstored.body, { ...unstored, sequence }, segment.salt);
      buffers.push(header, unstored.body.bytes);
      const bodyBytes = unstored.body.bytes.length;
      places.push({ segment, sequence, bodyAt: at + FRAME_HEADER_BYTES, bodyBytes, bodyCrc: header.readUInt32LE(68) });
      at += FRAME_HEADER_BYTES + bodyBytes;
    }
    await this.#write(segment, Buffer.concat(buffers), isNew);
    if (isNew) this.#segments.push(segment);
    segment.sizeBytes = at;
    this.#nextSequence += places.length;
    return places;
  }

  /** The next body begins a new segment. */
  async retire(): Promise<void> {
    await this.sync();
    this.#active = undefined;
  }

  /** For the policy `interval`. */
  async sync(): Promise<void> {
    const segment = this.#active;
    if (segment === undefined || !this.#isDirty || this.#options.fsync === 'never') return;
    this.#isDirty = false;
    try {
      await this.#files.get(segment)?.sync();
    } catch (error) {
      this.#options.onError('sync', error);
      // The system may have given up what it couldn't write, and the next sync would not say so.
      this.#distrusted.add(segment);
      if (this.#active === segment) this.#active = undefined;
    }
  }

  /** @returns fewer bytes if the file has no more. */
  async read({ segment, bodyAt, bodyBytes }: Place): Promise<Buffer> {
    const read = this.#file(segment, 'existing').then((file) => file.read(bodyBytes, bodyAt));
    const reads = this.#reads.get(segment) ?? new Set();
    this.#reads.set(segment, reads.add(read));
    try {
      return await read;
    } finally {
      reads.delete(read);
      if (reads.size === 0) this.#reads.delete(segment);
    }
  }

  /** Removes the oldest, once for all who ask while it is being removed. False if that isn't possible. */
  removeOldest(): Promise<boolean> {
    this.#removal ??= this.#remove(this.oldest).finally(() => {
      this.#removal = undefined;
    });
    return this.#removal;
  }

  async #remove(segment: Segment | undefined): Promise<boolean> {
    if (segment === undefined) return false;
    await Promise.allSettled(this.#reads.get(segment) ?? []);
    try {
      await this.#closeFile(segment);
      await this.#fs.remove(segment.path);
    } catch (error) {
      this.#options.onError('remove', error);
      return false;
    }
    this.#segments.shift();
    return true;
  }

  async close(): Promise<void> {
    await this.sync();
    for (const segment of [...this.#files.keys()]) await this.#closeFile(segment).catch(() => {});
  }

  #hasRoom({ shards, sizeBytes }: Segment, first: Unstored, newShards: number): boolean {
    return shards === newShards && sizeBytes + frameBytes(first) <= this.#options.segmentBytes;
  }

  #newSegment(shards: number): Segment {
    const name = segmentName({ firstSequence: this.#nextSequence, number: this.#nextNumber++ });
    return {
      path: join(this.#directory, name),
      shards,
      firstSequence: this.#nextSequence,
      salt: Math.floor(this.#options.random() * 2 ** 32),
      sizeBytes: 0,
      unsettled: 0,
    };
  }

  async #write(segment: Segment, bytes: Uint8Array, isNew: boolean): Promise<void> {
    const { fsync, onError } = this.#options;
    let kind: DiskErrorKind = 'write';
    try {
      const file = await this.#file(segment, 'create');
      await file.write(bytes, segment.sizeBytes);
      kind = 'sync';
      if (fsync === 'batch') await file.sync();
      if (isNew && fsync !== 'never') await this.#fs.syncDirectory(this.#directory);
      this.#active = this.#distrusted.has(segment) ? undefined : segment;
      this.#isDirty = fsync !== 'batch';
    } catch (error) {
      onError(kind, error);
      await this.#abandon(segment, isNew);
      throw error;
    }
  }

  // What was being written is to be found no more, if the file system allows even that.
  async #abandon(segment: Segment, isNew: boolean): Promise<void> {
    if (this.#active === segment) this.#active = undefined;
    try {
      if (!isNew) {
        await (await this.#file(segment, 'existing')).truncate(segment.sizeBytes);
        return;
      }
      await this.#closeFile(segment);
      await this.#fs.remove(segment.path);
    } catch (error) {
      this.#options.onError('remove', error);
    }
  }

  async #file(segment: Segment, mode: 'create' | 'existing'): Promise<DiskFile> {
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

  async #closeFile(segment: Segment): Promise<void> {
    const file = this.#files.get(segment);
    this.#files.delete(segment);
    await file?.close();
  }
}
