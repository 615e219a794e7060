// What the ledger worker does: recovers the shard's state, makes each snapshot durable, and only then shows and sends it. Nothing of
// boundary T leaves the process before entry T is on disk under this owner's claim.

import { createSender, type Sender } from 'remote-write-ts';
import { type Appended, type Entry, type EntryContent, type Ledger, LedgerError } from '../ledger/index.ts';
import { type Section, TenantImage } from '../registry/index.ts';
import { type Logger, StageLatencies, traced } from '../telemetry/index.ts';
import { EntryFeed } from './entry-feed.ts';
import { exposition } from './exposition.ts';
import type {
  EndpointPlan,
  EndpointStats,
  FromLedger,
  LedgerStats,
  LedgerToShard,
  Position,
  ShardPlan,
  SnapshotContent,
} from './protocol.ts';
import { TenantSender } from './tenant-sender.ts';

/** A base is asked for when the entries since the last one are this large and as large as it, or this many. */
const BASE_AFTER_BYTES = 8 << 20;
const BASE_AFTER_ENTRIES = 240;
const SINGLE_TENANT = 'single-tenant';

export interface LedgerServiceOptions {
  plan: ShardPlan;
  ledger: Ledger;
  toShard(message: LedgerToShard): void;
  toMain(message: FromLedger): void;
  now(): number;
  logger: Logger;
  /** Replaced in tests. */
  makeSender?: (endpoint: EndpointPlan, tenant: string) => Sender;
}

export class LedgerService {
  private readonly options: LedgerServiceOptions;
  private readonly ledger: Ledger;
  private readonly common: Record<string, string>;
  private readonly images = new Map<string, TenantImage>();
  private readonly senders = new Map<
    string,
    { endpoint: EndpointPlan; tenant: string; sender: TenantSender; http: Sender; done: Promise<void> }
  >();
  private readonly latencies = new StageLatencies();
  private feed!: EntryFeed;
  private committedMs: number | undefined;
  private recoveredMs = -1;
  private entries = 0;
  private bytesSinceBase = 0;
  private entriesSinceBase = 0;
  private lastBaseBytes = 0;
  private newestBaseMs = -1;
  /** The entry that was appended last, without its sections: a base of the same boundary repeats it. */
  private lastHead: Omit<EntryContent, 'sections'> | undefined;
  private stopping = false;
  private work: Promise<void> = Promise.resolve();

  constructor(options: LedgerServiceOptions) {
    this.options = options;
    this.ledger = options.ledger;
    this.common = { __metrics_gen_instance: options.plan.instance };
  }

  /** Recovers, tells the shard its state and position, takes the shard over and starts to send what was not settled. */
  async start(): Promise<void> {
    const { ledger } = this;
    const recovered = await ledger.recover();
    let last: Entry | undefined = recovered.base;
    const tenants = new Set<string>();
    const state = (entry: Entry) => {
      last = entry;
      for (const section of entry.sections) tenants.add(String(section.meta['tenant']));
      this.show(entry);
      this.options.toShard({ type: 'state', tMs: entry.tMs, sections: entry.sections });
    };
    if (recovered.base) {
      state(recovered.base);
      this.newestBaseMs = recovered.base.tMs;
    }
    for await (const entry of recovered.chain) {
      state(entry);
      this.entriesSinceBase++;
    }
    const claim = await ledger.takeOver();
    const position: Position = {
      tMs: last?.tMs,
      offsets: last?.offsets ?? [],
      lastRecords: last?.lastRecords ?? [],
      epoch: last?.epoch ?? 1,
      claim,
    };
    this.committedMs = last?.tMs;
    this.recoveredMs = last?.tMs ?? -1;
    this.feed = new EntryFeed(ledger, this.recoveredMs);
    await this.registerEndpoints();
    for (const tenant of [...tenants].sort()) await this.startSenders(tenant, recovered.base);
    this.options.toShard({ type: 'recovered', position });
  }

  /** Snapshots are taken one after another, in the order in which they come. */
  snapshot(content: SnapshotContent): void {
    this.work = this.work.then(() => this.commit(content)).catch((error) => this.failed(error));
  }

  base(tMs: number, sections: Section[]): void {
    this.work = this.work.then(() => this.writeBase(tMs, sections)).catch((error) => this.failed(error));
  }

