// The main thread's side of a shard: starts its two workers, has its partitions read for it, and answers for it. A worker that fails ends
// the host: what is not in the ledger is folded again after the next start.

import { MessageChannel, Worker } from 'node:worker_threads';
import { LogError } from '../log/index.ts';
import { ShardFailed, WorkerDied } from './host-errors.ts';
import { PartitionReader, type PartitionReaderOptions } from './partition-reader.ts';
import type {
  FromLedger,
  FromShard,
  LedgerStats,
  Position,
  ShardStats,
  TenantSettingsTable,
  ToLedger,
  ToShard,
} from './protocol.ts';

/** Of the time for a stop. */
const SEND_SHARE = 0.6;

export interface ShardHostOptions extends Omit<PartitionReaderOptions, 'toShard'> {
  /** Entry T is durable: records below these offsets are not needed by this shard any more. */
  onCommitted(tMs: number, offsets: [partition: number, nextOffset: number][]): void;
  onPoison(record: { partition: number; offset: number; tenant: string; reason: string }): void;
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
  private readonly reader: PartitionReader;
  private readonly renders = new Map<number, (text: string | undefined) => void>();
  private nextRender = 1;
  private stopping: Promise<void> | undefined;
  private hasShardEnded = false;
  private failure: Error | undefined;
  private readonly stopped: Record<'shard' | 'ledger', PromiseWithResolvers<void>> = {
    shard: Promise.withResolvers(),
    ledger: Promise.withResolvers(),
  };
  private readonly began = Promise.withResolvers<void>();
  private readonly pinned = Promise.withResolvers<void>();

  constructor(options: ShardHostOptions) {
    this.options = options;
    const { plan } = options;
    this.reader = new PartitionReader({
      ...options,
      toShard: (message, transfer) => this.toShard(message, transfer),
      onFailed: (error) => this.fail(error),
    });
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
    if (!this.isOver) this.toShard({ type: 'configure', settings });
  }

  /** Text of the newest durable boundary of a tenant; undefined for one that has none. */
  render(tenant: string, openMetrics: boolean): Promise<string | undefined> {
    if (this.isOver) return Promise.resolve(undefined);
    const id = this.nextRender++;
    return new Promise((resolve) => {
      this.renders.set(id, resolve);
      this.toLedger({ type: 'render', id, tenant, openMetrics });
    });
  }

  /** The log has a partition more, and it is this shard's. */
  addPartition(partition: number): void {
    this.reader.add(partition);
  }

  /** Closes the open tick, writes the last entry, sends it, ends both workers; all within the deadline. Idempotent. */
  stop(deadlineMs: number): Promise<void> {
    this.stopping ??= this.end(deadlineMs);
    return this.stopping;
  }

  /** Ends both workers where they are: what they hold may belong to somebody else by now. Idempotent. */
  abandon(): Promise<void> {
    this.stopping ??= this.terminate();
    return this.stopping;
  }

  private async end(deadlineMs: number): Promise<void> {
    this.reader.end();
    if (!this.failure && this.ready) {
      this.toShard({ type: 'stop' });
      await within(this.stopped.shard.promise, deadlineMs * (1 - SEND_SHARE));
    }
    await this.reader.stop();
    if (!this.failure) {
      this.toLedger({
        type: 'stop',
        deadlineMs: Math.floor(deadlineMs * SEND_SHARE * 0.8),
        hasShardEnded: this.hasShardEnded,
      });
      await within(this.stopped.ledger.promise, deadlineMs * SEND_SHARE);
    }
    await this.terminate();
  }

  private async terminate(): Promise<void> {
    for (const resolve of this.renders.values()) resolve(undefined);
    this.renders.clear();
    await this.reader.stop();
    await Promise.all([this.shard.terminate(), this.ledger.terminate()]);
  }

  /** Nothing more may be begun. */
  private get isOver(): boolean {
    return this.stopping !== undefined || this.failure !== undefined;
  }

  private fromShard(message: FromShard): void {
    switch (message.type) {
      case 'recovered':
        this.begin(message.position).catch((error) => this.fail(error));
        break;
      case 'added':
        this.reader.readFrom(message.partition, message.offset);
        break;
      case 'folded':
        this.reader.folded(message.partition, message.bytes);
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

  /** Commits the position where the log fences its readers, then reads on from it. */
  private async begin(position: Position): Promise<void> {
    const offsets = await this.reader.find(position);
    if (this.options.plan.isFenced) {
      this.toLedger({ type: 'pin', offsets });
      await this.pinned.promise;
    }
    if (this.isOver) return;
    this.toShard({ type: 'begin', offsets });
    this.reader.begin();
    this.ready = true;
    this.began.resolve();
  }

  private died(cause: Error): WorkerDied {
    const [partition, offset] = new Float64Array(this.options.plan.inHand);
    return new WorkerDied(cause, partition! < 0 ? undefined : [partition!, offset!]);
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.reader.end();
    const hadBegun = this.ready;
    this.ready = false;
    for (const resolve of this.renders.values()) resolve(undefined);
    this.renders.clear();
    this.began.reject(error);
    this.pinned.reject(error);
    this.stopped.shard.resolve();
    this.stopped.ledger.resolve();
    // Before that `start` says it.
    if (hadBegun && this.stopping === undefined) this.options.onFailed(error);
  }

  private toShard(message: ToShard, transfer: ArrayBuffer[] = []): void {
    this.shard.postMessage(message, transfer);
  }

  private toLedger(message: ToLedger): void {
    this.ledger.postMessage(message);
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
