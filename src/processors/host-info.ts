// traces_host_info: which hosts send spans. Looks at resources only; an empty ResourceSpans counts too.

import type { TenantSettings } from '../config/index.ts';
import type { Resource, SpanBatch } from '../otlp/index.ts';
import { INVALID_LABELS, makeSchema, type RowTable } from '../registry/index.ts';
import { constantLabels } from './constant-labels.ts';
import type { Processor, ProcessorContext, ProcessorSpec } from './processor.ts';

const NAME = 'host-info';
const LABELS = ['grafana_host_id', 'host_source'];
const encoder = new TextEncoder();

export function hostInfoSpec(settings: TenantSettings): ProcessorSpec | undefined {
  if (!settings.processors.includes(NAME)) return undefined;
  return { name: NAME, keys: [], create: (context) => new HostInfo(context) };
}

export class HostInfo implements Processor {
  readonly name = NAME;
  private readonly context: ProcessorContext;
  private readonly table: RowTable;
  private readonly identifiers: { key: Uint8Array; text: string }[];

  constructor(context: ProcessorContext) {
    this.context = context;
    const { settings, registry, tenant } = context;
    this.identifiers = settings.hostInfo.hostIdentifiers.map((text) => ({ key: encoder.encode(text), text }));
    this.table = registry.table(
      makeSchema(
        NAME,
        LABELS.map((name) => (settings.maxLabelNameLength > 0 ? name.slice(0, settings.maxLabelNameLength) : name)),
        [{ kind: 'gauge', metric: settings.hostInfo.metricName }],
        constantLabels(tenant, settings),
        settings.traceIdLabelName,
      ),
    );
  }

  process(batch: SpanBatch, nowMs: number): void {
    for (let g = 0; g < batch.groups; g++) {
      const found = this.identify(this.context.resources.get(batch.groupResource[g]!));
      if (!found) continue;
      const { table } = this;
      table.key[0] = this.context.symbols.text(found.value);
      table.key[1] = this.context.symbols.text(encoder.encode(found.source));
      let row = table.find();
      if (row < 0) row = table.admit(nowMs, table.fullMask);
      if (row === INVALID_LABELS) {
        this.context.counters.discard('invalid_utf8', NAME);
        continue;
      }
      table.touch(row, nowMs);
    }
  }

  /** The first identifier, in configured order, with a non-empty string value. */
  private identify(resource: Resource): { value: Uint8Array; source: string } | undefined {
    for (const { key, text } of this.identifiers) {
      for (const attribute of resource.attributes) {
        if (!resource.hasKey(attribute, key)) continue;
        const value = resource.stringValue(attribute);
        if (value && value.length > 0) return { value, source: text };
      }
    }
    return undefined;
  }
}
