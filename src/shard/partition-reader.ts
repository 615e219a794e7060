// Reads a shard's partitions for its worker: from where the ledger says on, within a byte budget. A partition that can't be reached, that
// came later, or whose next records are gone must never hold up another one.

import { setTimeout as pause } from 'node:timers/promises';
import { type LogBatch, type LogConsumer, LogError, type LogListener, type LogSource } from '../log/index.ts';
import { type Logger, LogSampler } from '../telemetry/index.ts';
import { buffersOf } from './batch-buffers.ts';
import { isUnavailable, partitionError } from './host-errors.ts';
import type { Position, ShardPlan, ToShard } from './protocol.ts';
import { ReadBudget } from './read-budget.ts';
import { checkAllThere, ledgerOffset, readStart } from './read-start.ts';
import { batchSizeBytes } from './ticks/index.ts';

/** A partition that can't be reached is asked for again after so long, and spoken of no more often than this. */
const RETRY_MS = 1_000;
const WARN_EVERY_MS = 60_000;
/** Partitions that are looked at together at a start. */
const LOOKS = 64;

export interface PartitionReaderOptions {
  plan: ShardPlan;
  log: LogSource;
  logger: Logger;
  toShard(message: ToShard, transfer?: ArrayBuffer[]): void;
  /** Sees every batch on its way to the shard. */
  onBatch?(batch: LogBatch): void;
  /** Records from `from` up to `to` are gone before they were folded. */
  onGap(gap: { shard: number; partition: number; from: number; to: number }): 'continue' | 'stop';
  /** A partition must not be read on: the shard can't go on. */
  onFailed(error: Error): void;
  /** Replaced in tests. */
  retryMs?: number;
}

export class PartitionReader {
  private readonly options: PartitionReaderOptions;
  private readonly budget: ReadBudget;
  private readonly sampler = new LogSampler(WARN_EVERY_MS);
  private readonly known: Set<number>;
  private position: Position | undefined;
  /** Next offset to be read, by partition. */
  private readonly read = new Map<number, number>();
  private consumer: LogConsumer | undefined;
  /** Ends waits; then nothing more is begun. */
  private readonly ending = new AbortController();

  constructor(options: PartitionReaderOptions) {
    this.options = options;
    this.known = new Set(options.plan.partitions);
    this.budget = new ReadBudget(this.known.size);
  }

  /**
   * Where each partition is to be read on, checked against the log; one that can't be reached now is taken at the ledger's word, and left
   * out where that has none. @throws LogError that says why one must not be read on
   */
  async find(position: Position): Promise<[partition: number, offset: number][]> {
    const { log, plan } = this.options;
    this.position = position;
    checkAllThere(log, position);
    const left = plan.partitions.values();
    const look = async () => {
      for (const partition of left) {
        try {
          this.read.set(partition, await this.startOf(partition));
        } catch (error) {
          if (!isUnavailable(error)) throw error;
          this.warnOf(partition, error);
        }
        if (this.isOver) return;
      }
    };
    await Promise.all(Array.from({ length: LOOKS }, look));
    return plan.partitions.flatMap((partition) => {
      const offset = this.read.get(partition) ?? ledgerOffset(position, partition);
      return offset === undefined ? [] : [[partition, offset] as [number, number]];
    });
  }

  /** Reads what was found; the other partitions as soon as they can be. */
  begin(): void {
    const { log, plan } = this.options;
    const { budget } = this;
    const listener: LogListener = {
      get batchBytes() {
        return budget.batchBytes;
      },
      onBatch: (batch) => this.batch(batch),
      onEnd: (mark) => this.options.toShard({ type: 'end', mark }),
      onError: (partition, error) => {
        this.cut(partition, error).catch((cause) => this.options.onFailed(partitionError(partition, cause)));
      },
    };
    const away = plan.partitions.filter((partition) => !this.read.has(partition));
    const later = [...this.known].filter((partition) => !plan.partitions.includes(partition));
    this.consumer = log.consume(new Map([...this.read].sort(([a], [b]) => a - b)), listener);
    for (const partition of away) this.readLater(partition);
    for (const partition of later) this.addKnown(partition);
  }

  /** The log has a partition more: it is read from its first record on. */
  add(partition: number): void {
    if (this.known.has(partition)) return;
    this.known.add(partition);
    this.budget.divide(this.known.size);
    if (this.consumer) this.addKnown(partition);
  }

