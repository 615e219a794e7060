// Bodies between the shards and the endpoint, kept on disk: appended before they are sent, forgotten only after their final
// fate. Each shard's bodies are sent in order, one at a time. A disk that fails costs nobody data: what it doesn't take is
// sent from memory, and who appended it waits until then, as without a disk queue.

import type { PointCounts, RequestBody } from '../points/index.ts';
import { CursorFiles } from './cursor-files.ts';
import type { Entry } from './entry.ts';
import { DiskQueueError } from './errors.ts';
import type { FileSystem } from './file-system.ts';
import { isBodySound } from './frame.ts';
import type { Lanes } from './lanes.ts';
import { nodeFileSystem } from './node-file-system.ts';
import { type DiskQueueOptions, resolveDiskQueue } from './options.ts';
import { type Recovered, recover } from './recover.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';
import { frameBytes, SegmentLog, type Unstored } from './segment-log.ts';
import type { DiskDropReason, DiskErrorKind, DiskQueueStats } from './stats.ts';

export interface DiskQueueHooks {
  /** Milliseconds since the Unix epoch. */
  now: () => number;
  random: () => number;
  /** Settles, either way, when the signal aborts. */
  sleep: (waitMs: number, signal: AbortSignal) => Promise<void>;
  /**
   * Takes a body to its final fate, or leaves it `unsettled` when it is told to stop. Must not reject.
   * @param info `isStored`: an unsettled one will be sent by the next process; otherwise it is lost.
   */
  deliver: (body: RequestBody, info: { isRepeat: boolean; isStored: boolean }) => Promise<'settled' | 'unsettled'>;
  onFound: (counts: PointCounts, maxTimestampMs: number) => void;
  onDropped: (reason: DiskDropReason, counts: PointCounts) => void;
  /** Told in words what is wrong with the disk, and when it is well again. */
  onWarning: (message: string) => void;
}

/** For the policy `interval`. */
const SYNC_INTERVAL_MS = 1_000;
/** How long a disk that has failed is left alone. */
const DISK_PAUSE_MS = 1_000;
/** What one write takes at most: those who come while one is under way share the next. */
const MAX_WRITE_BODIES = 256;
/** What can't be read may be there a moment later; what never comes back must not hold up its shard for ever. */
const MAX_READS = 10;
const READ_PAUSE_MS = 1_000;

interface Waiting extends Unstored {
  order: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class DiskQueue {
  readonly #options: ReturnType<typeof resolveDiskQueue>;
  readonly #hooks: DiskQueueHooks;
  readonly #fs: FileSystem;
  readonly #lock: { release(): void };
  /** Set when it is open. */
  #lanes: Lanes | undefined;
  #log: SegmentLog | undefined;
  #cursor: CursorFiles | undefined;
  #shards = 1;
  #order = 0;
  #waiting: Waiting[] = [];
  #isWriting = false;
  readonly #stopping = new AbortController();
  #diskFailedMs = Number.NEGATIVE_INFINITY;
  #isDiskWell = true;
  #running = new Set<Promise<void>>();
  readonly #runningLanes = new Set<number>();
  #drainWaiters: { until: number; resolve: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  readonly #sums = {
    replayed: 0,
    stored: 0,
    unstored: 0,
    settled: 0,
    dropped: { disk_max_bytes: 0, disk_max_age: 0, disk_damaged: 0 },
    lost: 0,
    tornBytes: 0,
    errors: { write: 0, sync: 0, read: 0, cursor: 0, remove: 0 },
  };
  #lastError: string | undefined;
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
    this.#lock = this.#fs.lock(this.#options.dir);
    this.ready = this.#open();
    // Whoever appends is told.
    this.ready.catch((error: unknown) => this.#hooks.onWarning(`disk queue: ${describe(error)}`));
  }

