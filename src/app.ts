// The whole of spanmill in one process: log, receivers, shards, API. The only place, with the commands, that knows every module.

import { buildStatusView, createApiServer, type OverridesView, type StatusView } from './api/index.ts';
import {
  type Config,
  explainTenant,
  OverridesWatch,
  resolveTenant,
  SINGLE_TENANT,
  type TenantSettings,
} from './config/index.ts';
import { countdown } from './countdown.ts';
import { endpointProblem } from './endpoint-plan.ts';
import { LogError } from './log/index.ts';
import { type OpenLog, openLog } from './open-log.ts';
import { ReceiverSet } from './receiver-set.ts';
import { joinExpositions } from './shard/index.ts';
import { type Host, ShardSet } from './shard-set.ts';
import { createOwnMetrics, type Logger, StageLatencies, traced } from './telemetry/index.ts';
import { VERSION } from './version.ts';

export interface AppOptions {
  config: Config;
  notes: readonly string[];
  /** Those of the notes that may tell of a mistake. */
  warnings?: readonly string[];
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

const RECEIVER_STOP_MS = 5_000;
/** What the log and the API may take behind the shards. */
const LOG_CLOSE_MS = 2_000;
const API_STOP_MS = 1_000;

export class App {
  private readonly options: AppOptions;
  private opened: OpenLog | undefined;
  private shards: ShardSet | undefined;
  private readonly overrides: OverridesWatch;
  /** Ends a start that is under way. */
  private readonly opening = new AbortController();
  private readonly latencies = new StageLatencies();
  private readonly metrics = createOwnMetrics();
  private readonly startedAtMs: number;
  private readonly api: ReturnType<typeof createApiServer>;
  private receivers: ReceiverSet | undefined;
  private apiAddress = '';
  private stopped: Promise<void> | undefined;
  private failure: Error | undefined;
  private stopping = false;

  private constructor(options: AppOptions) {
    this.options = options;
    this.startedAtMs = options.now();
    const { config, logger } = options;
    this.overrides = new OverridesWatch({
      config,
      check: (settings) => this.problemsOf(settings),
      onChange: (next) => this.shards?.configure(next),
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
    const isWarning = (note: string) => options.warnings?.includes(note) === true;
    for (const note of options.notes) isWarning(note) ? logger.warn(note) : logger.info(note);
    const problems = (
      await Promise.all(config.remoteWrite.endpoints.map((endpoint) => endpointProblem(endpoint)))
    ).filter(Boolean);
    if (problems.length > 0) throw new StartError(problems.join('\n'));
    const app = new App(options);
    const stop = () => app.giveUp();
    options.signal?.addEventListener('abort', stop);
    try {
      if (options.signal?.aborted) stop();
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

  /** Ends a start, whatever it waits for: the log, another process that has the shards, brokers that are away. */
  private giveUp(): void {
    this.opening.abort();
    const closed = (async () => {
      await this.shards?.stop(0);
      await this.opened?.close();
    })();
    // `stop` hears of it.
    closed.catch(() => undefined);
  }

  private async begin(): Promise<void> {
    const { config, logger } = this.options;
    const { signal } = this.opening;
    signal.throwIfAborted();
    const api = await this.api.start();
    this.apiAddress = `${api.address}:${api.port}`;
    signal.throwIfAborted();
    this.opened = await openLog({
      config,
      now: this.options.now,
      logger,
      onLost: (reason) => this.shards?.lost(new LogError('ownership_lost', reason)),
      onPartition: (partition) => this.shards?.addPartition(partition),
      signal,
    });
    signal.throwIfAborted();
    this.shards = new ShardSet({
      config,
      opened: this.opened,
      logger,
      now: this.options.now,
      current: () => this.overrides.config,
      onFailed: (error) => this.fail(error),
    });
    await this.shards.start();
    signal.throwIfAborted();
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
    signal.throwIfAborted();
    logger.info(
      { api: this.apiAddress, receivers: this.receivers.addresses, shards: config.shards.own, version: VERSION },
      'spanmill runs',
    );
  }

  /** What a running process can't take over: it says what a restart would do. */
  private problemsOf(settings: TenantSettings): { key: string[]; message: string }[] {
    const boundaryMs = this.shards?.boundaryMs;
    if (boundaryMs === undefined || settings.collectionIntervalMs % boundaryMs === 0) return [];
    return [
      {
        key: ['metrics_generator', 'collection_interval'],
        message: `${settings.collectionIntervalMs / 1_000}s is no multiple of ${boundaryMs / 1_000}s, the time between two ledger entries of this process: restart it for this interval`,
      },
    ];
  }

  private tenantOf(header: string | string[] | undefined): string | undefined {
    if (!this.options.config.multitenancyEnabled) return SINGLE_TENANT;
    return Array.isArray(header) ? header[0] : header;
  }

  private async end(deadlineMs: number): Promise<void> {
    const left = countdown(deadlineMs, () => performance.now());
    const keepMs = LOG_CLOSE_MS + API_STOP_MS;
    this.overrides.stop();
    await this.receivers?.stop(Math.min(left(keepMs), RECEIVER_STOP_MS));
    this.opening.abort();
    await this.shards?.stop(left(keepMs));
    await this.opened?.close();
    await this.shards?.ended();
    await this.api.stop(API_STOP_MS);
  }

  private get hosts(): readonly Host[] {
    return this.shards?.hosts ?? [];
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
    const reports = this.shards?.reports() ?? [];
    return this.metrics.expose({
      shards: reports.flatMap(({ stats }) => stats ?? []),
      ledgers: reports.flatMap(({ ledger }) => ledger ?? []),
      log: this.opened?.stats().embedded,
      kafka: this.opened?.stats().kafka,
      lostRecords: this.shards?.lostRecords ?? 0,
      splitTraces: this.shards?.splitTraces ?? 0,
      undecodable: this.shards?.undecodable,
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
    else if (this.shards?.isElsewhere) reasons.push('another process has the shards');
    else if (!this.shards?.ready) reasons.push('the ledger is being recovered');
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
      shards: this.shards?.reports() ?? [],
      undecodable: this.shards?.undecodable ?? new Map(),
      endpoints: config.remoteWrite.endpoints.map(({ name, url }) => ({ name, url })),
      latencies: this.latencies.summaries(),
      processorsOf: (tenant) => resolveTenant(this.overrides.config, tenant).processors,
    });
  }
}
