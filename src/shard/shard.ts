// A shard: decides ticks, folds the records of each, and at every boundary takes the snapshot that becomes a ledger entry. Driven by
// batches, end marks and the wall clock that its owner passes in; it owns no thread, socket or timer.

import { isDeepStrictEqual } from 'node:util';
import type { TenantSettings } from '../config/index.ts';
import { Fold } from '../fold/index.ts';
import { crc32c, ENCODINGS, type EndMark, type LogBatch } from '../log/index.ts';
import { DecodeError, readPushBytes } from '../otlp/index.ts';
import type { Section } from '../registry/index.ts';
import type { Position, SnapshotContent } from './protocol.ts';
import { TICK_TIMES, TickMachine } from './ticks/index.ts';

/** At most this many snapshots wait for the ledger; then folding stops until one is durable. */
const MAX_SNAPSHOTS_IN_FLIGHT = 2;

export interface ShardOptions {
  boundaryMs: number;
  engine: string;
  settingsOf(tenant: string): TenantSettings;
  /** Runs the snapshot of a boundary: where its owner measures and traces it. */
  aroundBoundary?<T>(tMs: number, work: () => T): T;
  onSnapshot(content: SnapshotContent): void;
  /** Everything at the boundary whose snapshot was just given: what a base is made of. */
  onBase(tMs: number, sections: Section[]): void;
  /** Size of the partition's batches (batchSizeBytes) that are folded, since `begin`. */
  onFolded(partition: number, bytes: number): void;
  /** Nothing here looks at the batch again: its memory may go. */
  onSpent?(batch: LogBatch): void;
  onPoison(record: { partition: number; offset: number; tenant: string; reason: string; message: string }): void;
  /** Is told of each record before it is folded, and with -1 before anything else is done. */
  inHand?(partition: number, offset: number): void;
  /** Records that must not be touched: `partition:offset`. */
  fatalRecords?: ReadonlySet<string>;
  /** A partition that was added takes part from now on: its batches may be offered. */
  onAdded?(partition: number, offset: number): void;
}

interface LastRecord {
  offset: number;
  timestampMs: number;
  bytes: Uint8Array;
}

export class Shard {
  readonly fold: Fold;
  records = 0;
  undecodable = 0;
  lastBoundaryMs: number | undefined;
  private readonly options: ShardOptions;
  private machine: TickMachine | undefined;
  private epoch = 1;
  private settingsOf: ShardOptions['settingsOf'];
  /** Some tenants still have older settings: each changes over at a boundary of its own. */
  private isChangeDue = false;
  private inFlight = 0;
  private baseWanted = false;
  private stopping = false;
  private finished = false;
  /** The configuration changed; no entry says so yet. */
  private isNewEpoch = false;
  /** Up to here entries are owed, even to a fold without work: the next boundary of tenants with a longer interval. */
  private owedMs = 0;
  private tickEnds: number[] = [];
  private tickOffsets: number[] = [];
  /** Partitions that come in with the next entry: the ticks of one entry all have the same. */
  private arriving: [partition: number, offset: number][] = [];
  private readonly foldedBytes = new Map<number, number>();
  private readonly lastRecords = new Map<number, LastRecord>();
  private readonly lastIdentities = new Map<number, [offset: number, timestampMs: number, crc: number]>();

  constructor(options: ShardOptions) {
    this.options = options;
    this.settingsOf = options.settingsOf;
    this.fold = new Fold({ settingsOf: options.settingsOf, originMs: 0 });
  }

  /** State of a base or an entry, in order. */
  load(sections: readonly Section[], tMs: number): void {
    for (const section of sections) this.fold.load(section, tMs);
  }

  /**
   * State is loaded; folding goes on at `position`. Configuration that changed since opens a new epoch: rows whose layout is
   * another one end.
   */
  begin(position: Position): void {
    this.fold.loaded();
    this.epoch = position.epoch;
    this.changeOver(position.tMs, position.isFinal);
    for (const [partition, offset, timestampMs, crc] of position.lastRecords)
      this.lastIdentities.set(partition, [offset, timestampMs, crc]);
    this.lastBoundaryMs = position.tMs;
    if (position.tMs !== undefined) this.owedMs = this.nextBoundaryOfAll(position.tMs);
    this.machine = new TickMachine(
      { ...TICK_TIMES, from: new Map(position.offsets), boundaryMs: this.options.boundaryMs, startMs: position.tMs },
      {
        open: (tickStartMs) => {
          this.putDown();
          this.fold.advance(tickStartMs);
        },
        fold: (batch, index, tickStartMs) => this.foldRecord(batch, index, tickStartMs),
        mayClose: (tickEndMs) => this.mayClose(tickEndMs),
        close: (tickEndMs, nextOffsets, partitions) => this.close(tickEndMs, nextOffsets, partitions),
        spent: (batch) => this.spent(batch),
        drained: (partition, _bufferedBytes, freedBytes) => this.folded(partition, freedBytes),
        hasWork: () => this.stopping || this.fold.hasWork || this.owesEntry(),
      },
    );
  }

