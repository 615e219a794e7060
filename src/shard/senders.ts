// All senders of a shard: one for each tenant and endpoint, each following the committed entries behind what it has settled. Keeps the
// settled pointers, in the ledger, and the headers of each tenant.

import { isDeepStrictEqual } from 'node:util';
import type { BatchInfo, Writer } from 'remote-write-ts';
import type { TenantSettings } from '../config/index.ts';
import { type Entry, type Ledger, LedgerError } from '../ledger/index.ts';
import type { Section } from '../registry/index.ts';
import type { Logger, StageLatencies } from '../telemetry/index.ts';
import { addCounts, noCounts } from '../telemetry/index.ts';
import type { EntryFeed } from './entry-feed.ts';
import type { EndpointPlan, EndpointStats, ShardPlan } from './protocol.ts';
import { httpWriter, type RenewableWriter, refusingWriter, renewable } from './renewable-writer.ts';
import { TenantSender } from './tenant-sender.ts';

const SINGLE_TENANT = 'single-tenant';

/** @param onBatch told of each request */
export type MakeWriter = (
  endpoint: EndpointPlan,
  tenant: string,
  headers: Readonly<Record<string, string>>,
  onBatch: (batch: BatchInfo) => void,
) => Writer;

export interface SendersOptions {
  plan: ShardPlan;
  ledger: Ledger;
  feed: EntryFeed;
  /** T of the newest entry found at the start, -1 without one: refusals up to it are repeats. */
  recoveredMs: number;
  /** Labels of every series. */
  common: Readonly<Record<string, string>>;
  now(): number;
  logger: Logger;
  latencies: StageLatencies;
  makeWriter: MakeWriter | undefined;
  onSettled(tMs: number): void;
  onFailed(error: unknown): void;
}

interface Held {
  endpoint: EndpointPlan;
  tenant: string;
  sender: TenantSender;
  writer: RenewableWriter;
  done: Promise<void>;
}

export class Senders {
  private readonly options: SendersOptions;
  private readonly held = new Map<string, Held>();
  /** Settings that entries of this life have said: they changed, or the tenant is new. */
  private readonly said = new Map<string, TenantSettings>();

  constructor(options: SendersOptions) {
    this.options = options;
  }

  /** An endpoint that the ledger has never seen starts with the boundaries to come: the past was not meant for it. */
  async registerEndpoints(): Promise<void> {
    const { ledger, plan, recoveredMs } = this.options;
    const known = ledger.settled();
    for (const endpoint of plan.remoteWrite) {
      if (!known.has(endpointKey(endpoint))) ledger.settle(endpointKey(endpoint), Math.max(recoveredMs, 0));
    }
    await ledger.flush();
  }

  /** A tenant that the ledger has never seen has everything up to here settled. */
  introduce(tenant: string, beforeMs: number): void {
    const { ledger, plan } = this.options;
    const known = ledger.settled();
    for (const endpoint of plan.remoteWrite) {
      const key = settledKey(tenant, endpoint);
      if (!known.has(key)) ledger.settle(key, Math.max(beforeMs, 0));
    }
  }

  /** Each sender goes on behind what it has settled: from a base at or below it, which may not be the newest. */
  async resume(tenants: readonly string[], newest: Entry | undefined): Promise<void> {
    // Many pointers, few bases: each is read once.
    const bases = new Map<number | undefined, Entry | undefined>();
    for (const tenant of tenants) {
      for (const endpoint of this.options.plan.remoteWrite) {
        const settledMs = this.settledMs(tenant, endpoint);
        let base = newest;
        if (base && base.tMs > settledMs) {
          const baseMs = this.options.ledger.baseTimeBefore(settledMs);
          if (!bases.has(baseMs)) bases.set(baseMs, await this.baseFor(settledMs, base));
          base = bases.get(baseMs);
        }
        this.follow(tenant, endpoint, base, base?.tMs ?? -1);
      }
    }
  }

  /** Senders of a tenant that has none yet begin with the first entry after `afterMs`. */
  start(tenant: string, afterMs: number): void {
    for (const endpoint of this.options.plan.remoteWrite) this.follow(tenant, endpoint, undefined, afterMs);
  }

  /** Undefined: the entries are there from the first one. */
  private async baseFor(settledMs: number, newest: Entry): Promise<Entry | undefined> {
    const { ledger, logger } = this.options;
    const base = await ledger.baseBefore(settledMs);
    if (base) return base;
    try {
      for await (const _ of ledger.read(Number.NEGATIVE_INFINITY)) break;
      return undefined;
    } catch (error) {
      if (!(error instanceof LedgerError && error.code === 'pruned')) throw error;
      // An endpoint that was taken out of the configuration for a while: nobody kept its boundaries.
      logger.warn({ settledMs, fromMs: newest.tMs }, 'boundaries of an endpoint are pruned: not sent');
      return newest;
    }
  }

  private settledMs(tenant: string, endpoint: EndpointPlan): number {
    const known = this.options.ledger.settled();
    return known.get(settledKey(tenant, endpoint)) ?? known.get(endpointKey(endpoint)) ?? 0;
  }

