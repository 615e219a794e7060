// The whole of spanmill in one process: log, receivers, shards, API. The only place, with the commands, that knows every module.

import { buildStatusView, createApiServer, type OverridesView, type StatusView } from './api/index.ts';
import {
  type Config,
  explainTenant,
  OverridesWatch,
  resolveTenant,
  resolveTenants,
  SINGLE_TENANT,
  type TenantSettings,
} from './config/index.ts';
import { LogError } from './log/index.ts';
import { type OpenLog, openLog } from './open-log.ts';
import { ReceiverSet } from './receiver-set.ts';
import { joinExpositions, ShardHost, TraceWatch, WorkerDied } from './shard/index.ts';
import { shardPlan, unbuiltEndpoint, unbuiltSettings } from './shard-plan.ts';
import { createOwnMetrics, type Logger, LogSampler, StageLatencies, traced } from './telemetry/index.ts';
import { VERSION } from './version.ts';

export interface AppOptions {
  config: Config;
  notes: readonly string[];
  logger: Logger;
  now: () => number;
  /** Something went wrong for good: the process should end. */
  onFailed(error: Error): void;
  /** Ends a start that waits for something: another process to give up its shards, say. */
  signal?: AbortSignal;
}

export interface Addresses {
  api: string;
  otlpHttp: string | undefined;
}

/** What is wrong with the machine or the configuration, in one line for the user. */
export class StartError extends Error {}

const LOST = 'the shards were lost to another process: nothing is sent until they are ours again';
const RECEIVER_STOP_MS = 5_000;
const WARN_EVERY_MS = 600_000;
/** More than these are no bad records, but something else that is wrong. */
const MAX_FATAL_RECORDS = 16;

export class App {
  private readonly options: AppOptions;
  private opened: OpenLog | undefined;
  private hosts: ShardHost[] = [];
  private readonly overrides: OverridesWatch;
  /** Of all shards; fixed for the life of the process. */
  private boundaryMs: number | undefined;
  /** Ends the wait for the log while it is being opened. */
  private readonly opening = new AbortController();
  private regaining: Promise<void> | undefined;
  private isStarting = false;
  private readonly latencies = new StageLatencies();
  private readonly metrics = createOwnMetrics();
  private readonly startedAtMs: number;
  private readonly api: ReturnType<typeof createApiServer>;
  private receivers: ReceiverSet | undefined;
  private apiAddress = '';
  private readonly undecodable = new Map<string, number>();
  private readonly traceWatch = new TraceWatch(() => this.warnOfSplitTraces());
  private readonly sampler = new LogSampler(WARN_EVERY_MS);
  /** Records that ended a worker. */
  private readonly fatalRecords: [partition: number, offset: number][] = [];
  /** Records that were deleted before they were folded. */
  private lostRecords = 0;
  private stopped: Promise<void> | undefined;
  private failure: Error | undefined;
  private stopping = false;

  private constructor(options: AppOptions) {
    this.options = options;
    this.startedAtMs = options.now();
    const { config, logger } = options;
    this.overrides = new OverridesWatch({
      config,
      check: (settings, tenant) => this.problemsOf(settings, tenant),
      onChange: (next) => this.configure(next),
      logger,
      now: options.now,
    });
    this.api = createApiServer({
      host: config.server.httpListenAddress,
      port: config.server.httpListenPort,
      multitenancy: config.multitenancyEnabled,
      logger,
      version: VERSION,
      startedAtMs: this.startedAtMs,
      now: options.now,
      providers: {
        spanMetrics: (tenant, openMetrics) => this.spanMetrics(tenant, openMetrics),
        ownMetrics: () => this.ownMetrics(),
        readiness: () => this.readiness(),
        status: () => this.status(),
        overrides: () => this.overridesView(),
        tenantOverrides: (tenant) => explainTenant(this.overrides.config, tenant),
      },
    });
  }

  /** Starts everything; on failure nothing is left running. @throws StartError, LogError */
  static async start(options: AppOptions): Promise<App> {
    const { config, logger } = options;
    for (const note of options.notes) logger.info(note);
    const unbuilt = [
      ...['tenants without a block', ...Object.keys(config.overrides.tenants)].flatMap((tenant) =>
        unbuiltSettings(tenant, resolveTenant(config, tenant)),
      ),
      ...config.remoteWrite.endpoints.flatMap(unbuiltEndpoint),
    ];
    if (unbuilt.length > 0) throw new StartError(unbuilt.join('\n'));
    const app = new App(options);
    const stop = () => app.opening.abort();
    options.signal?.addEventListener('abort', stop);
    try {
      await app.begin();
    } catch (error) {
      await app.stop(0).catch(() => undefined);
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', stop);
    }
    return app;
  }

  get listening(): Addresses {
    return { api: this.apiAddress, otlpHttp: this.receivers?.addressOf('OTLP/HTTP') };
  }

  /** Stops taking spans in, folds and sends what was taken, ends. Idempotent. */
  stop(deadlineMs: number): Promise<void> {
    this.stopping = true;
    this.stopped ??= this.end(deadlineMs);
    return this.stopped;
  }

