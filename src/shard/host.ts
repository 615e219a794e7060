// The main thread's side of a shard: starts its two workers, feeds it from the log within a byte budget, and answers for it. A worker
// that fails ends the host: what is not in the ledger is folded again after the next start.

import { MessageChannel, Worker } from 'node:worker_threads';
import type { EndMark, LogBatch, LogConsumer, LogListener, LogSource } from '../log/index.ts';
import { LogError } from '../log/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { partitionError, ShardFailed, WorkerDied } from './host-errors.ts';
import type {
  FromLedger,
  FromShard,
  LedgerStats,
  Position,
  ShardPlan,
  ShardStats,
  TenantSettingsTable,
  ToLedger,
  ToShard,
} from './protocol.ts';
import { batchSizeBytes } from './ticks/index.ts';

/** Records read but not yet folded, per shard; a partition pauses at its even share. */
const BUFFER_BUDGET_BYTES = 64 << 20;
const SEND_SHARE = 0.6;

export interface ShardHostOptions {
  plan: ShardPlan;
  log: LogSource;
  logger: Logger;
  /** Entry T is durable: records below these offsets are not needed by this shard any more. */
  onCommitted(tMs: number, offsets: [partition: number, nextOffset: number][]): void;
  onPoison(record: { partition: number; offset: number; tenant: string; reason: string }): void;
  /** Sees every batch on its way to the shard. */
  onBatch?(batch: LogBatch): void;
  /** Records from `from` up to `to` are gone before they were folded. */
  onGap(gap: { shard: number; partition: number; from: number; to: number }): 'continue' | 'stop';
  /** The shard, which had begun, can't go on; LogError `ownership_lost` where another owner may have it. */
  onFailed(error: Error): void;
}

export class ShardHost {
  shardStats: ShardStats | undefined;
  ledgerStats: LedgerStats | undefined;
  /** Folding has begun. */
  ready = false;
  private readonly options: ShardHostOptions;
  private readonly shard: Worker;
  private readonly ledger: Worker;
  private consumer: LogConsumer | undefined;
  /** Bytes handed to the shard, by partition, and how many of them it has folded. */
  private readonly handedBytes = new Map<number, number>();
  private readonly foldedBytes = new Map<number, number>();
  private readonly paused = new Set<number>();
  private readonly budgetBytes: number;
  private readonly renders = new Map<number, (text: string | undefined) => void>();
  private nextRender = 1;
  private stopping = false;
  private hasShardEnded = false;
  private failure: Error | undefined;
  private readonly stopped: Record<'shard' | 'ledger', PromiseWithResolvers<void>> = {
    shard: Promise.withResolvers(),
    ledger: Promise.withResolvers(),
  };
  private readonly began = Promise.withResolvers<void>();
  private readonly pinned = Promise.withResolvers<void>();
  private readonly known: Set<number>;
  /** Next offset to be read, by partition. */
  private readonly read = new Map<number, number>();
  /** Partitions that appeared before folding had begun. */
  private early: number[] = [];

  constructor(options: ShardHostOptions) {
    this.options = options;
    const { plan } = options;
    this.known = new Set(plan.partitions);
    this.budgetBytes = Math.max(1 << 20, Math.floor(BUFFER_BUDGET_BYTES / Math.max(1, plan.partitions.length)));
    const { port1, port2 } = new MessageChannel();
    this.shard = spawn('shard-worker', { plan, ledgerPort: port1 }, port1);
    this.ledger = spawn('ledger-worker', { plan, shardPort: port2 }, port2);
    this.shard.on('message', (message: FromShard) => this.fromShard(message));
    this.ledger.on('message', (message: FromLedger) => this.fromLedger(message));
    this.shard.on('error', (error) => this.fail(this.died(error)));
    this.shard.on('exit', (code) => this.fail(this.died(new Error(`exit code ${code}`))));
    this.ledger.on('error', (error) => this.fail(error));
    this.began.promise.catch(() => undefined);
    this.pinned.promise.catch(() => undefined);
  }

  get shardId(): number {
    return this.options.plan.shard;
  }

  /** Resolves when the state is recovered and folding has begun. @throws what `onFailed` would be told later */
  start(): Promise<void> {
    return this.began.promise;
  }

  /** New settings: the shard takes them over behind an entry. Nothing of them is lost if it is still being recovered. */
  configure(settings: TenantSettingsTable): void {
    if (!this.failure && !this.stopping) this.toShard({ type: 'configure', settings });
  }