  render(tenant: string, openMetrics: boolean): { text: string | undefined; tMs: number } {
    const image = this.images.get(tenant);
    return {
      text: image && exposition(image, this.common, this.committedMs ?? 0, openMetrics),
      tMs: this.committedMs ?? 0,
    };
  }

  /** Sends what is still unsettled until the deadline; what is left then goes out after the next start. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopping = true;
    await this.work;
    this.feed.close();
    const pending = [...this.senders.values()];
    const timer = setTimeout(() => {
      for (const { sender } of pending) sender.stop();
    }, deadlineMs);
    await Promise.all(pending.map(({ done }) => done));
    clearTimeout(timer);
    for (const { http } of pending) await http.close();
    await this.ledger.close();
  }

  stats(): LedgerStats {
    const byEndpoint = new Map<string, EndpointStats>();
    for (const { endpoint, sender, http } of this.senders.values()) {
      const stats = http.stats();
      const entry = byEndpoint.get(endpoint.name) ?? {
        name: endpoint.name,
        url: endpoint.url,
        settledMs: sender.settledMs,
        samplesSent: 0,
        samplesFailed: 0,
        boundariesSent: 0,
        boundariesSkipped: 0,
        repeatsRefused: 0,
        retries: 0,
        lastError: undefined,
      };
      entry.settledMs = Math.min(entry.settledMs ?? sender.settledMs, sender.settledMs);
      entry.samplesSent += sender.counters.samplesSent;
      entry.samplesFailed += sender.counters.samplesFailed;
      entry.boundariesSent += sender.counters.boundariesSent;
      entry.boundariesSkipped += sender.counters.boundariesSkipped;
      entry.repeatsRefused += sender.counters.repeatsRefused;
      entry.retries += stats.retries;
      entry.lastError = stats.lastError ?? entry.lastError;
      byEndpoint.set(endpoint.name, entry);
    }
    return {
      committedMs: this.committedMs,
      entries: this.entries,
      sizeBytes: this.ledger.sizeBytes(),
      overLimit: this.ledger.overLimit(),
      endpoints: [...byEndpoint.values()],
      latencies: this.latencies.summaries(),
    };
  }

  private async commit(content: SnapshotContent): Promise<void> {
    const { sizeBytes } = await traced(
      'spanmill.ledger.append',
      { shard: this.options.plan.shard, boundary_ms: content.tMs },
      () => this.latencies.timeAsync('ledger_append', () => this.appendUntilDurable(content)),
    );
    const { sections, ...head } = content;
    const beforeMs = this.committedMs ?? -1;
    this.lastHead = head;
    this.committedMs = content.tMs;
    this.entries++;
    this.entriesSinceBase++;
    this.bytesSinceBase += sizeBytes;
    const wantsBase =
      this.entriesSinceBase >= BASE_AFTER_ENTRIES ||
      this.bytesSinceBase >= Math.max(BASE_AFTER_BYTES, this.lastBaseBytes);
    this.options.toShard({ type: 'committed', tMs: content.tMs, wantsBase });
    this.show(content);
    for (const section of sections) await this.startSenders(String(section.meta['tenant']), undefined, beforeMs);
    this.feed.push(content);
    this.options.toMain({
      type: 'committed',
      tMs: content.tMs,
      offsets: content.offsets,
      firstUnsettledMs: this.firstUnsettledMs(),
    });
  }

  /** A full disk holds the fold up, it loses nothing: the same content is tried again until it is written. */
  private async appendUntilDurable(content: SnapshotContent): Promise<Appended> {
    for (let waitMs = 250; ; waitMs = Math.min(waitMs * 2, 10_000)) {
      try {
        return await this.ledger.append(content);
      } catch (error) {
        if (this.stopping || !(error instanceof LedgerError && error.isRetryable)) throw error;
        this.options.logger.error(
          { err: error, boundaryMs: content.tMs, retryInMs: waitMs },
          'the ledger entry could not be written',
        );
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  private async writeBase(tMs: number, sections: Section[]): Promise<void> {
    if (this.lastHead?.tMs !== tMs) return;
    const { sizeBytes } = await this.ledger.appendBase({ ...this.lastHead, sections });
    this.lastBaseBytes = sizeBytes;
    this.bytesSinceBase = 0;
    this.entriesSinceBase = 0;
    this.newestBaseMs = tMs;
    await this.prune();
  }

  /** Nothing that an unsettled boundary needs is ever pruned. */
  private async prune(): Promise<void> {
    await this.ledger.prune(Math.min(this.newestBaseMs, this.firstUnsettledMs() ?? Number.POSITIVE_INFINITY));
  }

  private firstUnsettledMs(): number | undefined {
    let settledMs = Number.POSITIVE_INFINITY;
    for (const { sender } of this.senders.values()) settledMs = Math.min(settledMs, sender.settledMs);
    return Number.isFinite(settledMs) ? settledMs : undefined;
  }

  private show(entry: Pick<EntryContent, 'sections'>): void {
    for (const image of this.images.values()) image.nextBoundary();
    for (const section of entry.sections) {
      if (section.meta['holder'] !== 'rows') continue;
      const tenant = String(section.meta['tenant']);
      let image = this.images.get(tenant);
      if (!image) {
        image = new TenantImage();
        this.images.set(tenant, image);
      }
      image.apply(section);
    }
  }

  /** An endpoint that the ledger has never seen starts with the boundaries to come: the past was not meant for it. */
  private async registerEndpoints(): Promise<void> {
    const known = this.ledger.settled();
    for (const endpoint of this.options.plan.remoteWrite) {
      if (!known.has(endpointKey(endpoint))) this.ledger.settle(endpointKey(endpoint), Math.max(this.recoveredMs, 0));
    }
    await this.ledger.flush();
  }

  private async startSenders(tenant: string, base?: Entry, followFromMs = base?.tMs ?? -1): Promise<void> {
    for (const endpoint of this.options.plan.remoteWrite) {
      const key = settledKey(tenant, endpoint);
      if (this.senders.has(key)) continue;
      const known = this.ledger.settled();
      const settledMs = known.get(key) ?? known.get(endpointKey(endpoint)) ?? 0;
      const http = (this.options.makeSender ?? ((e, t) => this.httpSender(e, t)))(endpoint, tenant);
      const sender = new TenantSender({
        tenant,
        endpoint,
        common: this.common,
        sender: http,
        settledMs,
        recoveredMs: this.recoveredMs,
        onSettled: (tMs) => this.ledger.settle(key, tMs),
        overLimit: () => this.ledger.overLimit(),
        now: this.options.now,
        logger: this.options.logger,
        latencies: this.latencies,
      });
      if (base) sender.base(base.sections.filter((section) => section.meta['tenant'] === tenant));
      const done = sender.run(this.feed.follow(followFromMs)).catch((error) => this.failed(error));
      this.senders.set(key, { endpoint, tenant, sender, http, done });
    }
  }

  private httpSender(endpoint: EndpointPlan, tenant: string): Sender {
    const headers = { ...endpoint.headers, ...this.tenantSettings(tenant).remoteWriteHeaders };
    const named = Object.keys(headers).some((name) => name.toLowerCase() === 'x-scope-orgid');
    if (this.options.plan.addOrgIdHeader && tenant !== SINGLE_TENANT && !named) headers['X-Scope-OrgID'] = tenant;
    const { basicAuth, bearerToken, tls } = endpoint;
    return createSender({
      url: endpoint.url,
      name: endpoint.name,
      timeoutMs: endpoint.timeoutMs,
      headers,
      userAgent: 'spanmill',
      minBackoffMs: endpoint.minBackoffMs,
      maxBackoffMs: endpoint.maxBackoffMs,
      ...(basicAuth ? { basicAuth } : {}),
      ...(bearerToken ? { bearerToken } : {}),
      ...(tls ? { tls } : {}),
    });
  }

  private tenantSettings(tenant: string) {
    const { settings } = this.options.plan;
    return settings.tenants[tenant] ?? settings.defaults;
  }

  private failed(error: unknown): void {
    this.options.logger.fatal({ err: error }, 'the ledger worker failed');
    this.options.toMain({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

function settledKey(tenant: string, endpoint: EndpointPlan): string {
  return `${tenant}\u0000${endpoint.name}`;
}

/** No tenant has an empty name: this key is the endpoint's own. */
function endpointKey(endpoint: EndpointPlan): string {
  return `\u0000${endpoint.name}`;
}
