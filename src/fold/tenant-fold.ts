// One tenant's fold: bytes → decoder → processors → registry, and its timers. A pure function of what is pushed and when:
// nothing here or below reads a clock, a random number or a locale.

import { isDeepStrictEqual } from 'node:util';
import type { TenantSettings } from '../config/index.ts';
import { Decoder, ExtractionPlan, type SpanBatch } from '../otlp/index.ts';
import {
  AttributeSymbols,
  hostInfoSpec,
  otelSpanMetricsSpec,
  otelValueText,
  type Processor,
  type ProcessorContext,
  spanMetricsSpec,
  TenantCounters,
  withAliases,
} from '../processors/index.ts';
import { Registry, type Section } from '../registry/index.ts';
import { serviceGraphsSpec } from '../servicegraph/index.ts';
import { Timers } from './timers.ts';

const EXPIRY_PERIOD_MS = 2_000;
const RELOAD_PERIOD_MS = 10_000;
const SWEEP_PERIOD_MS = 300_000;
const CARDINALITY_PERIOD_MS = 15_000;

/** The processors there are: a new one is added here. */
const SPECS = {
  tempo: [spanMetricsSpec, serviceGraphsSpec, hostInfoSpec],
  both: [spanMetricsSpec, serviceGraphsSpec, hostInfoSpec],
  otel: [otelSpanMetricsSpec, serviceGraphsSpec, hostInfoSpec],
} as const;

export interface TenantFoldOptions {
  tenant: string;
  settings: TenantSettings;
  /** Timers fire at every origin + k · period. */
  originMs: number;
  startMs: number;
}

export class TenantFold {
  readonly tenant: string;
  readonly counters = new TenantCounters();
  readonly registry: Registry;
  settings: TenantSettings;
  private wanted: TenantSettings;
  private settingsSaid = false;
  private decoder!: Decoder;
  private symbols!: AttributeSymbols;
  private processors: Processor[] = [];
  private readonly timers: Timers;

  constructor({ tenant, settings, originMs, startMs }: TenantFoldOptions) {
    this.tenant = tenant;
    this.settings = settings;
    this.wanted = settings;
    this.registry = new Registry(settings);
    this.build();
    this.timers = new Timers(
      [
        {
          periodMs: EXPIRY_PERIOD_MS,
          needed: () => this.hasPending,
          fire: (atMs) => {
            for (const processor of this.processors) processor.expire?.(atMs);
          },
        },
        { periodMs: RELOAD_PERIOD_MS, needed: () => this.wanted !== this.settings, fire: () => this.reload() },
        {
          periodMs: SWEEP_PERIOD_MS,
          needed: () => this.registry.needsSweep,
          fire: (atMs) => this.registry.sweep(atMs),
        },
        {
          periodMs: CARDINALITY_PERIOD_MS,
          needed: () => this.registry.labelLimiter?.isDue === false,
          fire: () => {
            this.registry.labelLimiter!.isDue = true;
          },
        },
      ],
      originMs,
      startMs,
    );
  }

  get pendingEdges(): number {
    return this.processors.reduce((sum, p) => sum + (p.pendingEdges ?? 0), 0);
  }

  /** Edges (or dropped sides) that wait. */
  get hasPending(): boolean {
    return this.processors.some((p) => p.hasPending);
  }

  /** Names of the active processors. */
  get active(): string[] {
    return this.processors.map((p) => p.name);
  }

  /**
   * Takes one ExportTraceServiceRequest in. Nothing of a request that can't be decoded is counted.
   * @param nowMs time of processing: last updates, deadlines of edges
   * @param recordMs what the slack rule compares a span's end with
   * @throws DecodeError
   */
  push(nowMs: number, recordMs: number, bytes: Uint8Array, skipMetrics: boolean): void {
    const batch = this.decoder.decode(bytes);
    this.counters.spansReceived += batch.count;
    this.counters.bytesReceived += this.decoder.requestSizeBytes;
    if (skipMetrics) {
      this.counters.skippedProcessorPushes += this.processors.length;
      return;
    }
    const outside = keepWithinSlack(batch, recordMs, this.settings.slackMs);
    if (outside > 0) this.counters.discard('outside_metrics_ingestion_slack', 'all', outside);
    this.registry.trimSymbols();
    this.symbols.sync();
    for (let p = 0; p < this.processors.length; p++) this.processors[p]!.process(batch, nowMs);
  }

  /** Fires every timer that is due up to `tMs`. */
  advance(tMs: number): void {
    this.timers.advance(tMs);
    this.registry.advance(tMs);
  }

