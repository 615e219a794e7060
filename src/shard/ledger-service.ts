// What the ledger worker does: recovers the shard's state, makes each snapshot durable, and only then shows and sends it. Nothing of
// boundary T leaves the process before entry T is on disk under this owner's claim.

import { isDeepStrictEqual } from 'node:util';
import { createSender, type Sender } from 'remote-write-ts';
import type { TenantSettings } from '../config/index.ts';
import {
  type Appended,
  type Entry,
  type EntryContent,
  type EntryHead,
  type Ledger,
  LedgerError,
} from '../ledger/index.ts';
import type { CommitEntry } from '../log/index.ts';
import { type Section, TenantImage } from '../registry/index.ts';
import { type Logger, StageLatencies, traced } from '../telemetry/index.ts';
import { ENGINE } from './engine.ts';
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
  /** Commits an entry in the log. Absent where the durable entry is the commit. */
  commitInLog?(entry: CommitEntry): Promise<'committed' | 'refused'>;
  now(): number;
  logger: Logger;
  /** Replaced in tests, all three. */
  makeSender?: (endpoint: EndpointPlan, tenant: string, headers: Readonly<Record<string, string>>) => Sender;
  sleep?: (waitMs: number) => Promise<void>;
  baseAfterEntries?: number;
}

/** The log refused a commit: another process may own the shard. Nothing of the entry was sent. */
class OwnershipLost extends Error {}

