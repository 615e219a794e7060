// The shards of this process: starts their hosts, recovers one whose worker a record ended, and all of them when another process had the
// shards in between. Must never leave a host running that may not own its shard any more.
//
// Whatever happens to the shards is only noted where it happens: a loss, a host that has gone. One loop, `mend`, looks at what is noted and
// brings all shards to run, and there is never a second one: two that make the same shard's host would stand in each other's way.

import { type Config, resolveTenants } from './config/index.ts';
import { FatalRecords, type RecordPosition } from './fatal-records.ts';
import { LogError } from './log/index.ts';
import type { OpenLog } from './open-log.ts';
import { ShardHost, type ShardHostOptions, TraceWatch, WorkerDied } from './shard/index.ts';
import { shardPlan } from './shard-plan.ts';
import { type ShardReport, ShardTotals } from './shard-totals.ts';
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
  /** Replaced in tests, both. */
  makeHost?: (options: ShardHostOptions) => Host;
  retryMs?: number;
}

export type Host = Pick<
  ShardHost,
  | 'abandon'
  | 'addPartition'
  | 'configure'
  | 'ledgerStats'
  | 'ready'
  | 'render'
  | 'shardId'
  | 'shardStats'
  | 'start'
  | 'stop'
>;

const LOST = 'the shards were lost to another process: nothing is sent until they are ours again';
const SPLIT =
  'traces are spread over shards, so halves of service graph edges do not meet: key the topic by trace id, or set shards.count to 1';
const DIED = {
  try_again: 'a record ended its worker: its shard is recovered, and the record tried again',
  pass_over: 'a record ended its worker for the third time: it is passed over',
};
const WARN_EVERY_MS = 600_000;
/** After the log did not answer. */
const RETRY_MS = 1_000;

export class ShardSet {
  hosts: Host[] = [];
  /** Undecodable records, by reason. */
  readonly undecodable = new Map<string, number>();
  /** Records that the log deleted before they were folded. */
  lostRecords = 0;
  /** Time between two ledger entries, of all shards; fixed for the life of the process. */
  boundaryMs: number | undefined;
  /** Another process has the shards, and is waited for. */
  isElsewhere = false;
  private readonly options: ShardSetOptions;
  private readonly traces: TraceWatch;
  private readonly sampler = new LogSampler(WARN_EVERY_MS);
  private readonly fatal = new FatalRecords();
  private readonly totals = new ShardTotals();
  /** Hosts that have begun to fold. */
  private readonly begun = new WeakSet<Host>();
  /** Hosts that are being ended: their ledgers are locked until then. */
  private readonly leaving = new Set<Promise<void>>();
  /** A loss that is not dealt with yet. */
  private loss: Error | undefined;
  private mending: Promise<void> | undefined;
  private isMending = false;
  private hasStarted = false;
  /** Resolves when something was noted. */
  private noted = Promise.withResolvers<void>();
  private stopping: Promise<void> | undefined;

  constructor(options: ShardSetOptions) {
    this.options = options;
    this.traces = new TraceWatch(() => this.warnOfSplitTraces());
  }

  get ready(): boolean {
    return this.options.config.shards.own.every((shard) => this.hostOf(shard)?.ready);
  }

  get splitTraces(): number {
    return this.traces.splitTraces;
  }

  /** Of all shards of this process, those too that have no host now. */
  reports(): ShardReport[] {
    return this.options.config.shards.own.map((shard) => {
      const host = this.hostOf(shard);
      return this.totals.report(shard, host?.shardStats, host?.ledgerStats);
    });
  }

  /** Resolves when all fold, over losses of the shards to another process meanwhile. @throws LogError `log_closed` when stopped before */
  start(): Promise<void> {
    return this.mend();
  }

  /** Folds and sends what was read, ends. Idempotent. */
  stop(deadlineMs: number): Promise<void> {
    if (this.stopping === undefined) {
      const hosts = this.hosts.map((host) => host.stop(deadlineMs));
      this.stopping = Promise.all([...hosts, ...this.leaving]).then(() => undefined);
      this.noted.resolve();
    }
    return this.stopping;
  }

  /** After `stop`, once the log is closed: resolves when nothing is under way any more. */
  async ended(): Promise<void> {
    await this.mending?.catch(() => undefined);
    await Promise.all(this.leaving);
  }

  configure(config: Config): void {
    const settings = resolveTenants(config);
    for (const host of this.hosts) host.configure(settings);
  }

  /** The log has a partition more. */
  addPartition(partition: number): void {
    this.hostOf(partition % this.options.config.shards.count)?.addPartition(partition);
  }

  /** Another process may own the shards: all state is dropped, and recovered from the ledger once they are ours again. */
  lost(error: Error): void {
    if (this.isStopping) return;
    this.loss ??= error;
    this.note();
  }

  private get isStopping(): boolean {
    return this.stopping !== undefined;
  }

  private hostOf(shard: number): Host | undefined {
    return this.hosts.find(({ shardId }) => shardId === shard);
  }

  private note(): void {
    this.noted.resolve();
    // A start that is under way sees it, and so does whoever mends already.
    if (this.isMending || !this.hasStarted) return;
    this.mend().catch((cause) => {
      if (!this.isStopping) this.options.onFailed(asError(cause));
    });
  }