  /**
   * What changed up to boundary `tMs`, and the last word on it: zero samples and exemplars are said once. Rows of tables that a
   * reload replaced come first, then the settings if they are new: a load goes through the same order of events.
   */
  collect(tMs: number): Section[] {
    const retired = this.registry.retiredChanges(tMs);
    const settings = this.settingsSaid ? [] : [this.settingsSection()];
    this.settingsSaid = true;
    return [
      ...retired,
      ...settings,
      ...this.registry.changes(tMs),
      ...this.processors.flatMap((p) => p.changes?.(tMs) ?? []),
    ];
  }

  everything(tMs: number): Section[] {
    return [
      this.settingsSection(),
      ...this.registry.everything(tMs),
      ...this.processors.flatMap((p) => p.everything?.(tMs) ?? []),
    ];
  }

  load(section: Section, tMs: number): void {
    const holder = section.meta['holder'];
    if (holder === 'settings') {
      this.want(section.meta['settings'] as TenantSettings);
      this.reload();
      this.settingsSaid = true;
    } else if (this.registry.holds(holder)) {
      this.registry.load(section, tMs);
    } else {
      for (const processor of this.processors) processor.load?.(section, tMs);
    }
  }

  /** Loading is over: the state stands at `tMs`. */
  loaded(tMs: number): void {
    this.registry.loaded();
    for (const processor of this.processors) processor.loaded?.();
    this.timers.restart(tMs);
  }

  /** The settings that the next reload check will find. */
  want(settings: TenantSettings): void {
    this.wanted = settings;
    // Unlike all else this limit is read whenever it is applied.
    const { labelLimiter } = this.registry;
    if (labelLimiter) labelLimiter.limit = settings.maxCardinalityPerLabel;
  }

  /** Changes over to the wanted settings now. Rows survive where their label schema and histogram layout stay. */
  reload(): void {
    if (isDeepStrictEqual(this.settings, this.wanted)) {
      this.wanted = this.settings;
      return;
    }
    this.settings = this.wanted;
    this.settingsSaid = false;
    this.registry.configure(this.settings);
    this.build();
  }

  private settingsSection(): Section {
    return { name: 'settings', meta: { holder: 'settings', settings: this.settings }, columns: {} };
  }

  private build(): void {
    const { settings, registry } = this;
    // Settings that were stored before there were namings have none.
    const specs = SPECS[settings.naming ?? 'tempo'].map((spec) => spec(settings)).filter((spec) => spec !== undefined);
    const keys = specs.flatMap((spec) => spec.keys);
    const plan = new ExtractionPlan(settings.semconvAliases ? withAliases(keys) : keys);
    this.decoder = new Decoder(plan);
    this.symbols = new AttributeSymbols({
      plan,
      resources: this.decoder.resources,
      registry,
      maxValueLength: settings.maxLabelValueLength,
      textOf: settings.naming === 'otel' ? otelValueText : undefined,
      aliases: settings.semconvAliases,
    });
    const context: ProcessorContext = {
      tenant: this.tenant,
      settings,
      plan,
      resources: this.decoder.resources,
      registry,
      symbols: this.symbols,
      counters: this.counters,
    };
    registry.symbolHolders.length = 0;
    const before = new Map(this.processors.map((p) => [p.name, p]));
    this.processors = specs.map((spec) => {
      const processor = spec.create(context);
      const predecessor = before.get(processor.name);
      if (predecessor) processor.adopt?.(predecessor);
      before.delete(processor.name);
      return processor;
    });
    for (const processor of before.values()) processor.retire?.();
  }
}

/** A time in ns as two halves, `high` · 2^32 + `low`, like a span's end. */
const bound = { high: 0, low: 0 };

/** Exactly ms · 10^6, without the bigints that every request would leave behind: each product below stays under 2^53. */
function setBound(ms: number): void {
  const whole = Math.max(0, ms);
  const top = Math.floor(whole / 67_108_864) * 1_000_000; // in units of 2^26 ns
  const rest = (top % 64) * 67_108_864 + (whole % 67_108_864) * 1_000_000;
  bound.high = Math.floor(top / 64) + Math.floor(rest / 4_294_967_296);
  bound.low = rest % 4_294_967_296;
}

/** Marks the spans whose end is within the slack of the record's time, both ends included; returns how many are not. */
function keepWithinSlack(batch: SpanBatch, recordMs: number, slackMs: number): number {
  setBound(recordMs - slackMs);
  const { high: fromHigh, low: fromLow } = bound;
  setBound(recordMs + slackMs);
  const { high: toHigh, low: toLow } = bound;
  const { endHigh, endLow, kept, count } = batch;
  let outside = 0;
  for (let i = 0; i < count; i++) {
    const high = endHigh[i]!;
    const low = endLow[i]!;
    const inside =
      (high > fromHigh || (high === fromHigh && low >= fromLow)) &&
      (high < toHigh || (high === toHigh && low <= toLow));
    kept[i] = inside ? 1 : 0;
    if (!inside) outside++;
  }
  return outside;
}