  /** The shard expects the records of a partition from this offset on. */
  readFrom(partition: number, offset: number): void {
    this.read.set(partition, offset);
    this.consumer?.add?.(new Map([[partition, offset]]));
  }

  /** @param bytes of the partition's batches that are folded, since the beginning */
  folded(partition: number, bytes: number): void {
    if (!this.budget.folded(partition, bytes)) return;
    this.options.toShard({ type: 'paused', partition, isPaused: false });
    this.consumer?.resume(partition);
  }

  /** Ends waits at once; what was read is still delivered until `stop`. */
  end(): void {
    this.ending.abort();
  }

  /** No message to the shard after it resolves. Idempotent. */
  async stop(): Promise<void> {
    this.end();
    await this.consumer?.stop();
  }

  private get isOver(): boolean {
    return this.ending.signal.aborted;
  }

  private startOf(partition: number): Promise<number> {
    const { log, plan, logger } = this.options;
    const gap = this.gap.bind(this);
    return readStart(partition, { log, plan, logger, position: this.position!, gap });
  }

  private addKnown(partition: number): void {
    const { log, toShard } = this.options;
    this.untilReached(partition, () => log.bounds(partition))
      .then((bounds) => bounds && toShard({ type: 'add', partition, offset: bounds.start }))
      .catch((error) => this.options.onFailed(error));
  }

  /** Of a partition that could not be reached at the start. */
  private readLater(partition: number): void {
    this.untilReached(partition, () => this.startOf(partition))
      .then((offset) => {
        if (offset === undefined) return;
        // Without an offset in the ledger, the shard did not begin with it.
        if (ledgerOffset(this.position!, partition) !== undefined) this.readFrom(partition, offset);
        else this.options.toShard({ type: 'add', partition, offset });
      })
      .catch((error) => this.options.onFailed(error));
  }

  /** A partition can't be read on. Where what was to come next is gone from the log, it goes on behind that, if it may. */
  private async cut(partition: number, error: Error): Promise<void> {
    if (!(error instanceof LogError && error.code === 'offset_out_of_range') || !this.consumer?.add) throw error;
    const bounds = await this.untilReached(partition, () => this.options.log.bounds(partition));
    if (bounds === undefined) return;
    const position = this.read.get(partition) ?? 0;
    if (bounds.start <= position) throw error;
    this.gap(partition, position, bounds.start);
    this.readFrom(partition, bounds.start);
  }

  /** Records from `from` up to `to` are gone before they were folded. @throws LogError where the configuration says to stop */
  private gap(partition: number, from: number, to: number): void {
    const { plan, logger, onGap } = this.options;
    const gap = { shard: plan.shard, partition, from, to };
    if (onGap(gap) === 'stop') {
      throw new LogError(
        'offset_out_of_range',
        `records ${from} to ${to - 1} of partition ${partition} were deleted before they were folded (log.kafka.on_log_gap: continue goes on without them)`,
      );
    }
    logger.error(gap, 'records were deleted before they were folded: they are lost to the metrics');
  }

  /** Asks until there is an answer; undefined when the reading ends before. @throws what isn't to be waited out, said of the partition */
  private async untilReached<T>(partition: number, ask: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.ending;
    while (!this.isOver) {
      try {
        const answer = await ask();
        return this.isOver ? undefined : answer;
      } catch (error) {
        if (this.isOver) return undefined;
        if (!isUnavailable(error)) throw partitionError(partition, error as Error);
        this.warnOf(partition, error);
        await pause(this.options.retryMs ?? RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  private warnOf(partition: number, error: unknown): void {
    const { plan, logger } = this.options;
    const alsoHeldBack = this.sampler.admit(String(partition), performance.now());
    if (alsoHeldBack === undefined) return;
    logger.warn(
      { shard: plan.shard, partition, err: error, alsoHeldBack },
      'a partition can not be reached: it is tried again, and the others go on without it',
    );
  }

  private batch(batch: LogBatch): void {
    const { partition } = batch;
    const { toShard, onBatch } = this.options;
    onBatch?.(batch);
    if (batch.count > 0) this.read.set(partition, batch.offsets[batch.count - 1]! + 1);
    const mustPause = this.budget.handed(partition, batchSizeBytes(batch));
    if (mustPause) this.consumer?.pause(partition);
    toShard({ type: 'batch', batch }, buffersOf(batch));
    if (mustPause) toShard({ type: 'paused', partition, isPaused: true });
  }
}