  private async begin(): Promise<void> {
    const { config, logger } = this.options;
    const api = await this.api.start();
    this.apiAddress = `${api.address}:${api.port}`;
    this.opened = await openLog({
      config,
      now: this.options.now,
      logger,
      onLost: (reason) => this.lost(new LogError('ownership_lost', reason)),
      onPartition: (partition) => this.hostOf(partition)?.addPartition(partition),
      signal: this.opening.signal,
    });
    await this.startHosts();
    this.overrides.start();
    const { log } = this.opened;
    this.receivers = new ReceiverSet({
      config,
      sink: {
        partitions: log.partitions,
        append: (records) =>
          traced('spanmill.receive', { records: records.length }, () =>
            this.latencies.timeAsync('receive', () => log.append(records)),
          ),
      },
      tenantOf: (header) => this.tenantOf(header),
      events: this.metrics.receiverEvents,
      logger,
      now: this.options.now,
    });
    await this.receivers.start();
    logger.info(
      { api: this.apiAddress, receivers: this.receivers.addresses, shards: config.shards.own, version: VERSION },
      'spanmill runs',
    );
  }

  /** Over losses of the shards to another process meanwhile. */
  private async startHosts(): Promise<void> {
    this.isStarting = true;
    try {
      await this.startOwned();
    } finally {
      this.isStarting = false;
    }
  }

  private async startOwned(): Promise<void> {
    for (;;) {
      try {
        for (const shard of this.options.config.shards.own) this.hosts.push(await this.makeHost(shard));
        await Promise.all(this.hosts.map((host) => host.start()));
        return;
      } catch (error) {
        if (!isLoss(error) || this.stopping) throw error;
        this.options.logger.error({ err: error }, LOST);
        await this.dropHosts();
        await this.opened!.regain();
      }
    }
  }

  private async dropHosts(): Promise<void> {
    await Promise.all(this.hosts.splice(0).map((host) => host.abandon()));
  }

  private async makeHost(shard: number): Promise<ShardHost> {
    const { config, logger } = this.options;
    const { log } = this.opened!;
    const plan = await shardPlan(config, shard, log, logger);
    this.boundaryMs ??= plan.boundaryMs;
    // The settings of now, not of when the process started: from here on `configure` finds the host.
    const settings = resolveTenants(this.overrides.config);
    return new ShardHost({
      plan: { ...plan, settings, boundaryMs: this.boundaryMs, fatalRecords: this.fatalRecords },
      log,
      logger,
      onCommitted: (_tMs, offsets) => log.release(new Map(offsets)),
      onPoison: ({ partition, offset, reason }) => {
        this.undecodable.set(reason, (this.undecodable.get(reason) ?? 0) + 1);
        this.opened?.deadLetter({ partition, offset, reason });
      },
      ...(config.shards.count > 1 ? { onBatch: (batch) => this.traceWatch.see(shard, batch) } : {}),
      onGap: ({ from, to }) => {
        this.lostRecords += to - from;
        return config.log.kind === 'kafka' ? config.log.kafka.onLogGap : 'continue';
      },
      onFailed: (error) => this.hostFailed(shard, error),
    });
  }

  /** What a running process can't take over: it says what a restart would do. */
  private problemsOf(settings: TenantSettings, tenant: string): { key: string[]; message: string }[] {
    const problems = unbuiltSettings(tenant, settings).map((message) => ({ key: [] as string[], message }));
    const { boundaryMs } = this;
    if (boundaryMs !== undefined && settings.collectionIntervalMs % boundaryMs !== 0) {
      problems.push({
        key: ['metrics_generator', 'collection_interval'],
        message: `${settings.collectionIntervalMs / 1_000}s is no multiple of ${boundaryMs / 1_000}s, the time between two ledger entries of this process: restart it for this interval`,
      });
    }
    return problems;
  }

  private configure(config: Config): void {
    const settings = resolveTenants(config);
    for (const host of this.hosts) host.configure(settings);
  }

  private hostOf(partition: number): ShardHost | undefined {
    const shard = partition % this.options.config.shards.count;
    return this.hosts.find(({ shardId }) => shardId === shard);
  }

  private hostFailed(shard: number, error: Error): void {
    if (isLoss(error)) this.lost(error);
    else if (error instanceof WorkerDied && error.record) this.passOver(shard, error, error.record);
    else this.fail(error);
  }

  /** A record that ends a worker would end the next one too: the shard is recovered, and goes on without it. */
  private passOver(shard: number, error: WorkerDied, record: [partition: number, offset: number]): void {
    const host = this.hosts.find(({ shardId }) => shardId === shard);
    if (this.stopping || this.regaining || !host) return;
    if (this.fatalRecords.length >= MAX_FATAL_RECORDS) {
      this.fail(error);
      return;
    }
    this.fatalRecords.push(record);
    const [partition, offset] = record;
    this.options.logger.error({ err: error, shard, partition, offset }, 'a record ended its worker: it is passed over');
    this.hosts = this.hosts.filter((other) => other !== host);
    (async () => {
      await host.abandon();
      if (this.stopping) return;
      const next = await this.makeHost(shard);
      this.hosts.push(next);
      await next.start();
    })().catch((cause) => this.fail(cause instanceof Error ? cause : new Error(String(cause))));
  }