  /** Brings all shards to run. @throws LogError `log_closed` when stopped before, and what a process can't go on after */
  private mend(): Promise<void> {
    if (!this.isMending) {
      this.isMending = true;
      this.mending = this.mendAll();
    }
    return this.mending!;
  }

  private async mendAll(): Promise<void> {
    let wasElsewhere = false;
    try {
      for (;;) {
        this.noted = Promise.withResolvers();
        if (this.isStopping) throw new LogError('log_closed', 'stopped while shards were being started');
        if (this.loss) {
          wasElsewhere = true;
          await this.regain();
        } else if (this.allBegun) break;
        else await this.startMissing();
      }
      this.hasStarted = true;
    } finally {
      // In one go with the last look: what is noted from now on begins anew.
      this.isMending = false;
    }
    if (wasElsewhere) this.options.logger.info('the shards are ours again');
  }

  private async regain(): Promise<void> {
    const { logger, opened } = this.options;
    logger.error({ err: this.loss }, LOST);
    this.loss = undefined;
    this.isElsewhere = true;
    for (const host of [...this.hosts]) this.drop(host);
    await Promise.all(this.leaving);
    if (this.isStopping) return;
    await opened.regain();
    this.isElsewhere = false;
  }

  private get allBegun(): boolean {
    return this.options.config.shards.own.every((shard) => {
      const host = this.hostOf(shard);
      return host !== undefined && this.begun.has(host);
    });
  }

  /** Resolves when all shards that have not begun have, or when something was noted meanwhile. */
  private async startMissing(): Promise<void> {
    const { own } = this.options.config.shards;
    try {
      for (const shard of own) if (!this.hostOf(shard) && !(await this.makeHost(shard))) return;
      const waiting = this.hosts.filter((host) => !this.begun.has(host));
      await Promise.race([this.noted.promise, Promise.all(waiting.map((host) => this.startHost(host)))]);
    } catch (error) {
      if (this.isStopping || this.loss) return;
      if (isLoss(error)) this.loss = asError(error);
      else if (this.hasStarted && isUnavailable(error)) await this.waitForLog(error);
      else throw error;
    }
  }

  private async startHost(host: Host): Promise<void> {
    await host.start();
    this.begun.add(host);
    // Those that appeared while it was being made.
    const { config, opened } = this.options;
    for (const partition of opened.log.partitionIds())
      if (partition % config.shards.count === host.shardId) host.addPartition(partition);
  }

  private async waitForLog(error: unknown): Promise<void> {
    this.options.logger.error({ err: error }, 'the log does not answer: shards are started again when it does');
    for (const host of this.hosts.filter((waiting) => !this.begun.has(waiting))) this.drop(host);
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.options.retryMs ?? RETRY_MS);
    });
    await Promise.race([this.noted.promise, waited]);
    clearTimeout(timer);
  }

  /** From here on it is no host of this set: what it says is heard no more. */
  private drop(host: Host): void {
    this.hosts = this.hosts.filter((other) => other !== host);
    this.totals.end(host.shardId, host.shardStats, host.ledgerStats);
    const left = host.abandon().finally(() => this.leaving.delete(left));
    this.leaving.add(left);
  }

  /** False: something was noted meanwhile, and there is none. */
  private async makeHost(shard: number): Promise<boolean> {
    const { config, opened, logger, current } = this.options;
    const { log } = opened;
    await Promise.all(this.leaving);
    const plan = await shardPlan(config, shard, log, logger);
    if (this.isStopping || this.loss) return false;
    this.boundaryMs ??= plan.boundaryMs;
    // The settings of now, not of when the process started: from here on `configure` finds the host.
    const settings = resolveTenants(current());
    const make = this.options.makeHost ?? ((options: ShardHostOptions) => new ShardHost(options));
    const host: Host = make({
      plan: { ...plan, settings, boundaryMs: this.boundaryMs, fatalRecords: this.fatal.passedOver },
      log,
      logger,
      onCommitted: (_tMs, offsets) => log.release(new Map(offsets)),
      onPoison: ({ partition, offset, reason }) => {
        this.undecodable.set(reason, (this.undecodable.get(reason) ?? 0) + 1);
        opened.deadLetter({ partition, offset, reason });
      },
      // With one shard here, no trace is seen in a second one.
      ...(config.shards.own.length > 1 ? { onBatch: (batch) => this.traces.see(shard, batch) } : {}),
      onGap: ({ from, to }) => {
        this.lostRecords += to - from;
        return config.log.kind === 'kafka' ? config.log.kafka.onLogGap : 'continue';
      },
      onFailed: (error) => this.failed(host, error),
    });
    this.hosts.push(host);
    return true;
  }

  private failed(host: Host, error: Error): void {
    if (this.isStopping || !this.hosts.includes(host)) return;
    if (isLoss(error)) this.lost(error);
    else if (error instanceof WorkerDied && error.record) this.died(host, error, error.record);
    else this.options.onFailed(error);
  }

  /** A record that ends a worker again and again is passed over; the shard is recovered each time. */
  private died(host: Host, error: WorkerDied, record: RecordPosition): void {
    const { logger, onFailed } = this.options;
    const next = this.fatal.died(record);
    if (next === 'give_up') {
      onFailed(error);
      return;
    }
    const [partition, offset] = record;
    logger.error({ err: error, shard: host.shardId, partition, offset }, DIED[next]);
    this.drop(host);
    this.note();
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

function isUnavailable(error: unknown): boolean {
  return error instanceof LogError && error.code === 'log_unavailable';
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
