// The segments of a directory as one log: bodies are written to its end and read from anywhere, and segments are removed
// from its beginning. After a write or a sync that failed, nothing more goes to that segment: what is in it is not known.

import { join } from 'node:path';
import type { RequestBody } from '../points/index.ts';
import { type Aside, Asides } from './aside.ts';
import type { Place, Segment } from './entry.ts';
import type { FileSystem } from './file-system.ts';
import { encodeFrameHeader, FRAME_HEADER_BYTES } from './frame.ts';
import type { FsyncPolicy } from './options.ts';
import { encodeSegmentHeader, MAX_SEGMENT_NUMBER, SEGMENT_HEADER_BYTES, segmentName } from './segment.ts';
import { SegmentFiles } from './segment-files.ts';
import { MAX_SEQUENCE, type Position } from './sequence.ts';
import type { DiskErrorKind } from './stats.ts';

export interface Unstored {
  body: RequestBody;
  shard: number;
  storedMs: number;
}

export interface LogState {
  /** From the oldest to the newest. */
  segments: Segment[];
  asides: Aside[];
  /** Of the next body. */
  start: Position;
  /** Above the numbers of all segments. */
  nextNumber: number;
}

export interface LogOptions {
  segmentBytes: number;
  fsync: FsyncPolicy;
  now: () => number;
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
  readonly #files: SegmentFiles;
  readonly asides: Asides;
  readonly #jumped: number;
  #nextSequence: number;
  #nextNumber: number;
  /** What is written to; the last of the segments, unless it is new and nothing stands in it. */
  #active: Segment | undefined;
  #isDirty = false;
  /** One after the other; they don't reject. */
  #syncing: Promise<void> = Promise.resolve();
  /** Of the oldest. */
  #removal: Promise<boolean> | undefined;
  /** Those whose sync has failed. */
  readonly #distrusted = new WeakSet<Segment>();
  /** New ones that couldn't be written, and then not be removed. */
  #leftovers: Segment[] = [];

  constructor(fs: FileSystem, directory: string, state: LogState, options: LogOptions) {
    this.#fs = fs;
    this.#directory = directory;
    this.#options = options;
    this.#segments = state.segments;
    this.#files = new SegmentFiles(fs);
    this.asides = new Asides(fs, state.asides, options.onError);
    this.#jumped = state.start.jumped;
    this.#nextSequence = state.start.sequence;
    this.#nextNumber = state.nextNumber;
  }

  get segments(): number {
    return this.#segments.length;
  }

  get sizeBytes(): number {
    const all = [...this.#segments, ...this.#leftovers];
    return all.reduce((sum, { sizeBytes }) => sum + sizeBytes, this.asides.sizeBytes);
  }

  /** The oldest, unless it is being written to. */
  get oldest(): Segment | undefined {
    return this.#segments[0] === this.#active ? undefined : this.#segments[0];
  }

  /** The one behind the oldest. */
  get second(): Segment | undefined {
    return this.#segments[1];
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
      if (sequence > MAX_SEQUENCE) break;
      const header = encodeFrameHeader(unstored.body, { ...unstored, sequence }, segment.salt);
      buffers.push(header, unstored.body.bytes);
      const bodyBytes = unstored.body.bytes.length;
      places.push({ segment, sequence, bodyAt: at + FRAME_HEADER_BYTES, bodyBytes, bodyCrc: header.readUInt32LE(68) });
      at += FRAME_HEADER_BYTES + bodyBytes;
    }
    if (places.length === 0) throw this.#usedUp('sequences');
    await this.#write(segment, Buffer.concat(buffers), isNew);
    if (isNew) this.#segments.push(segment);
    segment.sizeBytes = at;
    // At once: the lanes learn of them a little later, and it must not be taken for settled in between.
    segment.unsettled += places.length;
    this.#nextSequence += places.length;
    return places;
  }

  /** The next body begins a new segment. */
  async retire(): Promise<void> {
    await this.sync();
    this.#active = undefined;
  }

  /** For the policy `interval`. */
  sync(): Promise<void> {
    this.#syncing = this.#syncing.then(() => this.#sync());
    return this.#syncing;
  }