  /** Another process may own the shards: all state is dropped, and recovered from the ledger once they are ours again. */
  private lost(error: Error): void {
    // While they are being started, their first commit is refused, and the start begins again.
    if (this.stopping || this.regaining || this.isStarting || !this.opened) return;
    const { logger } = this.options;
    const { opened } = this;
    logger.error({ err: error }, LOST);
    this.regaining = (async () => {
      await this.dropHosts();
      await opened.regain();
      this.regaining = undefined;
      if (this.stopping) return;
      await this.startHosts();
      logger.info('the shards are ours again');
    })().catch((cause) => {
      if (!this.stopping) this.fail(cause instanceof Error ? cause : new Error(String(cause)));
    });
  }

  private tenantOf(header: string | string[] | undefined): string | undefined {
    if (!this.options.config.multitenancyEnabled) return SINGLE_TENANT;
    return Array.isArray(header) ? header[0] : header;
  }

  private async end(deadlineMs: number): Promise<void> {
    this.overrides.stop();
    await this.receivers?.stop(Math.min(deadlineMs, RECEIVER_STOP_MS));
    this.opening.abort();
    await Promise.all(this.hosts.map((host) => host.stop(deadlineMs)));
    await this.opened?.close();
    await this.regaining;
    await this.api.stop(1_000);
  }

  private warnOfSplitTraces(): void {
    if (this.sampler.admit('split traces', this.options.now()) === undefined) return;
    this.options.logger.warn(
      { splitTraces: this.traceWatch.splitTraces, shards: this.options.config.shards.count },
      'traces are spread over shards, so halves of service graph edges do not meet: key the topic by trace id, or set shards.count to 1',
    );
  }

  private fail(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    this.options.onFailed(error);
  }

  private async spanMetrics(tenant: string, openMetrics: boolean): Promise<string | undefined> {
    const texts = (await Promise.all(this.hosts.map((host) => host.render(tenant, openMetrics)))).filter(
      (text) => text !== undefined,
    );
    return texts.length === 0 ? undefined : joinExpositions(texts);
  }

  private async ownMetrics(): Promise<{ contentType: string; body: string }> {
    return this.metrics.expose({
      shards: this.hosts.flatMap((host) => host.shardStats ?? []),
      ledgers: this.hosts.flatMap((host) => host.ledgerStats ?? []),
      log: this.opened?.stats().embedded,
      kafka: this.opened?.stats().kafka,
      lostRecords: this.lostRecords,
      splitTraces: this.traceWatch.splitTraces,
      undecodable: this.undecodable,
      latencies: this.latencies.summaries(),
      overrides: this.overrides,
      nowMs: this.options.now(),
    });
  }

  private overridesView(): OverridesView {
    const { config, failures, lastSuccessMs } = this.overrides;
    const { merge, perTenantFile, tenants } = config.overrides;
    return {
      merge,
      ...(perTenantFile === undefined ? {} : { file: perTenantFile }),
      reloadFailures: failures,
      lastReloadSuccessfulMs: lastSuccessMs,
      tenants: Object.keys(tenants).sort(),
    };
  }

  private readiness(): { ready: boolean; reasons: string[] } {
    const reasons: string[] = [];
    if (this.failure) reasons.push(this.failure.message);
    if (this.stopping) reasons.push('stopping');
    if (!this.opened) reasons.push('the log is being opened');
    else if (this.regaining) reasons.push('another process has the shards');
    else if (this.hosts.length === 0 || this.hosts.some((host) => !host.ready))
      reasons.push('the ledger is being recovered');
    else if (!this.receivers?.listening) reasons.push('the receivers are not listening yet');
    return { ready: reasons.length === 0, reasons };
  }

  private status(): StatusView {
    const { config, now } = this.options;
    const stats = this.opened?.stats();
    return buildStatusView({
      version: VERSION,
      nodeVersion: process.versions.node,
      startedAtMs: this.startedAtMs,
      nowMs: now(),
      multitenancy: config.multitenancyEnabled,
      api: this.apiAddress,
      receivers: this.receivers?.addresses ?? [],
      received: this.metrics.receiverTotals(),
      log: {
        kind: config.log.kind,
        path: this.opened?.place ?? '',
        partitions: stats?.embedded?.partitions ?? [],
        lag: stats?.kafka?.lag ?? new Map(),
      },
      shards: this.hosts.map((host) => ({ shard: host.shardId, stats: host.shardStats, ledger: host.ledgerStats })),
      undecodable: this.undecodable,
      endpoints: config.remoteWrite.endpoints.map(({ name, url }) => ({ name, url })),
      latencies: this.latencies.summaries(),
      processorsOf: (tenant) => resolveTenant(this.overrides.config, tenant).processors,
    });
  }
}

function isLoss(error: unknown): boolean {
  return error instanceof LogError && error.code === 'ownership_lost';
}
