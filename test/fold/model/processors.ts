// Spans of one ResourceSpans into span metrics, in either naming, and resources into info metrics.

import type { TenantSettings } from '../../../src/config/index.ts';
import { accepts } from './filters.ts';
import { hostInfoLabels, targetInfoLabels } from './info.ts';
import type { State } from './metrics.ts';
import {
  limited,
  OTEL_INFO,
  otelChanges,
  otelEventsTable,
  otelInfoLabels,
  otelInfoTable,
  otelTables,
  otelWeight,
} from './otel-metrics.ts';
import type { Registry, Table } from './registry.ts';
import { type Attributes, first, type Group, type Span } from './request.ts';
import { spanChanges, spanLabels } from './span-metrics.ts';
import { hostInfoTable, spanMetricsTable, TARGET_INFO, targetInfoTable } from './tables.ts';
import { isText, type Labels } from './text.ts';

export interface SpanCounts {
  counted: number;
  filtered: number;
  /** Their labels are no text. */
  invalid: number;
  /** Spans whose resource can't be told, for bytes that are no text. */
  invalidInfos: number;
  /** The collector passes over resources without a service. */
  nameless: number;
}

/** Tables of span metrics that the settings ask for; none: the processor is off. */
export function spanTables(tenant: string, settings: TenantSettings): Table[] {
  if (settings.naming === 'otel') {
    const tables = otelTables(tenant, settings).map(({ table }) => table);
    const others = [otelEventsTable(tenant, settings)?.table, otelInfoTable(tenant, settings)];
    return tables.length === 0 ? [] : [...tables, ...others.filter((table) => table !== undefined)];
  }
  const table = spanMetricsTable(tenant, settings);
  if (table === undefined) return [];
  return [table, ...(settings.spanMetrics.enableTargetInfo ? [targetInfoTable(tenant, settings)] : [])];
}

export function hostTables(tenant: string, settings: TenantSettings): Table[] {
  const table = hostInfoTable(tenant, settings);
  return table === undefined ? [] : [table];
}

export class SpanMetrics {
  readonly counts: SpanCounts = { counted: 0, filtered: 0, invalid: 0, invalidInfos: 0, nameless: 0 };
  invalidHosts = 0;
  private readonly tenant: string;
  private readonly registry: Registry;

  constructor(tenant: string, registry: Registry) {
    this.tenant = tenant;
    this.registry = registry;
  }

  take(settings: TenantSettings, { resource, spans }: Group, nowMs: number): void {
    const { counts } = this;
    const isOtel = settings.naming === 'otel';
    let isTold = false;
    for (const span of spans) {
      if (isOtel && first(resource, 'service.name') === undefined) counts.nameless++;
      else if (!accepts(settings.spanMetrics.filterPolicies, resource, span)) counts.filtered++;
      else if (!(isOtel ? this.countOtel : this.count).call(this, settings, resource, span, nowMs)) counts.invalid++;
      else {
        counts.counted++;
        // Once for all of them; where the labels are no text, each is one more that could not be told.
        isTold = isTold || this.tell(settings, resource, nowMs);
        if (!isTold) counts.invalidInfos++;
      }
    }
  }

  host({ hostInfo, ...settings }: TenantSettings, { resource }: Group, nowMs: number): void {
    const labels = hostInfoLabels(hostInfo, resource, settings);
    if (labels === undefined) return;
    if (!this.registry.update('host-info', labels, nowMs, [[hostInfo.metricName, () => undefined]]))
      this.invalidHosts++;
  }

  private count(settings: TenantSettings, resource: Attributes, span: Span, nowMs: number): boolean {
    const changes = spanChanges(settings, resource, span, nowMs);
    return this.registry.update('span-metrics', spanLabels(settings, resource, span), nowMs, changes);
  }

  /** Nothing of a span counts where any of its label sets is no text. */
  private countOtel(settings: TenantSettings, resource: Attributes, span: Span, nowMs: number): boolean {
    const { registry, tenant } = this;
    const all = otelTables(tenant, settings);
    const isFine = all.map((one) => isText(limited(settings, registry, one, resource, span)));
    if (isFine.includes(false)) return false;
    for (const one of all) {
      const changes = otelChanges(settings, one.table, resource, span, nowMs);
      registry.update(one.table.name, limited(settings, registry, one, resource, span), nowMs, changes);
    }
    const events = otelEventsTable(tenant, settings);
    if (events === undefined) return true;
    const weight = otelWeight(settings, resource, span);
    for (const event of span.events ?? []) {
      const labels = limited(settings, registry, events, resource, span, [span.attributes, event, resource]);
      const name = events.table.metrics[0]!.name;
      const add = (state: State) => {
        state.value += weight;
      };
      registry.update(events.table.name, labels, nowMs, [[name, add]]);
    }
    return true;
  }

  /** Of whom the spans are. False: its labels are no text. */
  private tell(settings: TenantSettings, resource: Attributes, nowMs: number): boolean {
    const isOtel = settings.naming === 'otel';
    if (isOtel ? !settings.otel.resourceLabels : !settings.spanMetrics.enableTargetInfo) return true;
    const labels: Labels | undefined = (isOtel ? otelInfoLabels : targetInfoLabels)(settings, resource);
    const metric = isOtel ? OTEL_INFO : TARGET_INFO;
    return labels === undefined || this.registry.update('target-info', labels, nowMs, [[metric, () => undefined]]);
  }
}
