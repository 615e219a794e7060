// All senders of a shard: one for each tenant and endpoint, each following the committed entries behind what it has settled. Keeps the
// settled pointers, in the ledger, and the headers of each tenant.

import { isDeepStrictEqual } from 'node:util';
import type { BatchInfo, Writer } from 'remote-write-ts';
import type { TenantSettings } from '../config/index.ts';
import type { Entry, Ledger } from '../ledger/index.ts';
import type { Section } from '../registry/index.ts';
import type { Logger, StageLatencies } from '../telemetry/index.ts';
import { type SendingTenant, SINGLE_TENANT, statsOf } from './endpoint-stats.ts';
import type { EntryFeed } from './entry-feed.ts';
import type { EndpointPlan, EndpointStats, ShardPlan } from './protocol.ts';
import { redaction } from './redaction.ts';
import { httpWriter, type RenewableWriter, refusingWriter, renewable } from './renewable-writer.ts';
import { endpointKey, isWhole, sayWhatIsLeft, settledKey } from './settled-keys.ts';
import { TenantSender } from './tenant-sender.ts';

/**
 * @param onBatch told of each request
 * @param onWarning told in words what doesn't stop the writer
 */
export type MakeWriter = (
  endpoint: EndpointPlan,
  tenant: string,
  headers: Readonly<Record<string, string>>,
  onBatch: (batch: BatchInfo) => void,
  onWarning: (message: string) => void,
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

interface Held extends SendingTenant {
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
    const { ledger, plan, recoveredMs, logger } = this.options;
    const known = ledger.settled();
    for (const endpoint of plan.remoteWrite) {
      if (!known.has(endpointKey(endpoint))) ledger.settle(endpointKey(endpoint), Math.max(recoveredMs, 0));
    }
    await ledger.flush();
    await sayWhatIsLeft(ledger, plan.remoteWrite, recoveredMs, logger);
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
    if (await isWhole(ledger)) return undefined;
    // An endpoint that was taken out of the configuration for a while: nobody kept its boundaries.
    logger.warn({ settledMs, fromMs: newest.tMs }, 'boundaries of an endpoint are pruned: not sent');
    return newest;
  }

  private settledMs(tenant: string, endpoint: EndpointPlan): number {
    const known = this.options.ledger.settled();
    return known.get(settledKey(tenant, endpoint)) ?? known.get(endpointKey(endpoint)) ?? 0;
  }

  private follow(tenant: string, endpoint: EndpointPlan, base: Entry | undefined, afterMs: number): void {
    const key = settledKey(tenant, endpoint);
    if (this.held.has(key)) return;
    const { ledger, feed, common, recoveredMs, now, logger, latencies, makeWriter, onSettled, onFailed } = this.options;
    const make: MakeWriter =
      makeWriter ?? ((plan, _, headers, onBatch, onWarning) => httpWriter(plan, headers, onBatch, onWarning));
    // The writer's own numbers have the error of the request that it tells of.
    const onBatch = (batch: BatchInfo) => sender.noteRequest(batch, writer.stats().lastError);
    const onWarning = (message: string) => sender.health.warned(message);
    const writer = renewable(() => {
      const headers = this.headersOf(tenant, endpoint);
      try {
        return make(endpoint, tenant, headers, onBatch, onWarning);
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
      newestMs: () => ledger.stats().committedMs,
      onSettled: (tMs) => {
        ledger.settle(key, tMs);
        onSettled(tMs);
      },
      now,
      logger,
      latencies,
    });
    this.redactFor(sender, tenant, endpoint);
    if (base) sender.base(base.sections.filter((section) => section.meta['tenant'] === tenant));
    const done = sender.run(feed.follow(afterMs)).catch(onFailed);
    this.held.set(key, { endpoint, tenant, sender, writer, done });
  }

  private redactFor({ health }: TenantSender, tenant: string, endpoint: EndpointPlan): void {
    health.redact = redaction(endpoint.url, this.headersOf(tenant, endpoint));
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
      for (const { tenant: whose, endpoint, sender, writer } of this.held.values()) {
        if (whose !== tenant) continue;
        this.redactFor(sender, tenant, endpoint);
        await writer.renew();
      }
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

  /** Resolves when all have sent what the closed feed still gave, or the deadline or that of the configuration is over. */
  async stop(deadlineMs: number): Promise<void> {
    const held = [...this.held.values()];
    const { flushDeadlineMs = deadlineMs } = this.options.plan;
    const timer = setTimeout(
      () => {
        for (const { sender } of held) sender.stop();
      },
      Math.min(deadlineMs, flushDeadlineMs),
    );
    await Promise.all(held.map(({ done }) => done));
    clearTimeout(timer);
    for (const { writer } of held) await writer.close();
  }

  stats(): EndpointStats[] {
    const byEndpoint = Map.groupBy(this.held.values(), ({ endpoint }) => endpoint.name);
    return [...byEndpoint.values()].map((held) => statsOf(held));
  }

  /** Up to here each tenant's boundaries are settled at each endpoint; undefined without senders. */
  settledEverywhereMs(): number | undefined {
    let settledMs = Number.POSITIVE_INFINITY;
    for (const { sender } of this.held.values()) settledMs = Math.min(settledMs, sender.settledMs);
    return Number.isFinite(settledMs) ? settledMs : undefined;
  }
}
