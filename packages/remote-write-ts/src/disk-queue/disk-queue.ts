// Bodies between the shards and the endpoint, kept on disk: appended before they are sent, forgotten only after their final
// fate. Each shard's bodies are sent in order, one at a time. A disk that fails costs nobody data: what it doesn't take is
// sent from memory, and who appended it waits until then, as without a disk queue.

import type { PointCounts, RequestBody } from '../points/index.ts';
import { type BookHooks, Books, describe } from './books.ts';
import { CursorFiles } from './cursor-files.ts';
import { type Deliver, Delivery } from './delivery.ts';
import type { Entry } from './entry.ts';
import { DiskQueueError } from './errors.ts';
import type { FileSystem } from './file-system.ts';
import { Intake } from './intake.ts';
import type { Lanes } from './lanes.ts';
import { nodeFileSystem } from './node-file-system.ts';
import { type DiskQueueOptions, type ResolvedDiskQueue, resolveDiskQueue } from './options.ts';
import { type Recovered, recover } from './recover.ts';
import { Retention } from './retention.ts';
import { SegmentLog } from './segment-log.ts';
import type { DiskErrorKind, DiskQueueStats } from './stats.ts';
import { readAgain } from './unread.ts';

export interface DiskQueueHooks extends BookHooks {
  /** Milliseconds since the Unix epoch. */
  now: () => number;
  random: () => number;
  /** Settles, either way, when the signal aborts. */
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  deliver: Deliver;
  /** A body that an earlier process has left. */
  onFound: (counts: PointCounts, maxTimestampMs: number) => void;
}

/** For the policy `interval`. */
const SYNC_INTERVAL_MS = 1_000;

interface Parts {
  lanes: Lanes;
  log: SegmentLog;
  cursor: CursorFiles;
  retention: Retention;
  delivery: Delivery;
  timer: NodeJS.Timeout | undefined;
}

export class DiskQueue {
  readonly #options: ResolvedDiskQueue;
  readonly #hooks: DiskQueueHooks;
  readonly #fs: FileSystem;
  readonly #lock: { release(): void };
  readonly #books: Books;
  readonly #intake: Intake;
  readonly #stopping = new AbortController();
  /** Set when it is open. */
  #parts: Parts | undefined;
  #shards = 1;
  #drainWaiters: { until: number; resolve: () => void }[] = [];
  #closing: Promise<void> | undefined;
  /** Resolves when what an earlier process left has been read. Rejects with a DiskQueueError: then nothing can be appended. */
  readonly ready: Promise<void>;