  /** What is appended from now on is sharded by so many. All that was appended before must have been accepted. */
  relayout(shards: number): void {
    this.#shards = shards;
    this.#lanes?.relayout(shards);
    this.#serve();
  }

  /** Resolves when the body is on disk, or has its final fate. Rejects with a DiskQueueError if it can't be opened. */
  append(shard: number, body: RequestBody): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ body, shard, storedMs: this.#hooks.now(), order: this.#order++, resolve, reject });
      void this.#write();
    });
  }

  /** Resolves when all that was appended before, or found, has its final fate, or the queue is stopped. */
  async drained(): Promise<void> {
    await this.ready;
    const until = this.#order;
    if (this.#isStopped || this.#lowestOrder >= until) return;
    await new Promise<void>((resolve) => this.#drainWaiters.push({ until, resolve }));
  }

  stats(): DiskQueueStats {
    const oldestMs = this.#lanes?.oldestMs ?? Number.POSITIVE_INFINITY;
    return {
      bodies: this.#lanes?.bodies ?? 0,
      points: this.#lanes?.points ?? { samples: 0, histograms: 0, exemplars: 0 },
      segments: this.#log?.segments ?? 0,
      sizeBytes: this.#log?.sizeBytes ?? 0,
      oldestMs: Number.isFinite(oldestMs) ? oldestMs : 0,
      ...structuredClone(this.#sums),
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
    };
  }

  /** Starts no more bodies: to be told just before what is on its way is aborted. What is appended is still stored. */
  stop(): void {
    if (this.#isStopped) return;
    this.#stopping.abort();
    this.#wake();
    void this.#giveUpUnstored();
  }

  /** Waits for what is on its way, and frees the directory. What has no final fate stays for the next process. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #open(): Promise<void> {
    const { dir, fsync, segmentBytes } = this.#options;
    let found: Recovered;
    try {
      found = await recover(this.#fs, dir, (kind, error) => this.#noteError(kind, error));
      const onError = (error: unknown) => this.#noteError('cursor', error);
      const current = () => found.lanes.cursor();
      this.#cursor = new CursorFiles(this.#fs, dir, found.cursor, { fsync, current, onError });
    } catch (error) {
      this.#lock.release();
      throw error instanceof DiskQueueError
        ? error
        : new DiskQueueError('unreadable', describe(error), { cause: error });
    }
    const { lanes } = found;
    this.#sums.replayed = lanes.bodies;
    this.#sums.lost = found.lost;
    this.#sums.tornBytes = found.tornBytes;
    for (const { body } of lanes.entries()) this.#hooks.onFound(body.counts, body.maxTimestampMs);
    for (const counts of found.damaged) {
      this.#hooks.onFound(counts, 0);
      this.#noteDropped('disk_damaged', counts);
    }
    this.#log = new SegmentLog(this.#fs, dir, found, {
      segmentBytes,
      fsync,
      random: this.#hooks.random,
      onError: (kind, error) => this.#noteError(kind, error),
    });
    this.#lanes = lanes;
    lanes.relayout(this.#shards);
    if (fsync === 'interval') {
      this.#timer = setInterval(() => {
        void this.#log?.sync();
        void this.#cursor?.sync();
      }, SYNC_INTERVAL_MS).unref();
    }
    this.#dropOld();
    // From the first on, so that not having one means that it was lost.
    await this.#cursor.advance();
    await this.#reclaim();
    this.#serve();
  }

  // One at a time: those who come while it runs are written together by its next round.
  async #write(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      await this.ready;
      while (this.#waiting.length > 0) {
        this.#dropOld();
        const some = this.#waiting.slice(0, MAX_WRITE_BODIES);
        const entries = await this.#store(some);
        this.#waiting.splice(0, entries.length);
        for (const entry of entries) this.#lanes!.push(entry);
        for (const { place, accept } of entries) if (place !== undefined) accept?.();
        if (this.#isStopped) await this.#giveUpUnstored();
        else this.#serve();
        await this.#reclaim();
      }
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    } finally {
      this.#isWriting = false;
    }
  }

  // Entries for the first of these, or all of them: on disk, or else in memory.
  async #store(some: readonly Waiting[]): Promise<Entry[]> {
    const log = this.#log!;
    const nowMs = this.#hooks.now();
    const isPaused = nowMs >= this.#diskFailedMs && nowMs - this.#diskFailedMs < DISK_PAUSE_MS;
    if (!isPaused && (await this.#makeRoom(SEGMENT_HEADER_BYTES + frameBytes(some[0]!)))) {
      // What fails in a segment may succeed in a new one.
      for (let attempt = 0; attempt < 2; attempt++) {
        try {
          const places = await log.append(this.#fitting(some), this.#shards);
          this.#sums.stored += places.length;
          this.#noteDisk(true);
          return places.map((place, i) => this.#entryOf(some[i]!, place));
        } catch {
          // Counted by the log.
        }
      }
      this.#diskFailedMs = this.#hooks.now();
      this.#noteDisk(false);
    }
    this.#sums.unstored += some.length;
    return some.map((waiting) => this.#entryOf(waiting, undefined));
  }

  // Not more at once than there is room for without dropping more than the first one needs.
  #fitting(some: readonly Waiting[]): readonly Waiting[] {
    let room = this.#options.maxBytes - this.#log!.sizeBytes - SEGMENT_HEADER_BYTES;
    const end = some.findIndex((waiting) => {
      room -= frameBytes(waiting);
      return room < 0;
    });
    return end < 0 ? some : some.slice(0, Math.max(1, end));
  }

  #entryOf({ body: { bytes, ...body }, shard, order, storedMs, resolve }: Waiting, place: Entry['place']): Entry {
    return {
      body,
      shard,
      order,
      storedMs,
      place,
      isRepeat: false,
      bytes,
      isUnderWay: false,
      accept: resolve,
    };
  }

  // Drops the oldest segments until there is room. False if there can't be.
  async #makeRoom(sizeBytes: number): Promise<boolean> {
    const log = this.#log!;
    const { maxBytes } = this.#options;
    if (sizeBytes > maxBytes) return false;
    while (log.segments > 0 && log.sizeBytes + sizeBytes > maxBytes) {
      if (log.oldest === undefined) await log.retire();
      const { oldest } = log;
      if (oldest === undefined) return false;
      for (const { body } of this.#lanes!.dropSegment(oldest)) this.#noteDropped('disk_max_bytes', body.counts);
      if (!(await log.removeOldest())) return false;
    }
    this.#afterDrops();
    return true;
  }

  #dropOld(): void {
    const old = this.#lanes!.dropOlderThan(this.#hooks.now() - this.#options.maxAgeMs);
    if (old.length === 0) return;
    for (const { body } of old) this.#noteDropped('disk_max_age', body.counts);
    this.#afterDrops();
  }

  #afterDrops(): void {
    this.#wake();
    if (this.#lanes!.advance()) this.#serve();
  }

  /** Starts the lanes that have something to send. */
  #serve(): void {
    const lanes = this.#lanes;
    if (lanes === undefined || this.#isStopped) return;
    for (let lane = 0; lane < lanes.served; lane++) {
      if (this.#runningLanes.has(lane)) continue;
      const entry = lanes.take(lane);
      if (entry === undefined) continue;
      this.#runningLanes.add(lane);
      const running = this.#run(lane, entry).finally(() => {
        this.#running.delete(running);
        this.#runningLanes.delete(lane);
        // A body may have come since the last look, or this was the last one before another layout.
        lanes.advance();
        this.#serve();
      });
      this.#running.add(running);
    }
  }

  async #run(lane: number, first: Entry): Promise<void> {
    const lanes = this.#lanes!;
    for (let entry: Entry | undefined = first; entry !== undefined; entry = this.#next(lane)) {
      if (!(await this.#deliver(entry))) {
        entry.isUnderWay = false;
        return;
      }
      lanes.settle(lane, entry);
      entry.accept?.();
      this.#wake();
      // Before the next one is sent: so that not more than one is sent again.
      if (entry.place !== undefined) await this.#cursor!.advance();
      await this.#reclaim();
    }
  }

  #next(lane: number): Entry | undefined {
    if (this.#isStopped) return undefined;
    this.#dropOld();
    return this.#lanes!.take(lane);
  }

  // The disk doesn't have them, and nobody is to wait for them: they are delivered to the abort.
  async #giveUpUnstored(): Promise<void> {
    await Promise.all(this.#running);
    for (const entry of this.#lanes?.takeUnstored() ?? []) {
      await this.#deliver(entry);
      entry.accept?.();
    }
  }

  /** False if it was left unsettled. */
  async #deliver(entry: Entry): Promise<boolean> {
    const bytes = entry.bytes ?? (await this.#read(entry));
    if (bytes === 'stopped') return false;
    if (bytes === 'damaged') {
      this.#noteDropped('disk_damaged', entry.body.counts);
      return true;
    }
    const { isRepeat, place } = entry;
    const fate = await this.#hooks.deliver({ ...entry.body, bytes }, { isRepeat, isStored: place !== undefined });
    if (fate === 'settled') this.#sums.settled++;
    return fate === 'settled' || place === undefined;
  }

  /** The bytes, or why there are none. */
  async #read({ place }: Entry): Promise<Uint8Array | 'damaged' | 'stopped'> {
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await this.#log!.read(place!);
        return isBodySound(bytes, place!, place!.segment.salt) ? bytes : 'damaged';
      } catch (error) {
        this.#noteError('read', error);
      }
      if (attempt === MAX_READS) return 'damaged';
      await this.#hooks.sleep(READ_PAUSE_MS, this.#stopping.signal).catch(() => {});
      if (this.#isStopped) return 'stopped';
    }
  }

  // From the oldest on only: so that a gap between sequences always means a loss.
  async #reclaim(): Promise<void> {
    while (this.#log!.oldest?.unsettled === 0) if (!(await this.#log!.removeOldest())) return;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  get #lowestOrder(): number {
    return Math.min(
      this.#lanes?.lowestOrder ?? Number.POSITIVE_INFINITY,
      this.#waiting[0]?.order ?? Number.POSITIVE_INFINITY,
    );
  }

  #wake(): void {
    if (this.#drainWaiters.length === 0) return;
    const lowest = this.#isStopped ? Number.POSITIVE_INFINITY : this.#lowestOrder;
    const done = this.#drainWaiters.filter(({ until }) => until <= lowest);
    this.#drainWaiters = this.#drainWaiters.filter(({ until }) => until > lowest);
    for (const { resolve } of done) resolve();
  }

  #noteDropped(reason: DiskDropReason, counts: PointCounts): void {
    this.#sums.dropped[reason]++;
    this.#hooks.onDropped(reason, counts);
  }

  #noteError(kind: DiskErrorKind, error: unknown): void {
    this.#sums.errors[kind]++;
    this.#lastError = `${kind}: ${describe(error)}`;
  }

  #noteDisk(isWell: boolean): void {
    if (isWell === this.#isDiskWell) return;
    this.#isDiskWell = isWell;
    this.#hooks.onWarning(
      isWell
        ? 'disk queue: the disk takes data again'
        : `disk queue: the disk takes no data (${this.#lastError}); going on in memory`,
    );
  }

  async #shutDown(): Promise<void> {
    this.stop();
    clearInterval(this.#timer);
    await this.ready.catch(() => {});
    await Promise.all(this.#running);
    for (const { reject } of this.#waiting.splice(0)) reject(new DiskQueueError('closed', 'the disk queue is closed'));
    await this.#cursor?.close();
    await this.#log?.close();
    this.#lock.release();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