  /** Text of the newest durable boundary of a tenant; undefined for one that has none. */
  render(tenant: string, openMetrics: boolean): Promise<string | undefined> {
    if (this.failure || this.stopping) return Promise.resolve(undefined);
    const id = this.nextRender++;
    return new Promise((resolve) => {
      this.renders.set(id, resolve);
      this.toLedger({ type: 'render', id, tenant, openMetrics });
    });
  }

  /** Closes the open tick, writes the last entry, sends it, ends both workers; all within the deadline. Idempotent. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    if (!this.failure && this.ready) {
      this.toShard({ type: 'stop' });
      await within(this.stopped.shard.promise, deadlineMs * (1 - SEND_SHARE));
    }
    await this.consumer?.stop();
    if (!this.failure) {
      this.toLedger({
        type: 'stop',
        deadlineMs: Math.floor(deadlineMs * SEND_SHARE * 0.8),
        hasShardEnded: this.hasShardEnded,
      });
      await within(this.stopped.ledger.promise, deadlineMs * SEND_SHARE);
    }
    for (const resolve of this.renders.values()) resolve(undefined);
    this.renders.clear();
    await Promise.all([this.shard.terminate(), this.ledger.terminate()]);
  }

  /** Ends both workers where they are: what they hold may belong to somebody else by now. */
  async abandon(): Promise<void> {
    this.stopping = true;
    for (const resolve of this.renders.values()) resolve(undefined);
    this.renders.clear();
    await this.consumer?.stop();
    await Promise.all([this.shard.terminate(), this.ledger.terminate()]);
  }

  private fromShard(message: FromShard): void {
    switch (message.type) {
      case 'recovered':
        this.begin(message.position).catch((error) => this.fail(error));
        break;
      case 'added':
        this.read.set(message.partition, message.offset);
        this.consumer?.add?.(new Map([[message.partition, message.offset]]));
        break;
      case 'folded':
        this.folded(message.partition, message.bytes);
        break;
      case 'poison':
        this.options.onPoison(message);
        break;
      case 'stats':
        this.shardStats = message.stats;
        break;
      case 'stopped':
        this.hasShardEnded = true;
        this.stopped.shard.resolve();
        break;
    }
  }

  private fromLedger(message: FromLedger): void {
    switch (message.type) {
      case 'committed':
        this.options.onCommitted(message.tMs, message.offsets);
        break;
      case 'rendered':
        this.renders.get(message.id)?.(message.text);
        this.renders.delete(message.id);
        break;
      case 'stats':
        this.ledgerStats = message.stats;
        break;
      case 'stopped':
        this.stopped.ledger.resolve();
        break;
      case 'pinned':
        this.pinned.resolve();
        break;
      case 'commit':
        this.options.log
          .fence!.commit(message.entry)
          .then((outcome) => this.toLedger({ type: 'commit_outcome', outcome }))
          .catch((error) => this.fail(error));
        break;
      case 'failed':
        this.fail(message.isLost ? new LogError('ownership_lost', message.message) : new ShardFailed(message.message));
        break;
    }
  }

  /** The topic has a partition more, and it is this shard's: read from its first record on. */
  addPartition(partition: number): void {
    if (this.known.has(partition)) return;
    this.known.add(partition);
    if (this.ready) this.addKnown(partition);
    else this.early.push(partition);
  }

  private addKnown(partition: number): void {
    this.options.log
      .bounds(partition)
      .then(({ start }) => this.toShard({ type: 'add', partition, offset: start }))
      .catch((error) => this.fail(error));
  }

  /** Checks the position against the log, commits it where the log fences its readers, then reads on from it. */
  private async begin(position: Position): Promise<void> {
    const { log, plan } = this.options;
    await checkIdentities(log, position);
    const offsets: [number, number][] = [];
    for (const partition of plan.partitions) offsets.push([partition, await this.offsetOf(partition, position)]);
    if (plan.isFenced) {
      this.toLedger({ type: 'pin', offsets });
      await this.pinned.promise;
    }
    this.toShard({ type: 'begin', offsets });
    const listener: LogListener = {
      onBatch: (batch) => this.batch(batch),
      onEnd: (mark: EndMark) => this.toShard({ type: 'end', mark }),
      onError: (partition, error) => {
        this.cut(partition, error).catch((cause) => this.fail(partitionError(partition, cause)));
      },
    };
    for (const [partition, offset] of offsets) this.read.set(partition, offset);
    this.consumer = log.consume(new Map(offsets), listener);
    this.ready = true;
    this.began.resolve();
    for (const partition of this.early.splice(0)) this.addKnown(partition);
  }

