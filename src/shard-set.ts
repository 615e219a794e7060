// The shards of this process: starts their hosts, recovers one whose worker a record ended, and all of them when another process had the
// shards in between. Must never leave a host running that may not own its shard any more.

import { type Config, resolveTenants } from './config/index.ts';
import { LogError } from './log/index.ts';
import type { OpenLog } from './open-log.ts';
import { ShardHost, TraceWatch, WorkerDied } from './shard/index.ts';
import { shardPlan } from './shard-plan.ts';
import { type Logger, LogSampler } from './telemetry/index.ts';

export interface ShardSetOptions {
  config: Config;
  opened: OpenLog;
  logger: Logger;
  now(): number;
  /** The configuration with today's overrides. */
  current(): Config;
  /** The shards can't go on. */
  onFailed(error: Error): void;
}

const LOST = 'the shards were lost to another process: nothing is sent until they are ours again';
const SPLIT =
  'traces are spread over shards, so halves of service graph edges do not meet: key the topic by trace id, or set shards.count to 1';
const WARN_EVERY_MS = 600_000;
/** More than these are no bad records, but something else that is wrong. */
const MAX_FATAL_RECORDS = 16;

export class ShardSet {
  hosts: ShardHost[] = [];
  /** Undecodable records, by reason. */
  readonly undecodable = new Map<string, number>();
  /** Records that the log deleted before they were folded. */
  lostRecords = 0;
  /** Time between two ledger entries, of all shards; fixed for the life of the process. */
  boundaryMs: number | undefined;
  private readonly options: ShardSetOptions;
  private readonly traces: TraceWatch;
  private readonly sampler = new LogSampler(WARN_EVERY_MS);
  /** Records that ended a worker. */
  private readonly fatalRecords: [partition: number, offset: number][] = [];
  private regaining: Promise<void> | undefined;
  private isStarting = false;
  private isStopping = false;

  constructor(options: ShardSetOptions) {
    this.options = options;
    this.traces = new TraceWatch(() => this.warnOfSplitTraces());
  }

  get ready(): boolean {
    return this.hosts.length > 0 && this.hosts.every((host) => host.ready);
  }

  get isElsewhere(): boolean {
    return this.regaining !== undefined;
  }

  get splitTraces(): number {
    return this.traces.splitTraces;
  }

  /** Resolves when all fold, over losses of the shards to another process meanwhile. */
  async start(): Promise<void> {
    this.isStarting = true;
    try {
      await this.startOwned();
    } finally {
      this.isStarting = false;
    }
  }

  /** Folds and sends what was read, ends. */
  async stop(deadlineMs: number): Promise<void> {
    this.isStopping = true;
    await Promise.all(this.hosts.map((host) => host.stop(deadlineMs)));
  }

  /** After `stop`, once the log is closed: resolves when nothing is under way any more. */
  async ended(): Promise<void> {
    await this.regaining;
  }

  configure(config: Config): void {
    const settings = resolveTenants(config);
    for (const host of this.hosts) host.configure(settings);
  }

  /** The log has a partition more. */
  addPartition(partition: number): void {
    const shard = partition % this.options.config.shards.count;
    this.hosts.find(({ shardId }) => shardId === shard)?.addPartition(partition);
  }

  /** Another process may own the shards: all state is dropped, and recovered from the ledger once they are ours again. */
  lost(error: Error): void {
    // While they are being started, their first commit is refused, and the start begins again.
    if (this.isStopping || this.regaining || this.isStarting) return;
    const { logger, opened } = this.options;
    logger.error({ err: error }, LOST);
    this.regaining = (async () => {
      await this.drop();
      await opened.regain();
      this.regaining = undefined;
      if (this.isStopping) return;
      await this.start();
      logger.info('the shards are ours again');
    })().catch((cause) => {
      if (!this.isStopping) this.options.onFailed(asError(cause));
    });
  }

  private async startOwned(): Promise<void> {
    for (;;) {
      try {
        for (const shard of this.options.config.shards.own) this.hosts.push(await this.makeHost(shard));
        await Promise.all(this.hosts.map((host) => this.startHost(host)));
        return;
      } catch (error) {
        if (!isLoss(error) || this.isStopping) throw error;
        this.options.logger.error({ err: error }, LOST);
        await this.drop();
        await this.options.opened.regain();
      }
    }
  }

  private async startHost(host: ShardHost): Promise<void> {
    await host.start();
    // Those that appeared while it was being made.
    const { config, opened } = this.options;
    for (const partition of opened.log.partitionIds())
      if (partition % config.shards.count === host.shardId) host.addPartition(partition);
  }

  private async drop(): Promise<void> {
    await Promise.all(this.hosts.splice(0).map((host) => host.abandon()));
  }

  private async makeHost(shard: number): Promise<ShardHost> {
    const { config, opened, logger, current } = this.options;
    const { log } = opened;
    const plan = await shardPlan(config, shard, log, logger);
    this.boundaryMs ??= plan.boundaryMs;
    // The settings of now, not of when the process started: from here on `configure` finds the host.
    const settings = resolveTenants(current());
    return new ShardHost({
      plan: { ...plan, settings, boundaryMs: this.boundaryMs, fatalRecords: this.fatalRecords },
      log,
      logger,
      onCommitted: (_tMs, offsets) => log.release(new Map(offsets)),
      onPoison: ({ partition, offset, reason }) => {
        this.undecodable.set(reason, (this.undecodable.get(reason) ?? 0) + 1);
        opened.deadLetter({ partition, offset, reason });
      },
      ...(config.shards.count > 1 ? { onBatch: (batch) => this.traces.see(shard, batch) } : {}),
      onGap: ({ from, to }) => {
        this.lostRecords += to - from;
        return config.log.kind === 'kafka' ? config.log.kafka.onLogGap : 'continue';
      },
      onFailed: (error) => this.failed(shard, error),
    });
  }

  private failed(shard: number, error: Error): void {
    if (isLoss(error)) this.lost(error);
    else if (error instanceof WorkerDied && error.record) this.passOver(shard, error, error.record);
    else this.options.onFailed(error);
  }

  /** A record that ends a worker would end the next one too: the shard is recovered, and goes on without it. */
  private passOver(shard: number, error: WorkerDied, record: [partition: number, offset: number]): void {
    const { logger, onFailed } = this.options;
    const host = this.hosts.find(({ shardId }) => shardId === shard);
    if (this.isStopping || this.regaining || !host) return;
    if (this.fatalRecords.length >= MAX_FATAL_RECORDS) {
      onFailed(error);
      return;
    }
    this.fatalRecords.push(record);
    const [partition, offset] = record;
    logger.error({ err: error, shard, partition, offset }, 'a record ended its worker: it is passed over');
    this.hosts = this.hosts.filter((other) => other !== host);
    (async () => {
      await host.abandon();
      if (this.isStopping) return;
      const next = await this.makeHost(shard);
      this.hosts.push(next);
      await this.startHost(next);
    })().catch((cause) => onFailed(asError(cause)));
  }

  private warnOfSplitTraces(): void {
    const { logger, config, now } = this.options;
    if (this.sampler.admit('split traces', now()) === undefined) return;
    logger.warn({ splitTraces: this.splitTraces, shards: config.shards.count }, SPLIT);
  }
}

function isLoss(error: unknown): boolean {
  return error instanceof LogError && error.code === 'ownership_lost';
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
