// A shard: decides ticks, folds the records of each, and at every boundary takes the snapshot that becomes a ledger entry. Driven by
// batches, end marks and the wall clock that its owner passes in; it owns no thread, socket or timer.

import type { TenantSettings } from '../config/index.ts';
import { Fold } from '../fold/index.ts';
import { crc32c, type EndMark, ENCODINGS, type LogBatch } from '../log/index.ts';
import { DecodeError, readPushBytes } from '../otlp/index.ts';
import type { Section } from '../registry/index.ts';
import type { Position, SnapshotContent } from './protocol.ts';
import { TickMachine } from './ticks/index.ts';

export const TICK_MS = 1_000;
/** At most this many snapshots wait for the ledger; then folding stops until one is durable. */
const MAX_SNAPSHOTS_IN_FLIGHT = 2;

export interface ShardOptions {
  partitions: readonly number[];
  boundaryMs: number;
  engine: string;
  settingsOf(tenant: string): TenantSettings;
  onSnapshot(content: SnapshotContent): void;
  /** Everything at the boundary whose snapshot was just given: what a base is made of. */
  onBase(tMs: number, sections: Section[]): void;
  /** Bytes of the partition's batches that are folded, since `begin`. */
  onFolded(partition: number, bytes: number): void;
  onPoison(record: { partition: number; offset: number; tenant: string; reason: string; message: string }): void;
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
  private inFlight = 0;
  private baseWanted = false;
  private stopping = false;
  private finished = false;
  private tickEnds: number[] = [];
  private tickOffsets: number[] = [];
  private nextOffsets = new Float64Array(0);
  private openTickMs = Number.NaN;
  private readonly offeredBytes = new Map<number, number>();
  private readonly lastRecords = new Map<number, LastRecord>();
  private readonly lastIdentities = new Map<number, [offset: number, timestampMs: number, crc: number]>();

  constructor(options: ShardOptions) {
    this.options = options;
    this.fold = new Fold({ settingsOf: options.settingsOf, originMs: 0 });
  }

  /** State of a base or an entry, in order. */
  load(sections: readonly Section[], tMs: number): void {
    for (const section of sections) this.fold.load(section, tMs);
  }

  /**
   * State is loaded; folding goes on at `position`. Configuration that changed since opens a new epoch now: rows whose layout is
   * another one end.
   */
  begin(position: Position): void {
    this.fold.loaded();
    this.epoch = position.epoch;
    if (this.fold.configure(this.options.settingsOf)) this.epoch++;
    for (const [partition, offset, timestampMs, crc] of position.lastRecords) this.lastIdentities.set(partition, [offset, timestampMs, crc]);
    this.lastBoundaryMs = position.tMs;
    this.nextOffsets = Float64Array.from(position.offsets, ([, offset]) => offset);
    const offsets = new Map(position.offsets);
    this.machine = new TickMachine(
      {
        partitions: this.options.partitions,
        tickMs: TICK_MS,
        graceMs: 1_000,
        maxHoldMs: 60_000,
        maxAheadMs: 10_000,
        boundaryMs: this.options.boundaryMs,
        ...(position.tMs === undefined ? {} : { startMs: position.tMs }),
        nextOffsets: offsets,
      },
      {
        fold: (batch, index, tickStartMs) => this.foldRecord(batch, index, tickStartMs),
        mayClose: (tickEndMs) => this.mayClose(tickEndMs),
        close: (tickEndMs, nextOffsets) => this.close(tickEndMs, nextOffsets),
        drained: (partition, bufferedBytes) => this.options.onFolded(partition, (this.offeredBytes.get(partition) ?? 0) - bufferedBytes),
        hasWork: () => this.fold.hasWork,
      },
    );
  }

  offer(batch: LogBatch): void {
    this.offeredBytes.set(batch.partition, (this.offeredBytes.get(batch.partition) ?? 0) + batch.bytes.length);
    this.machine!.offer(batch);
  }

  end(mark: EndMark): void {
    this.machine!.end(mark);
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
  }

  get done(): boolean {
    return this.finished;
  }

  tickStats() {
    return this.machine?.stats();
  }

  private mayClose(tickEndMs: number): boolean {
    if (this.finished) return false;
    return this.inFlight < MAX_SNAPSHOTS_IN_FLIGHT || !(this.isBoundary(tickEndMs) || this.stopping);
  }

  private isBoundary(tickEndMs: number): boolean {
    return tickEndMs % this.options.boundaryMs === 0;
  }

  private foldRecord(batch: LogBatch, index: number, tickStartMs: number): void {
    if (tickStartMs !== this.openTickMs) {
      // Timers up to the tick's start have fired at the close before; a first tick, or one that was jumped to, catches up here.
      this.fold.advance(tickStartMs);
      this.openTickMs = tickStartMs;
    }
    this.records++;
    const timestampMs = batch.timestampsMs[index]!;
    const bytes = batch.bytes.subarray(batch.starts[index]!, batch.starts[index + 1]!);
    const tickEndMs = tickStartMs + TICK_MS;
    const nowMs = Math.min(Math.max(timestampMs, tickStartMs), tickEndMs - 1);
    // The slack rule looks at the record's own time, but never past the open tick: a stamp from the future moves nothing.
    const recordMs = Math.min(timestampMs, tickEndMs);
    const tenant = batch.tenants[batch.tenantOf[index]!]!;
    try {
      this.push(tenant, nowMs, recordMs, bytes, ENCODINGS[batch.encodings[index]!] ?? 'otlp');
    } catch (error) {
      this.undecodable++;
      this.options.onPoison({
        partition: batch.partition,
        offset: batch.offsets[index]!,
        tenant,
        reason: error instanceof DecodeError ? error.reason : 'internal',
        message: error instanceof Error ? error.message : String(error),
      });
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

  private close(tickEndMs: number, nextOffsets: Float64Array): void {
    this.fold.advance(tickEndMs);
    this.openTickMs = tickEndMs;
    this.tickEnds.push(tickEndMs);
    for (const offset of nextOffsets) this.tickOffsets.push(offset);
    this.nextOffsets = nextOffsets.slice();
    if (this.isBoundary(tickEndMs) || this.stopping) this.snapshot(tickEndMs, this.stopping ? 'final' : 'boundary');
  }

  private snapshot(tMs: number, kind: 'boundary' | 'final'): void {
    const partitions = [...this.options.partitions].sort((a, b) => a - b);
    for (const [partition, { offset, timestampMs, bytes }] of this.lastRecords) {
      this.lastIdentities.set(partition, [offset, timestampMs, crc32c(bytes)]);
    }
    this.lastRecords.clear();
    const content: SnapshotContent = {
      kind,
      tMs,
      epoch: this.epoch,
      engine: this.options.engine,
      offsets: partitions.map((partition, i) => [partition, this.nextOffsets[i]!]),
      lastRecords: partitions.flatMap((partition) => {
        const identity = this.lastIdentities.get(partition);
        return identity ? [[partition, ...identity] as [number, number, number, number]] : [];
      }),
      ticks: { endsMs: Float64Array.from(this.tickEnds), nextOffsets: Float64Array.from(this.tickOffsets), partitions },
      sections: this.fold.collect(tMs),
    };
    this.tickEnds = [];
    this.tickOffsets = [];
    this.lastBoundaryMs = tMs;
    this.inFlight++;
    this.finished = kind === 'final';
    this.options.onSnapshot(content);
    if (this.baseWanted) {
      this.baseWanted = false;
      this.options.onBase(tMs, this.fold.everything(tMs));
    }
  }
}
