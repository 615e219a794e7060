// Takes bodies in: they are written and synced together with those that come meanwhile, and then accepted. What the disk
// doesn't take goes on in memory, and is accepted only with its final fate: so memory holds no more than without a disk.

import type { RequestBody } from '../points/index.ts';
import type { Books } from './books.ts';
import type { Entry, Place } from './entry.ts';
import type { Retention } from './retention.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';
import { frameBytes, type SegmentLog, type Unstored } from './segment-log.ts';

export interface IntakeOptions {
  now: () => number;
  /** In front of the first write. */
  ready: Promise<unknown>;
  /** Set when that has resolved. */
  parts: () => { log: SegmentLog; retention: Retention };
  /** By which what comes now is sharded. */
  shards: () => number;
  /** Entries in their order, to be sent. */
  onEntries: (entries: readonly Entry[]) => Promise<void>;
}

interface Waiting extends Unstored {
  order: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** How long a disk that has failed is left alone. */
const DISK_PAUSE_MS = 1_000;
/** What one write takes at most. */
const MAX_WRITE_BODIES = 256;

export class Intake {
  readonly #books: Books;
  readonly #options: IntakeOptions;
  /** How many have been appended. */
  order = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failedMs = Number.NEGATIVE_INFINITY;

  constructor(books: Books, options: IntakeOptions) {
    this.#books = books;
    this.#options = options;
  }

  /** Of those that aren't written; infinite if there is none. */
  get lowestOrder(): number {
    return this.#waiting[0]?.order ?? Number.POSITIVE_INFINITY;
  }

  append(shard: number, body: RequestBody): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, shard, storedMs: this.#options.now(), order: this.order++, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  // One write at a time: those who come while it runs share the next.
  async #write(): Promise<void> {
    try {
      await this.#options.ready;
      while (this.#waiting.length > 0) {
        const some = this.#waiting.slice(0, MAX_WRITE_BODIES);
        const entries = await this.#store(some);
        this.#waiting.splice(0, entries.length);
        await this.#options.onEntries(entries);
      }
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    } finally {
      // At once: who comes a turn later must not be left to a round that has looked already.
      this.#writing = undefined;
    }
  }

  // Entries for the first of these, or all of them: on disk, or else in memory.
  async #store(some: readonly Waiting[]): Promise<Entry[]> {
    const { log, retention } = this.#options.parts();
    await retention.dropOld();
    const sinceMs = this.#options.now() - this.#failedMs;
    const isPaused = sinceMs >= 0 && sinceMs < DISK_PAUSE_MS;
    const neededBytes = SEGMENT_HEADER_BYTES + frameBytes(some[0]!);
    // The next one may be smaller.
    if (!retention.canHold(neededBytes)) return this.#keep(some.slice(0, 1));
    if (!isPaused && (await retention.makeRoom(neededBytes))) {
      const places = await this.#tryTwice(() => log.append(fitting(some, retention.roomBytes), this.#options.shards()));
      if (places !== undefined) {
        this.#books.stored += places.length;
        this.#books.disk(true);
        return places.map((place, i) => entryOf(some[i]!, place));
      }
      this.#failedMs = this.#options.now();
      this.#books.disk(false);
    }
    return this.#keep(some);
  }

  #keep(some: readonly Waiting[]): Entry[] {
    this.#books.unstored += some.length;
    return some.map((waiting) => entryOf(waiting, undefined));
  }

  // What fails in a segment may succeed in a new one. The log counts what goes wrong.
  async #tryTwice(append: () => Promise<Place[]>): Promise<Place[] | undefined> {
    try {
      return await append();
    } catch {
      return append().catch(() => undefined);
    }
  }
}

// Not more at once than there is room for, or the first one would cost more than its own room.
function fitting(some: readonly Waiting[], roomBytes: number): readonly Waiting[] {
  let room = roomBytes - SEGMENT_HEADER_BYTES;
  const end = some.findIndex((waiting) => {
    room -= frameBytes(waiting);
    return room < 0;
  });
  return end < 0 ? some : some.slice(0, Math.max(1, end));
}

function entryOf({ body: { bytes, ...body }, shard, order, storedMs, resolve }: Waiting, place?: Place): Entry {
  const fresh = { isStored: place !== undefined, isRepeat: false, isUnderWay: false };
  return { body, shard, order, storedMs, place, ...fresh, bytes, accept: resolve };
}