export class LedgerService {
  private readonly options: LedgerServiceOptions;
  private readonly ledger: Ledger;
  private readonly common: Record<string, string>;
  private readonly images = new Map<string, TenantImage>();
  private readonly senders = new Map<
    string,
    { endpoint: EndpointPlan; tenant: string; sender: TenantSender; http: RenewableSender; done: Promise<void> }
  >();
  /** Settings that entries of this life have said: they changed, or the tenant is new. */
  private readonly said = new Map<string, TenantSettings>();
  private readonly latencies = new StageLatencies();
  private feed!: EntryFeed;
  private committedMs: number | undefined;
  private recoveredMs = -1;
  private entries = 0;
  private bytesSinceBase = 0;
  private entriesSinceBase = 0;
  private lastBaseBytes = 0;
  private newestBaseMs = -1;
  /** The shard was asked for a base that isn't written yet. */
  private isBaseAsked = false;
  /** The entry that was appended last, without its sections: a base of the same boundary repeats it. */
  private lastHead: Omit<EntryContent, 'sections'> | undefined;
  /** What was recovered last. */
  private found: EntryHead | undefined;
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
    for await (const entry of recovered.chain) state(entry);
    const { sinceBaseEntries, sinceBaseBytes } = ledger.stats();
    this.entriesSinceBase = sinceBaseEntries;
    this.bytesSinceBase = sinceBaseBytes;
    const claim = await ledger.takeOver();
    if (last) {
      const { ticks: _, sections: __, ...head } = last;
      this.found = head;
    }
    const isGenesis = last?.kind === 'genesis';
    const position: Position = {
      tMs: isGenesis ? undefined : last?.tMs,
      offsets: last?.offsets ?? [],
      lastRecords: last?.lastRecords ?? [],
      epoch: last?.epoch ?? 1,
      claim,
      isFinal: last?.kind === 'final',
    };
    this.committedMs = isGenesis ? undefined : last?.tMs;
    this.recoveredMs = last?.tMs ?? -1;
    this.feed = new EntryFeed(ledger, this.recoveredMs);
    await this.registerEndpoints();
    await this.resumeSenders([...tenants].sort(), recovered.base);
    this.options.toShard({ type: 'recovered', position });
  }

  /**
   * Commits what was found under the new claim, before anything is folded; a first start so pins the offsets that were chosen for it.
   * Answered by `pinned`.
   */
  pin(offsets: [partition: number, nextOffset: number][]): void {
    this.work = this.work
      .then(async () => {
        this.found ??= await this.appendGenesis(offsets);
        await this.commitInLog(this.found);
        this.options.toMain({ type: 'pinned' });
      })
      .catch((error) => this.failed(error));
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
    const beforeMs = this.committedMs ?? -1;
    const tenants = new Set(content.sections.map((section) => String(section.meta['tenant'])));
    // Durable with the entry itself: from now on nobody prunes what a new tenant's first boundary needs.
    for (const tenant of tenants) this.introduce(tenant, beforeMs);
    const { sizeBytes, digest } = await traced(
      'spanmill.ledger.append',
      { shard: this.options.plan.shard, boundary_ms: content.tMs },
      () => this.latencies.timeAsync('ledger_append', () => this.appendUntilDurable(content)),
    );
    await this.commitInLog({ tMs: content.tMs, digest, offsets: content.offsets });
    const { sections: _, ...head } = content;
    this.lastHead = head;
    this.committedMs = content.tMs;
    this.entries++;
    this.entriesSinceBase++;
    this.bytesSinceBase += sizeBytes;
    const wantsBase = !this.isBaseAsked && this.baseIsDue();
    this.isBaseAsked ||= wantsBase;
    this.options.toShard({ type: 'committed', tMs: content.tMs, wantsBase });
    this.show(content);
    await this.renewHeaders(content.sections);
    for (const tenant of tenants) {
      for (const endpoint of this.options.plan.remoteWrite) this.startSender(tenant, endpoint, undefined, beforeMs);
    }
    // What the newest base stands for is an interval old by now: whoever sends in step has settled it.
    if (this.ledger.overLimit()) for (const { sender } of this.senders.values()) sender.giveUp(this.newestBaseMs);
    this.feed.push(content);
    this.options.toMain({
      type: 'committed',
      tMs: content.tMs,
      offsets: content.offsets,
      firstUnsettledMs: this.firstUnsettledMs(),
    });
  }

  /** Where the log fences its readers, an entry that it has not taken is not said. @throws OwnershipLost */
  private async commitInLog({ tMs, digest, offsets }: Pick<EntryHead, 'tMs' | 'digest' | 'offsets'>): Promise<void> {
    const { commitInLog, plan } = this.options;
    if (!commitInLog) return;
    const entry = { claim: this.ledger.claim, tMs, digest, offsets };
    const outcome = await traced('spanmill.log.commit', { shard: plan.shard, boundary_ms: tMs }, () =>
      this.latencies.timeAsync('log_commit', () => commitInLog(entry)),
    );
    if (outcome === 'refused')
      throw new OwnershipLost(`the commit of entry T=${tMs} was refused: another owner took over`);
  }

  /** Lies before every tick: the first tick is still that of the first record. */
  private async appendGenesis(offsets: [partition: number, nextOffset: number][]): Promise<EntryHead> {
    const content: SnapshotContent = {
      kind: 'genesis',
      tMs: 0,
      epoch: 1,
      engine: ENGINE,
      offsets,
      lastRecords: [],
      ticks: { endsMs: new Float64Array(0), nextOffsets: new Float64Array(0), partitions: [] },
      sections: [],
    };
    await this.appendUntilDurable(content);
    return (await this.ledger.recover()).last!;
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
        await (this.options.sleep ?? sleep)(waitMs);
      }
    }
  }

  /** Over its limit the ledger needs a base to prune below, but not so often that bases alone fill it. */
  private baseIsDue(): boolean {
    if (this.entriesSinceBase >= (this.options.baseAfterEntries ?? BASE_AFTER_ENTRIES)) return true;
    return this.bytesSinceBase >= Math.max(this.ledger.overLimit() ? 0 : BASE_AFTER_BYTES, this.lastBaseBytes);
  }

  /** No base is no loss: one that can't be written now is asked for again. */
  private async writeBase(tMs: number, sections: Section[]): Promise<void> {
    this.isBaseAsked = false;
    if (this.lastHead?.tMs !== tMs) return;
    try {
      const { sizeBytes } = await this.ledger.appendBase({ ...this.lastHead, sections });
      this.lastBaseBytes = sizeBytes;
    } catch (error) {
      if (!(error instanceof LedgerError && error.isRetryable)) throw error;
      this.options.logger.error({ err: error, boundaryMs: tMs }, 'the base could not be written');
      return;
    }
    this.bytesSinceBase = 0;
    this.entriesSinceBase = 0;
    this.newestBaseMs = tMs;
    await this.prune();
  }

  /** Nothing that an unsettled boundary needs is ever pruned. */
  private async prune(): Promise<void> {
    try {
      await this.ledger.prune(Math.min(this.newestBaseMs, this.firstUnsettledMs() ?? Number.POSITIVE_INFINITY));
    } catch (error) {
      if (!(error instanceof LedgerError && (error.isRetryable || error.code === 'ledger_closed'))) throw error;
      this.options.logger.error({ err: error }, 'the ledger could not be pruned');
    }
  }

  private settled(key: string, tMs: number): void {
    this.ledger.settle(key, tMs);
    if (tMs >= this.newestBaseMs && this.ledger.overLimit()) this.prune().catch((error) => this.failed(error));
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

  /** A tenant that the ledger has never seen has everything up to here settled. */
  private introduce(tenant: string, beforeMs: number): void {
    const known = this.ledger.settled();
    for (const endpoint of this.options.plan.remoteWrite) {
      const key = settledKey(tenant, endpoint);
      if (!known.has(key)) this.ledger.settle(key, Math.max(beforeMs, 0));
    }
  }

  /** Each sender goes on behind what it has settled: from a base at or below it, which may not be the newest. */
  private async resumeSenders(tenants: readonly string[], newest: Entry | undefined): Promise<void> {
    const bases = new Map<number, Entry | undefined>();
    for (const tenant of tenants) {
      for (const endpoint of this.options.plan.remoteWrite) {
        const settledMs = this.settledMs(tenant, endpoint);
        let base = newest;
        if (base && base.tMs > settledMs) {
          if (!bases.has(settledMs)) bases.set(settledMs, await this.baseFor(settledMs, base));
          base = bases.get(settledMs);
        }
        this.startSender(tenant, endpoint, base, base?.tMs ?? -1);
      }
    }
  }

  /** Undefined: the entries are there from the first one. */
  private async baseFor(settledMs: number, newest: Entry): Promise<Entry | undefined> {
    const base = await this.ledger.baseBefore(settledMs);
    if (base) return base;
    try {
      for await (const _ of this.ledger.read(Number.NEGATIVE_INFINITY)) break;
      return undefined;
    } catch (error) {
      if (!(error instanceof LedgerError && error.code === 'pruned')) throw error;
      // An endpoint that was taken out of the configuration for a while: nobody kept its boundaries.
      this.options.logger.warn({ settledMs, fromMs: newest.tMs }, 'boundaries of an endpoint are pruned: not sent');
      return newest;
    }
  }

  private settledMs(tenant: string, endpoint: EndpointPlan): number {
    const known = this.ledger.settled();
    return known.get(settledKey(tenant, endpoint)) ?? known.get(endpointKey(endpoint)) ?? 0;
  }

  private startSender(tenant: string, endpoint: EndpointPlan, base: Entry | undefined, followFromMs: number): void {
    const key = settledKey(tenant, endpoint);
    if (this.senders.has(key)) return;
    const make = this.options.makeSender ?? httpSender;
    const http = renewable(() => make(endpoint, tenant, this.headersOf(tenant, endpoint)));
    const sender = new TenantSender({
      tenant,
      endpoint,
      common: this.common,
      sender: http,
      settledMs: this.settledMs(tenant, endpoint),
      recoveredMs: this.recoveredMs,
      onSettled: (tMs) => this.settled(key, tMs),
      now: this.options.now,
      logger: this.options.logger,
      latencies: this.latencies,
    });
    if (base) sender.base(base.sections.filter((section) => section.meta['tenant'] === tenant));
    const done = sender.run(this.feed.follow(followFromMs)).catch((error) => this.failed(error));
    this.senders.set(key, { endpoint, tenant, sender, http, done });
  }

  private headersOf(tenant: string, endpoint: EndpointPlan): Record<string, string> {
    const headers = { ...endpoint.headers, ...this.tenantSettings(tenant).remoteWriteHeaders };
    const named = Object.keys(headers).some((name) => name.toLowerCase() === 'x-scope-orgid');
    if (this.options.plan.addOrgIdHeader && tenant !== SINGLE_TENANT && !named) headers['X-Scope-OrgID'] = tenant;
    return headers;
  }

  /** Headers change with the entry that says so, and then for boundaries that still wait, too: a token may have expired. */
  private async renewHeaders(sections: readonly Section[]): Promise<void> {
    for (const { meta } of sections) {
      if (meta['holder'] !== 'settings') continue;
      const tenant = String(meta['tenant']);
      const before = this.tenantSettings(tenant).remoteWriteHeaders;
      const settings = meta['settings'] as TenantSettings;
      this.said.set(tenant, settings);
      if (isDeepStrictEqual(settings.remoteWriteHeaders, before)) continue;
      for (const held of this.senders.values()) if (held.tenant === tenant) await held.http.renew();
    }
  }

  private tenantSettings(tenant: string): TenantSettings {
    const { defaults, tenants } = this.options.plan.settings;
    return this.said.get(tenant) ?? (Object.hasOwn(tenants, tenant) ? tenants[tenant]! : defaults);
  }

  private failed(error: unknown): void {
    const isLost = error instanceof OwnershipLost;
    if (!isLost) this.options.logger.fatal({ err: error }, 'the ledger worker failed');
    this.options.toMain({ type: 'failed', message: error instanceof Error ? error.message : String(error), isLost });
  }
}