  private async offsetOf(partition: number, position: Position): Promise<number> {
    const { log, plan, logger } = this.options;
    const bounds = await log.bounds(partition);
    const known = position.offsets.find(([id]) => id === partition)?.[1];
    if (known === undefined) {
      // A shard that has a position met all partitions there were: this one came later.
      const isFirstStart = position.offsets.length === 0;
      if (isFirstStart && !log.startOffset && bounds.end > 0) {
        logger.warn(
          { shard: plan.shard, partition, ...bounds },
          'the ledger is empty, the log is not: all that it still holds is counted anew',
        );
      }
      return isFirstStart && log.startOffset ? log.startOffset(partition) : bounds.start;
    }
    if (known > bounds.end) {
      throw new LogError(
        'offset_out_of_range',
        `partition ${partition} ends at ${bounds.end}, but the ledger has folded up to ${known}: the log was cut back or replaced. With the shard's ledger (${plan.ledgerPath}) moved away, all that the log still holds is counted anew`,
      );
    }
    if (known >= bounds.start) return known;
    this.gap(partition, known, bounds.start);
    return bounds.start;
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

  /** A partition can't be read on. Where what was to come next is gone from the log, it goes on behind that, if it may. */
  private async cut(partition: number, error: Error): Promise<void> {
    if (!(error instanceof LogError && error.code === 'offset_out_of_range') || !this.consumer?.add) throw error;
    const { start } = await this.options.log.bounds(partition);
    const position = this.read.get(partition) ?? 0;
    if (start <= position) throw error;
    this.gap(partition, position, start);
    this.read.set(partition, start);
    this.consumer.add(new Map([[partition, start]]));
  }

  private batch(batch: LogBatch): void {
    const { partition } = batch;
    this.options.onBatch?.(batch);
    if (batch.count > 0) this.read.set(partition, batch.offsets[batch.count - 1]! + 1);
    let pausedNow = false;
    this.handedBytes.set(partition, (this.handedBytes.get(partition) ?? 0) + batchSizeBytes(batch));
    if (this.waitingBytes(partition) > this.budgetBytes && !this.paused.has(partition)) {
      this.paused.add(partition);
      this.consumer?.pause(partition);
      pausedNow = true;
    }
    const buffers = [batch.bytes, batch.offsets, batch.timestampsMs, batch.encodings, batch.tenantOf, batch.starts].map(
      (a) => a.buffer as ArrayBuffer,
    );
    this.shard.postMessage({ type: 'batch', batch } satisfies ToShard, [...new Set(buffers)]);
    if (pausedNow) this.toShard({ type: 'paused', partition, isPaused: true });
  }

  private folded(partition: number, bytes: number): void {
    this.foldedBytes.set(partition, bytes);
    if (this.waitingBytes(partition) > this.budgetBytes / 2 || !this.paused.delete(partition)) return;
    this.toShard({ type: 'paused', partition, isPaused: false });
    this.consumer?.resume(partition);
  }

  private waitingBytes(partition: number): number {
    return (this.handedBytes.get(partition) ?? 0) - (this.foldedBytes.get(partition) ?? 0);
  }

  private died(cause: Error): WorkerDied {
    const [partition, offset] = new Float64Array(this.options.plan.inHand);
    return new WorkerDied(cause, partition! < 0 ? undefined : [partition!, offset!]);
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    const hadBegun = this.ready;
    this.ready = false;
    for (const resolve of this.renders.values()) resolve(undefined);
    this.renders.clear();
    this.began.reject(error);
    this.pinned.reject(error);
    this.stopped.shard.resolve();
    this.stopped.ledger.resolve();
    // Before that `start` says it.
    if (hadBegun && !this.stopping) this.options.onFailed(error);
  }

  private toShard(message: ToShard): void {
    this.shard.postMessage(message);
  }

  private toLedger(message: ToLedger): void {
    this.ledger.postMessage(message);
  }
}

/** The last folded records must still be what they were, or be gone: else this is another log. */
async function checkIdentities(log: LogSource, position: Position): Promise<void> {
  for (const [partition, offset, timestampMs, crc] of position.lastRecords) {
    const found = await log.identify(partition, offset);
    if (found && (found.timestampMs !== timestampMs || found.crc !== crc)) {
      throw new LogError(
        'log_damaged',
        `record ${offset} of partition ${partition} is not the one that the ledger has folded: another log was put in place of this one`,
      );
    }
  }
}

/** Workers run the file that lies beside this one: compiled, or the source where this is the source. */
function spawn(name: string, workerData: unknown, port: import('node:worker_threads').MessagePort): Worker {
  const source = import.meta.url.endsWith('.ts');
  const url = new URL(`./${name}.${source ? 'ts' : 'js'}`, import.meta.url);
  return new Worker(url, {
    workerData,
    transferList: [port],
    ...(source ? { execArgv: ['--conditions=source'] } : {}),
  });
}

async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    promise,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}
