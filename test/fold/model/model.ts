// One tenant's fold in the plainest way: plain objects, one rule after the other, nothing shared with the code under test but its types.
// Slow on purpose. What it holds is what the code must hold; it must never be made to agree with the code against the rules.

import { isDeepStrictEqual } from 'node:util';
import type { TenantSettings } from '../../../src/config/index.ts';
import { serviceGraphsTable } from './graph-table.ts';
import { hostTables, SpanMetrics, spanTables } from './processors.ts';
import { Registry, type Said } from './registry.ts';
import { type Group, groupSize, type Request } from './request.ts';
import { ServiceGraph } from './service-graph.ts';

const EXPIRY_MS = 2_000;
const SWEEP_MS = 300_000;

export class Model {
  settings: TenantSettings;
  readonly registry: Registry;
  readonly spans: SpanMetrics;
  readonly graph: ServiceGraph;
  readonly counts = {
    spansReceived: 0,
    bytesReceived: 0,
    /** Spans of requests that no metrics are to be made of. */
    spansSkipped: 0,
    /** One for each processor that was on. */
    skippedPushes: 0,
    outside: 0,
    /** Spans that came while there were no span metrics. */
    withoutProcessor: 0,
  };
  private readonly tenant: string;
  private readonly originMs: number;
  private tickMs: number;

  constructor(tenant: string, settings: TenantSettings, originMs: number) {
    this.tenant = tenant;
    this.settings = settings;
    this.originMs = originMs;
    this.tickMs = originMs;
    this.registry = new Registry(settings, settings.staleDurationMs);
    this.spans = new SpanMetrics(tenant, this.registry);
    this.graph = new ServiceGraph(settings, (labels, nowMs, changes) =>
      this.registry.update('service-graphs', labels, nowMs, changes),
    );
    this.useTables();
  }

  push(nowMs: number, recordMs: number, request: Request, skip: boolean): void {
    const { counts, settings, active } = this;
    const spans = request.reduce((sum, group) => sum + group.spans.length, 0);
    counts.spansReceived += spans;
    counts.bytesReceived += request.reduce((sum, group) => sum + groupSize(group), 0);
    if (skip) {
      counts.spansSkipped += spans;
      counts.skippedPushes += Object.values(active).filter((isOn) => isOn).length;
      return;
    }
    const kept = request.map((group) => this.withinSlack(group, recordMs));
    if (active.spans) for (const group of kept) this.spans.take(settings, group, nowMs);
    else counts.withoutProcessor += kept.reduce((sum, group) => sum + group.spans.length, 0);
    if (active.graph) for (const group of kept) this.graph.take(group, nowMs);
    if (active.hosts) for (const group of kept) this.spans.host(settings, group, nowMs);
  }

  /** Timers of every two seconds and five minutes. */
  advance(tMs: number): void {
    while (this.tickMs + EXPIRY_MS <= tMs) {
      this.tickMs += EXPIRY_MS;
      this.graph.expire(this.tickMs);
      if ((this.tickMs - this.originMs) % SWEEP_MS === 0) this.registry.sweep(this.tickMs);
    }
    this.registry.advance(tMs);
  }

  collect(tMs: number): { said: Said[]; ended: string[] } {
    return this.registry.say(tMs);
  }

  configure(settings: TenantSettings): void {
    if (isDeepStrictEqual(settings, this.settings)) return;
    this.settings = settings;
    this.registry.limits = settings;
    this.registry.staleDurationMs = settings.staleDurationMs;
    this.useTables();
    this.graph.configure(settings);
    if (this.active.graph) return;
    this.graph.abandon();
  }

  /** Which processors are on? */
  get active(): { spans: boolean; graph: boolean; hosts: boolean } {
    const { tenant, settings } = this;
    return {
      spans: spanTables(tenant, settings).length > 0,
      graph: serviceGraphsTable(tenant, settings) !== undefined,
      hosts: hostTables(tenant, settings).length > 0,
    };
  }

  /** Tables of processors that are off stay as they are. */
  private useTables(): void {
    const { tenant, settings, registry } = this;
    const graph = serviceGraphsTable(tenant, settings);
    const tables = [...spanTables(tenant, settings), ...(graph ? [graph] : []), ...hostTables(tenant, settings)];
    for (const table of tables) registry.use(table);
  }

  private withinSlack({ resource, spans }: Group, recordMs: number): Group {
    const low = BigInt(recordMs - this.settings.slackMs) * 1_000_000n;
    const high = BigInt(recordMs + this.settings.slackMs) * 1_000_000n;
    const inside = spans.filter(({ endNs }) => low <= endNs && endNs <= high);
    this.counts.outside += spans.length - inside.length;
    return { resource, spans: inside };
  }
}
