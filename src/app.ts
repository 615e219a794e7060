// The whole of spanmill in one process: log, receivers, shards, API. The only place, with the commands, that knows every module.

import { buildStatusView, createApiServer, type StatusView } from './api/index.ts';
import { type Config, resolveTenant, SINGLE_TENANT } from './config/index.ts';
import { type EmbeddedLog, openEmbeddedLog } from './log/index.ts';
import { ReceiverSet } from './receiver-set.ts';
import { joinExpositions, ShardHost } from './shard/index.ts';
import { shardPlan, unbuiltEndpoint, unbuiltSettings } from './shard-plan.ts';
import { createOwnMetrics, type Logger, StageLatencies, traced } from './telemetry/index.ts';
import { VERSION } from './version.ts';

export interface AppOptions {
  config: Config;
  notes: readonly string[];
  logger: Logger;
  now: () => number;
  /** Something went wrong for good: the process should end. */
  onFailed(error: Error): void;
}

export interface Addresses {
  api: string;
  otlpHttp: string | undefined;
}

/** What is wrong with the machine or the configuration, in one line for the user. */
export class StartError extends Error {}

const RECEIVER_STOP_MS = 5_000;

export class App {
  private readonly options: AppOptions;
  private readonly log: EmbeddedLog;
  private readonly hosts: ShardHost[] = [];
  private readonly latencies = new StageLatencies();
  private readonly metrics = createOwnMetrics();
  private readonly startedAtMs: number;
  private readonly api: ReturnType<typeof createApiServer>;
  private receivers: ReceiverSet | undefined;
  private apiAddress = '';
  private readonly undecodable = new Map<string, number>();
  private stopped: Promise<void> | undefined;
  private failure: Error | undefined;
  private stopping = false;

  private constructor(options: AppOptions, log: EmbeddedLog) {
    this.options = options;
    this.log = log;
    this.startedAtMs = options.now();
    const { config, logger } = options;
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
      },
    });
  }

  /** Starts everything; on failure nothing is left running. @throws StartError, LogError */
  static async start(options: AppOptions): Promise<App> {
    const { config, logger } = options;
    for (const note of options.notes) logger.info(note);
    if (config.log.kind === 'kafka') {
      throw new StartError(
        'log.kind: kafka is not built yet in this version: use log.kind: embedded and send spans over OTLP/HTTP',
      );
    }
    const unbuilt = [
      ...['tenants without a block', ...Object.keys(config.overrides.tenants)].flatMap((tenant) =>
        unbuiltSettings(tenant, resolveTenant(config, tenant)),
      ),
      ...config.remoteWrite.endpoints.flatMap(unbuiltEndpoint),
    ];
    if (unbuilt.length > 0) throw new StartError(unbuilt.join('\n'));
    const { path, partitions, segmentBytes, retention } = config.log.embedded;
    const log = await openEmbeddedLog({ path, partitions, segmentBytes, retention, now: options.now, logger });
    const app = new App(options, log);
    try {
      await app.begin();
    } catch (error) {
      await app.stop(0).catch(() => undefined);
      throw error;
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
    for (const shard of config.shards.own) {
      const host = new ShardHost({
        plan: await shardPlan(config, shard, this.log, logger),
        log: this.log,
        logger,
        onCommitted: (_tMs, offsets) => this.log.release(new Map(offsets)),
        onPoison: ({ reason }) => this.undecodable.set(reason, (this.undecodable.get(reason) ?? 0) + 1),
        onFailed: (error) => this.fail(error),
      });
      this.hosts.push(host);
    }
    await Promise.all(this.hosts.map((host) => host.start()));
    this.receivers = new ReceiverSet({
      config,
      sink: {
        partitions: this.log.partitions,
        append: (records) =>
          traced('spanmill.receive', { records: records.length }, () =>
            this.latencies.timeAsync('receive', () => this.log.append(records)),
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

  private tenantOf(header: string | string[] | undefined): string | undefined {
    if (!this.options.config.multitenancyEnabled) return SINGLE_TENANT;
    return Array.isArray(header) ? header[0] : header;
  }

  private async end(deadlineMs: number): Promise<void> {
    await this.receivers?.stop(Math.min(deadlineMs, RECEIVER_STOP_MS));
    await Promise.all(this.hosts.map((host) => host.stop(deadlineMs)));
    await this.log.close();
    await this.api.stop(1_000);
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
      log: this.log.stats(),
      undecodable: this.undecodable,
      latencies: this.latencies.summaries(),
      nowMs: this.options.now(),
    });
  }

  private readiness(): { ready: boolean; reasons: string[] } {
    const reasons: string[] = [];
    if (this.failure) reasons.push(this.failure.message);
    if (this.stopping) reasons.push('stopping');
    if (this.hosts.length === 0 || this.hosts.some((host) => !host.ready))
      reasons.push('the ledger is being recovered');
    else if (!this.receivers?.listening) reasons.push('the receivers are not listening yet');
    return { ready: reasons.length === 0, reasons };
  }

  private status(): StatusView {
    const { config, now } = this.options;
    const log = this.log.stats();
    return buildStatusView({
      version: VERSION,
      nodeVersion: process.versions.node,
      startedAtMs: this.startedAtMs,
      nowMs: now(),
      multitenancy: config.multitenancyEnabled,
      api: this.apiAddress,
      receivers: this.receivers?.addresses ?? [],
      received: this.metrics.receiverTotals(),
      log: { kind: 'embedded', path: config.log.embedded.path, partitions: log.partitions },
      shards: this.hosts.map((host) => ({ shard: host.shardId, stats: host.shardStats, ledger: host.ledgerStats })),
      undecodable: this.undecodable,
      endpoints: config.remoteWrite.endpoints.map(({ name, url }) => ({ name, url })),
      latencies: this.latencies.summaries(),
      processorsOf: (tenant) => resolveTenant(config, tenant).processors,
    });
  }
}