interface RenewableSender extends Sender {
  /** Makes the sender anew. What is under way is broken off and sent again, the same bytes: a receiver takes a repetition. */
  renew(): Promise<void>;
}

function renewable(make: () => Sender): RenewableSender {
  let current = make();
  let renewal = new AbortController();
  let retriesBefore = 0;
  return {
    name: current.name,
    async send(body, { signal } = {}) {
      for (;;) {
        const renewed = renewal.signal;
        const outcome = await current.send(body, { signal: signal ? AbortSignal.any([signal, renewed]) : renewed });
        if (outcome.kind !== 'aborted' || !renewed.aborted || signal?.aborted) return outcome;
      }
    },
    stats() {
      const stats = current.stats();
      return { ...stats, retries: stats.retries + retriesBefore };
    },
    close: () => current.close(),
    async renew() {
      const [old, ended] = [current, renewal];
      retriesBefore += old.stats().retries;
      current = make();
      renewal = new AbortController();
      ended.abort();
      await old.close();
    },
  };
}

function httpSender(endpoint: EndpointPlan, _tenant: string, headers: Readonly<Record<string, string>>): Sender {
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

function sleep(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs));
}

function settledKey(tenant: string, endpoint: EndpointPlan): string {
  return `${tenant}\u0000${endpoint.name}`;
}

/** No tenant has an empty name: this key is the endpoint's own. */
function endpointKey(endpoint: EndpointPlan): string {
  return `\u0000${endpoint.name}`;
}