  /**
   * New settings, at any time. A tenant that has state takes them over right behind an entry, in a new epoch: behind the last one
   * if nothing was folded since, else behind the next. Never two epochs behind one entry: each must be said.
   */
  configure(settingsOf: ShardOptions['settingsOf']): void {
    this.settingsOf = settingsOf;
    if (!this.machine) return;
    this.isChangeDue = true;
    const { openTickRecords } = this.machine.stats();
    const isAtEntry = this.tickEnds.length === 0 && openTickRecords === 0;
    if (isAtEntry && !this.isNewEpoch) this.changeOver(this.lastBoundaryMs, false);
  }

  offer(batch: LogBatch): void {
    this.machine!.offer(batch);
  }

  end(mark: EndMark): void {
    this.machine!.end(mark);
  }

  /** A partition that appeared later; `onAdded` says when it takes part. */
  add(partition: number, offset: number): void {
    this.arriving.push([partition, offset]);
    if (this.tickEnds.length === 0) this.admit();
  }

  setPaused(partition: number, isPaused: boolean): void {
    this.machine!.setPaused(partition, isPaused);
  }

  /** Folds and closes what can be; false when there is nothing left to do for now. */
  run(wallMs: number, budgetRecords: number): boolean {
    if (!this.machine || this.finished) return false;
    return this.machine.run(wallMs, budgetRecords);
  }

  /** The entry of a snapshot is durable. */
  committed(wantsBase: boolean): void {
    this.inFlight--;
    this.baseWanted ||= wantsBase;
  }

  /** The next tick that closes becomes the last entry, wherever it lies. */
  stop(): void {
    this.stopping = true;
    if (this.machine?.stats().openTickStartMs === undefined) this.finished = true;
    else this.machine.setBoundaryMs(TICK_TIMES.tickMs);
  }

  get done(): boolean {
    return this.finished;
  }

  tickStats() {
    return this.machine?.stats();
  }

  private admit(): void {
    for (const [partition, offset] of this.arriving) {
      this.machine!.addPartition(partition, offset);
      this.options.onAdded?.(partition, offset);
    }
    this.arriving = [];
  }

  private folded(partition: number, freedBytes: number): void {
    const bytes = (this.foldedBytes.get(partition) ?? 0) + freedBytes;
    this.foldedBytes.set(partition, bytes);
    this.options.onFolded(partition, bytes);
  }

  private spent(batch: LogBatch): void {
    const last = this.lastRecords.get(batch.partition);
    if (last?.bytes.buffer === batch.bytes.buffer) this.identify(batch.partition, last);
    this.options.onSpent?.(batch);
  }

  private identify(partition: number, { offset, timestampMs, bytes }: LastRecord): void {
    this.lastIdentities.set(partition, [offset, timestampMs, crc32c(bytes)]);
    this.lastRecords.delete(partition);
  }

  private mayClose(tickEndMs: number): boolean {
    if (this.finished) return false;
    return this.inFlight < MAX_SNAPSHOTS_IN_FLIGHT || !(this.isBoundary(tickEndMs) || this.stopping);
  }

  /** Is there something that no entry says yet, or that was said between two boundaries of its tenant? */
  private owesEntry(): boolean {
    return this.isNewEpoch || this.isChangeDue || this.tickEnds.length > 0 || (this.lastBoundaryMs ?? 0) < this.owedMs;
  }

  /** When every tenant whose interval is longer than that of the entries has had a boundary at or after `tMs`. */
  private nextBoundaryOfAll(tMs: number): number {
    let lastMs = 0;
    for (const { settings } of this.fold.all()) {
      const { collectionIntervalMs } = settings;
      if (collectionIntervalMs <= this.options.boundaryMs) continue;
      lastMs = Math.max(lastMs, Math.ceil(tMs / collectionIntervalMs) * collectionIntervalMs);
    }
    return lastMs;
  }

  private isBoundary(tickEndMs: number): boolean {
    return tickEndMs % this.options.boundaryMs === 0;
  }