  private follow(tenant: string, endpoint: EndpointPlan, base: Entry | undefined, afterMs: number): void {
    const key = settledKey(tenant, endpoint);
    if (this.held.has(key)) return;
    const { ledger, feed, common, recoveredMs, now, logger, latencies, makeWriter, onSettled, onFailed } = this.options;
    const make = makeWriter ?? ((plan, _, headers, onBatch) => httpWriter(plan, headers, onBatch));
    const onBatch = (batch: BatchInfo) => sender.noteRequest(batch);
    const writer = renewable(() => {
      try {
        return make(endpoint, tenant, this.headersOf(tenant, endpoint), onBatch);
      } catch (error) {
        logger.error({ err: error, tenant, endpoint: endpoint.name }, 'remote write of a tenant can not work');
        return refusingWriter(error);
      }
    });
    const sender: TenantSender = new TenantSender({
      tenant,
      endpoint,
      common,
      writer,
      settledMs: this.settledMs(tenant, endpoint),
      recoveredMs,
      onSettled: (tMs) => {
        ledger.settle(key, tMs);
        onSettled(tMs);
      },
      now,
      logger,
      latencies,
    });
    if (base) sender.base(base.sections.filter((section) => section.meta['tenant'] === tenant));
    const done = sender.run(feed.follow(afterMs)).catch(onFailed);
    this.held.set(key, { endpoint, tenant, sender, writer, done });
  }

  /** A tenant's headers replace the endpoint's of the same name, however that is written. */
  private headersOf(tenant: string, endpoint: EndpointPlan): Record<string, string> {
    const byName = new Map<string, [name: string, value: string]>();
    const own = Object.entries(this.tenantSettings(tenant).remoteWriteHeaders);
    for (const header of [...Object.entries(endpoint.headers), ...own]) byName.set(header[0].toLowerCase(), header);
    if (this.options.plan.addOrgIdHeader && tenant !== SINGLE_TENANT && !byName.has('x-scope-orgid'))
      byName.set('x-scope-orgid', ['X-Scope-OrgID', tenant]);
    return Object.fromEntries(byName.values());
  }

  /** Headers change with the entry that says so, and then for boundaries that still wait, too: a token may have expired. */
  async renewHeaders(sections: readonly Section[]): Promise<void> {
    for (const { meta } of sections) {
      if (meta['holder'] !== 'settings') continue;
      const tenant = String(meta['tenant']);
      const before = this.tenantSettings(tenant).remoteWriteHeaders;
      const settings = meta['settings'] as TenantSettings;
      this.said.set(tenant, settings);
      if (isDeepStrictEqual(settings.remoteWriteHeaders, before)) continue;
      for (const held of this.held.values()) if (held.tenant === tenant) await held.writer.renew();
    }
  }

  private tenantSettings(tenant: string): TenantSettings {
    const { defaults, tenants } = this.options.plan.settings;
    return this.said.get(tenant) ?? (Object.hasOwn(tenants, tenant) ? tenants[tenant]! : defaults);
  }

  /** Boundaries up to this one are given up: the ledger needs their room. */
  giveUp(throughMs: number): void {
    for (const { sender } of this.held.values()) sender.giveUp(throughMs);
  }

  /** Resolves when all have sent what the closed feed still gave, or the deadline is over. */
  async stop(deadlineMs: number): Promise<void> {
    const held = [...this.held.values()];
    const timer = setTimeout(() => {
      for (const { sender } of held) sender.stop();
    }, deadlineMs);
    await Promise.all(held.map(({ done }) => done));
    clearTimeout(timer);
    for (const { writer } of held) await writer.close();
  }

  stats(): EndpointStats[] {
    const byEndpoint = new Map<string, EndpointStats>();
    for (const { endpoint, sender, writer } of this.held.values()) {
      const stats = writer.stats();
      const { settledMs, counters } = sender;
      const entry = byEndpoint.get(endpoint.name) ?? {
        name: endpoint.name,
        url: endpoint.url,
        settledMs,
        ...noCounts(),
        retries: 0,
        lastError: undefined,
      };
      entry.settledMs = Math.min(entry.settledMs ?? settledMs, settledMs);
      addCounts(entry, counters);
      entry.retries += stats.retries;
      entry.lastError = stats.lastError ?? entry.lastError;
      byEndpoint.set(endpoint.name, entry);
    }
    return [...byEndpoint.values()];
  }

  /** Up to here each tenant's boundaries are settled at each endpoint; undefined without senders. */
  settledEverywhereMs(): number | undefined {
    let settledMs = Number.POSITIVE_INFINITY;
    for (const { sender } of this.held.values()) settledMs = Math.min(settledMs, sender.settledMs);
    return Number.isFinite(settledMs) ? settledMs : undefined;
  }
}

function settledKey(tenant: string, endpoint: EndpointPlan): string {
  return `${tenant}\u0000${endpoint.name}`;
}

/** No tenant has an empty name: this key is the endpoint's own. */
function endpointKey(endpoint: EndpointPlan): string {
  return `\u0000${endpoint.name}`;
}