  async #sync(): Promise<void> {
    const segment = this.#active;
    if (segment === undefined || !this.#isDirty || this.#options.fsync === 'never') return;
    this.#isDirty = false;
    try {
      await this.#files.open(segment)?.sync();
    } catch (error) {
      this.#options.onError('sync', error);
      // The system may have given up what it couldn't write, and the next sync would not say so.
      this.#distrusted.add(segment);
      if (this.#active === segment) this.#active = undefined;
    }
  }

  /** @returns fewer bytes if the file has no more. */
  read({ segment, bodyAt, bodyBytes }: Place): Promise<Buffer> {
    return this.#files.read(segment, bodyBytes, bodyAt);
  }

  /**
   * Removes the oldest, once for all who ask while it is being removed. What couldn't be read of it is only put aside.
   * @param segment what is taken for the oldest; if it isn't any more, nothing is left to do.
   * @param isForced whatever it is, its room is needed
   * @returns false if that isn't possible.
   */
  removeOldest(segment: Segment, isForced = false): Promise<boolean> {
    if (this.oldest !== segment) return Promise.resolve(true);
    this.#removal ??= this.#remove(segment, isForced).finally(() => {
      this.#removal = undefined;
    });
    return this.#removal;
  }

  /** It need not be among the segments. False if it stays where it is: then it is tried again when it is the oldest. */
  async putAside(segment: Segment): Promise<boolean> {
    try {
      await this.#files.close(segment);
      await this.asides.add(segment, this.#options.now());
    } catch (error) {
      this.#options.onError('remove', error);
      return false;
    }
    const index = this.#segments.indexOf(segment);
    if (index >= 0) this.#segments.splice(index, 1);
    // Under its old name, it would be taken for one that isn't needed.
    if (this.#options.fsync !== 'never') {
      await this.#fs.syncDirectory(this.#directory).catch((error: unknown) => this.#options.onError('sync', error));
    }
    return true;
  }

  async #remove(segment: Segment, isForced: boolean): Promise<boolean> {
    if (segment.isHurt && !isForced) return this.putAside(segment);
    try {
      await this.#files.close(segment);
      await this.#fs.remove(segment.path);
    } catch (error) {
      this.#options.onError('remove', error);
      return false;
    }
    this.#segments.shift();
    return true;
  }

  /** What stayed because it couldn't be removed. */
  async removeLeftovers(): Promise<void> {
    for (const segment of this.#leftovers) {
      try {
        await this.#fs.remove(segment.path);
        this.#leftovers = this.#leftovers.filter((one) => one !== segment);
      } catch (error) {
        this.#options.onError('remove', error);
        return;
      }
    }
  }

  async close(): Promise<void> {
    await this.sync();
    await this.#files.closeAll();
  }

  #hasRoom({ shards, sizeBytes }: Segment, first: Unstored, newShards: number): boolean {
    return shards === newShards && sizeBytes + frameBytes(first) <= this.#options.segmentBytes;
  }

  #newSegment(shards: number): Segment {
    const name = { firstSequence: this.#nextSequence, number: this.#nextNumber++, jumped: this.#jumped };
    if (name.number > MAX_SEGMENT_NUMBER) throw this.#usedUp('numbers of segments');
    return {
      path: join(this.#directory, segmentName(name)),
      ...name,
      shards,
      salt: Math.floor(this.#options.random() * 2 ** 32),
      sizeBytes: 0,
      unsettled: 0,
      isHurt: false,
    };
  }

  #usedUp(what: string): Error {
    const error = new Error(`all ${what} are used up`);
    this.#options.onError('write', error);
    return error;
  }

  async #write(segment: Segment, bytes: Uint8Array, isNew: boolean): Promise<void> {
    const { fsync, onError } = this.#options;
    let kind: DiskErrorKind = 'write';
    try {
      const file = await this.#files.file(segment, isNew ? 'new' : 'existing');
      await file.write(bytes, segment.sizeBytes);
      kind = 'sync';
      if (fsync === 'batch') await file.sync();
      if (isNew && fsync !== 'never') await this.#fs.syncDirectory(this.#directory);
      this.#active = this.#distrusted.has(segment) ? undefined : segment;
      this.#isDirty = fsync !== 'batch';
    } catch (error) {
      onError(kind, error);
      await this.#abandon(segment, bytes.length, isNew);
      throw error;
    }
  }

  // What was being written is to be found no more, if the file system allows even that.
  async #abandon(segment: Segment, writtenBytes: number, isNew: boolean): Promise<void> {
    if (this.#active === segment) this.#active = undefined;
    // Not made by this one.
    if (isNew && this.#files.open(segment) === undefined) return;
    try {
      if (!isNew) {
        await (await this.#files.file(segment, 'existing')).truncate(segment.sizeBytes);
        return;
      }
      await this.#files.close(segment);
      await this.#fs.remove(segment.path);
    } catch (error) {
      this.#options.onError('remove', error);
      // It takes its room all the same.
      segment.sizeBytes += writtenBytes;
      if (isNew) this.#leftovers.push(segment);
    }
  }
}