  /**
   * Takes the directory's lock at once; the rest happens behind `ready`.
   * @throws SenderError `bad_option`; DiskQueueError `locked`, `unreadable`
   */
  constructor(options: DiskQueueOptions, hooks: DiskQueueHooks) {
    this.#options = resolveDiskQueue(options);
    this.#hooks = hooks;
    this.#fs = options.fileSystem ?? nodeFileSystem;
    this.#books = new Books(hooks);
    this.#lock = this.#fs.lock(this.#options.dir);
    this.ready = this.#open();
    this.#intake = new Intake(this.#books, {
      now: hooks.now,
      ready: this.ready,
      parts: () => this.#parts!,
      shards: () => this.#shards,
      onEntries: (entries) => this.#push(entries),
    });
    // Whoever appends is told as well.
    this.ready.catch((error: unknown) => this.#books.warn(describe(error)));
  }

  /** What is appended from now on is sharded by so many. All that was appended before must have been accepted. */
  relayout(shards: number): void {
    this.#shards = shards;
    this.#parts?.lanes.relayout(shards);
    this.#parts?.delivery.serve();
  }

  /** Resolves when the body is on disk, or has its final fate. Rejects with a DiskQueueError if it can't be opened, or is closed. */
  append(shard: number, body: RequestBody): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(new DiskQueueError('closed', 'the disk queue is closed'));
    return this.#intake.append(shard, body);
  }

  /** Resolves when all that was appended before, or found, has its final fate, or the queue is stopped. */
  async drained(): Promise<void> {
    await this.ready;
    const until = this.#intake.order;
    if (this.#lowestOrder >= until) return;
    await new Promise<void>((resolve) => this.#drainWaiters.push({ until, resolve }));
  }

  stats(): DiskQueueStats {
    const { lanes, log } = this.#parts ?? {};
    const oldestMs = lanes?.oldestMs ?? Number.POSITIVE_INFINITY;
    return {
      bodies: lanes?.bodies ?? 0,
      points: lanes?.points ?? { samples: 0, histograms: 0, exemplars: 0 },
      segments: log?.segments ?? 0,
      sizeBytes: log?.sizeBytes ?? 0,
      aside: { files: log?.asides.files ?? 0, sizeBytes: log?.asides.sizeBytes ?? 0 },
      oldestMs: Number.isFinite(oldestMs) ? oldestMs : 0,
      ...this.#books.snapshot(),
    };
  }

  /** Starts no more bodies: to be told just before what is on its way is aborted. What is appended is still stored. Idempotent. */
  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#wake();
    void this.#parts?.delivery.giveUpUnstored();
  }

  /** Waits for what is on its way, and frees the directory. What has no final fate stays for the next process. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #open(): Promise<void> {
    const { dir, fsync } = this.#options;
    const books = this.#books;
    const { signal } = this.#stopping;
    const onError = (kind: DiskErrorKind, error: unknown) => books.failed(kind, error);
    let found: Recovered;
    try {
      found = await recover(this.#fs, dir, {
        ...this.#options,
        sleep: this.#hooks.sleep,
        signal,
        onError,
      });
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    this.#report(found);
    const { lanes } = found;
    const fs = this.#fs;
    const { random, now, deliver, sleep, onFound } = this.#hooks;
    const log = new SegmentLog(fs, dir, found, { ...this.#options, now, random, onError });
    const cursor = new CursorFiles(fs, dir, found.cursor, {
      fsync,
      current: () => {
        // It passes them now.
        books.lost += lanes.takeLost();
        return lanes.cursor();
      },
      onError: (error) => onError('cursor', error),
    });
    const advanceCursor = () => cursor.advance();
    const onDropped = () => this.#afterDrops();
    const retention = new Retention(lanes, log, books, {
      ...this.#options,
      now,
      advanceCursor,
      onDropped,
      sleep,
      signal,
    });
    const delivery = new Delivery({
      lanes,
      log,
      retention,
      books,
      deliver,
      sleep,
      readAgain: (unread) =>
        readAgain(unread, { fs, lanes, log, retention, books, sleep, advanceCursor, onFound, signal }),
      advanceCursor,
      onSettled: () => this.#wake(),
      signal,
    });
    // From the first moment on, so that not having one means that it was lost.
    await advanceCursor();
    for (const segment of found.strange) if (await log.putAside(segment)) books.unreadable++;
    const sync = () => {
      void log.sync();
      void cursor.sync();
    };
    const timer = fsync === 'interval' ? setInterval(sync, SYNC_INTERVAL_MS).unref() : undefined;
    this.#parts = { lanes, log, cursor, retention, delivery, timer };
    lanes.relayout(this.#shards);
    await retention.dropOld();
    await retention.reclaim();
    // If it was more before.
    await retention.makeRoom(0);
    delivery.serve();
  }

  #report({ lanes, tornBytes, damaged, unread, strange }: Recovered): void {
    const books = this.#books;
    books.replayed = lanes.bodies;
    books.tornBytes = tornBytes;
    for (const { body } of lanes.entries()) this.#hooks.onFound(body.counts, body.maxTimestampMs);
    const { missing } = lanes.progress;
    if (missing + damaged > 0) books.warn(`${damaged} bodies are damaged, and ${missing} can't be found`);
    if (unread.length > 0)
      books.warn(`${unread.length} segments can't be read: that is tried again when it is their turn`);
    for (const { path } of strange) books.warn(`${path} has a name that can't be: it is put aside`);
  }

  async #push(entries: readonly Entry[]): Promise<void> {
    const { lanes, retention, delivery } = this.#parts!;
    for (const entry of entries) lanes.push(entry);
    for (const { place, accept } of entries) if (place !== undefined) accept?.();
    if (this.#stopping.signal.aborted) await delivery.giveUpUnstored();
    else delivery.serve();
    await retention.reclaim();
  }

  #afterDrops(): void {
    this.#wake();
    this.#parts?.delivery.serve();
  }

  get #lowestOrder(): number {
    if (this.#stopping.signal.aborted) return Number.POSITIVE_INFINITY;
    return Math.min(this.#parts?.lanes.lowestOrder ?? Number.POSITIVE_INFINITY, this.#intake.lowestOrder);
  }

  #wake(): void {
    if (this.#drainWaiters.length === 0) return;
    const lowest = this.#lowestOrder;
    const done = this.#drainWaiters.filter(({ until }) => until <= lowest);
    this.#drainWaiters = this.#drainWaiters.filter(({ until }) => until > lowest);
    for (const { resolve } of done) resolve();
  }

  async #shutDown(): Promise<void> {
    this.stop();
    await this.ready.catch(() => {});
    await this.#intake.idle();
    if (this.#parts !== undefined) {
      const { delivery, cursor, log, timer } = this.#parts;
      clearInterval(timer);
      await delivery.giveUpUnstored();
      await cursor.close();
      await log.close();
    }
    this.#lock.release();
  }
}