  private foldRecord(batch: LogBatch, index: number, tickStartMs: number): void {
    const { inHand, fatalRecords } = this.options;
    inHand?.(batch.partition, batch.offsets[index]!);
    this.records++;
    const tenant = batch.tenants[batch.tenantOf[index]!]!;
    if (fatalRecords?.has(`${batch.partition}:${batch.offsets[index]!}`)) {
      this.poison(batch, index, tenant, 'fatal', 'it ended the worker that folded it');
      return;
    }
    const timestampMs = batch.timestampsMs[index]!;
    const bytes = batch.bytes.subarray(batch.starts[index]!, batch.starts[index + 1]!);
    const tickEndMs = tickStartMs + TICK_TIMES.tickMs;
    const nowMs = Math.min(Math.max(timestampMs, tickStartMs), tickEndMs - 1);
    // The slack rule looks at the record's own time, but never past the open tick: a stamp from the future moves nothing.
    const recordMs = Math.min(timestampMs, tickEndMs);
    try {
      this.push(tenant, nowMs, recordMs, bytes, ENCODINGS[batch.encodings[index]!] ?? 'otlp');
    } catch (error) {
      const reason = error instanceof DecodeError ? error.reason : 'internal';
      this.poison(batch, index, tenant, reason, error instanceof Error ? error.message : String(error));
    }
    const last = this.lastRecords.get(batch.partition);
    if (last) {
      last.offset = batch.offsets[index]!;
      last.timestampMs = timestampMs;
      last.bytes = bytes;
    } else {
      this.lastRecords.set(batch.partition, { offset: batch.offsets[index]!, timestampMs, bytes });
    }
  }

  private poison(batch: LogBatch, index: number, tenant: string, reason: string, message: string): void {
    this.undecodable++;
    this.options.onPoison({ partition: batch.partition, offset: batch.offsets[index]!, tenant, reason, message });
  }

  private push(tenant: string, nowMs: number, recordMs: number, bytes: Uint8Array, encoding: string): void {
    if (encoding === 'otlp') {
      this.fold.push(tenant, nowMs, recordMs, bytes, false);
      return;
    }
    const record = readPushBytes(bytes);
    let failure: unknown;
    for (const { start, end } of record.traces) {
      try {
        this.fold.push(tenant, nowMs, recordMs, bytes.subarray(start, end), record.skipMetrics);
      } catch (error) {
        // One bad trace in a record does not cost its neighbours.
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** What comes is no record's work: whoever ends in it must not blame the last one. */
  private putDown(): void {
    this.options.inHand?.(-1, 0);
  }

  private close(tickEndMs: number, nextOffsets: Float64Array, partitions: readonly number[]): void {
    this.putDown();
    this.fold.advance(tickEndMs);
    this.tickEnds.push(tickEndMs);
    for (const offset of nextOffsets) this.tickOffsets.push(offset);
    if (this.stopping || this.isBoundary(tickEndMs)) this.snapshot(tickEndMs, nextOffsets, partitions);
  }

  private snapshot(tMs: number, nextOffsets: Float64Array, partitions: readonly number[]): void {
    for (const [partition, last] of this.lastRecords) this.identify(partition, last);
    const content: SnapshotContent = {
      kind: this.stopping ? 'final' : 'boundary',
      tMs,
      epoch: this.epoch,
      engine: this.options.engine,
      offsets: partitions.map((partition, i) => [partition, nextOffsets[i]!]),
      lastRecords: partitions.flatMap((partition) => {
        const identity = this.lastIdentities.get(partition);
        return identity ? [[partition, ...identity] as [number, number, number, number]] : [];
      }),
      ticks: {
        endsMs: Float64Array.from(this.tickEnds),
        nextOffsets: Float64Array.from(this.tickOffsets),
        partitions: [...partitions],
      },
      sections: this.options.aroundBoundary?.(tMs, () => this.fold.collect(tMs)) ?? this.fold.collect(tMs),
    };
    // Without work, an entry that is only owed owes no other one.
    if (this.fold.hasWork || (this.lastBoundaryMs ?? 0) >= this.owedMs) this.owedMs = this.nextBoundaryOfAll(tMs);
    this.tickEnds = [];
    this.tickOffsets = [];
    this.isNewEpoch = false;
    this.lastBoundaryMs = tMs;
    this.inFlight++;
    this.finished = this.stopping;
    this.options.onSnapshot(content);
    this.admit();
    if (this.baseWanted) {
      this.baseWanted = false;
      this.options.onBase(tMs, this.fold.everything(tMs));
    }
    if (this.isChangeDue && !this.stopping) this.changeOver(tMs, false);
  }

  /**
   * Brings tenants to the settings that are wanted, behind the entry of `tMs`. One whose boundary that is not waits for its own:
   * rows that end now would never send what that entry says of them.
   */
  private changeOver(tMs: number | undefined, wasSentForAll: boolean): void {
    const { settingsOf } = this;
    const held = new Map<string, TenantSettings>();
    for (const { tenant, settings } of this.fold.all()) {
      const isBoundary = tMs === undefined || wasSentForAll || tMs % settings.collectionIntervalMs === 0;
      if (!isBoundary && !isDeepStrictEqual(settings, settingsOf(tenant))) held.set(tenant, settings);
    }
    this.isChangeDue = held.size > 0;
    if (!this.fold.configure((tenant) => held.get(tenant) ?? settingsOf(tenant))) return;
    this.epoch++;
    this.isNewEpoch = true;
    if (tMs !== undefined) this.owedMs = this.nextBoundaryOfAll(tMs);
  }
}
