// What a processor is: it names the attribute keys it wants, is bound to a tenant's tables, and is then fed requests. A new
// processor is one file that implements this and one line where the tenant is put together.

import type { TenantSettings } from '../config/index.ts';
import type { ExtractionPlan, ResourceTable, SpanBatch } from '../otlp/index.ts';
import type { Registry, Section } from '../registry/index.ts';
import type { AttributeSymbols } from './attribute-symbols.ts';
import type { TenantCounters } from './counters.ts';

export interface ProcessorContext {
  tenant: string;
  settings: TenantSettings;
  plan: ExtractionPlan;
  resources: ResourceTable;
  registry: Registry;
  symbols: AttributeSymbols;
  counters: TenantCounters;
}

export interface Processor {
  readonly name: string;
  /** Takes one request in. Spans with `batch.kept[i] === 0` do not exist. Never fires timers; `nowMs` may go back within a tick. */
  process(batch: SpanBatch, nowMs: number): void;
  /** Fired every two seconds of log time. False while there is nothing that could expire. */
  expire?(nowMs: number): void;
  readonly hasPending?: boolean;
  readonly pendingEdges?: number;
  changes?(tMs: number): Section[];
  everything?(tMs: number): Section[];
  load?(section: Section, tMs: number): void;
  /** Takes over what a processor of the same name held under the settings before. */
  adopt?(predecessor: Processor): void;
  /** The processor is switched off: what waits in it must be counted. */
  retire?(): void;
  /** Loading is over. */
  loaded?(): void;
}

/** A processor before the plan exists: `keys` go into the plan, then `create` binds it. */
export interface ProcessorSpec {
  readonly name: string;
  readonly keys: readonly string[];
  create(context: ProcessorContext): Processor;
}
