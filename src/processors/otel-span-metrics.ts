// Span metrics as the collector's span_metrics connector makes them: calls, durations and events under its names, labels and
// buckets. Hot file: `process` runs for every span.

import type { TenantSettings } from '../config/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import {
  BucketIndex,
  type CounterPart,
  hasNative,
  INVALID_LABELS,
  type Part,
  type PartSpec,
} from '../registry/index.ts';
import { ABSENT } from './attribute-symbols.ts';
import { histogramSpec } from './histogram-spec.ts';
import { commonDimensions, type OwnDimensions } from './otel-labels.ts';
import { otelMetricName } from './otel-names.ts';
import { OtelScopes } from './otel-scopes.ts';
import { OtelTable, type SpanEvent } from './otel-table.ts';
import type { Processor, ProcessorContext, ProcessorSpec } from './processor.ts';
import { type EventAttributes, eventsOf } from './span-events.ts';
import { compileFilter, filterKeys, type SpanFilter } from './span-filter.ts';
import { SpanWeight, weightKeys } from './span-weight.ts';
import { otelInfo, TargetInfo } from './target-info.ts';

const NAME = 'span-metrics';
/** Resolution of the collector's histograms in Prometheus before they have too many buckets. */
const FINEST_SCHEMA = 8;

interface Parts {
  calls: boolean;
  duration: boolean;
}

export function otelSpanMetricsSpec(settings: TenantSettings): ProcessorSpec | undefined {
  const on = new Set<string>(settings.processors);
  const all = on.has(NAME);
  const { histogram, callsDimensions, durationDimensions, eventsDimensions } = settings.otel.spanMetrics;
  const parts: Parts = {
    calls: all || on.has('span-metrics-count'),
    duration: histogram !== 'off' && (all || on.has('span-metrics-latency')),
  };
  if (!parts.calls && !parts.duration) return undefined;
  const { spanMetrics } = settings;
  const dimensions = [
    ...commonDimensions(settings),
    ...callsDimensions,
    ...durationDimensions,
    ...(eventsDimensions ?? []),
  ];
  const keys = [
    ...dimensions.map(({ name }) => name),
    ...spanMetrics.dimensionMappings.flatMap((m) => m.sourceLabels),
    ...filterKeys(spanMetrics.filterPolicies),
    ...weightKeys(spanMetrics.spanMultiplierKey),
  ];
  return { name: NAME, keys, create: (context) => new OtelSpanMetrics(context, parts) };
}

export class OtelSpanMetrics implements Processor {
  readonly name = NAME;
  private readonly context: ProcessorContext;
  private readonly tables: OtelTable[];
  private readonly events: OtelTable | undefined;
  private readonly filter: SpanFilter | undefined;
  private readonly weight: SpanWeight;
  private readonly targetInfo: TargetInfo | undefined;
  private readonly buckets: BucketIndex;
  /** Nanoseconds in one unit of the durations. */
  private readonly divisor: number;
  private readonly scopes: OtelScopes | undefined;
  private readonly duration = new Float64Array(1);

  constructor(context: ProcessorContext, on: Parts) {
    this.context = context;
    const { settings } = context;
    const { spanMetrics: options } = settings.otel;
    this.scopes = OtelScopes.from(context);
    this.tables = tablesOf(context, on, this.scopes);
    if (options.eventsDimensions !== null && on.calls) {
      const own = { named: options.eventsDimensions, globs: options.globs?.events ?? [] };
      const metric = otelMetricName(settings.otel, 'events');
      this.events = new OtelTable(context, `${NAME}-events`, own, [{ kind: 'counter', metric }], this.scopes);
    }
    this.filter = compileFilter(settings.spanMetrics.filterPolicies, context);
    this.weight = SpanWeight.from(settings.spanMetrics.spanMultiplierKey, true, context)!;
    this.targetInfo = settings.otel.resourceLabels ? new TargetInfo(context, otelInfo(context)) : undefined;
    this.divisor = options.unit === 'ms' ? 1e6 : 1e9;
    const classic = this.tables.flatMap(({ schema }) => schema.parts).find((part) => part.kind === 'histogram');
    this.buckets = new BucketIndex(classic?.bounds ?? []);
  }

  process(batch: SpanBatch, nowMs: number): void {
    const { tables, events, filter, weight, targetInfo, buckets, divisor, duration, scopes, context } = this;
    const { count, kept, resource, startHigh, startLow, endHigh, endLow } = batch;
    for (const table of tables) table.sync();
    events?.sync();
    scopes?.begin(batch);
    let group = -1;
    let filtered = 0;
    for (let i = 0; i < count; i++) {
      if (kept[i] === 0) continue;
      // The collector passes over what has no service.
      if (context.symbols.service(resource[i]!) === ABSENT) {
        context.counters.discard('no_service_name', NAME);
        continue;
      }
      if (filter !== undefined && !filter.accepts(batch, i)) {
        filtered++;
        continue;
      }
      const byThreshold = weight.ofTracestate(batch, i);
      const sampled = byThreshold > 0;
      const m = sampled ? byThreshold : weight.of(batch, i);
      // Exact up to 2^53 ns, so that a duration that equals a bound falls into its bucket.
      const ns = (endHigh[i]! - startHigh[i]!) * 4294967296 + (endLow[i]! - startLow[i]!);
      duration[0] = ns > 0 ? ns / divisor : 0;
      const bucket = buckets.of(duration, 0);
      if (scopes !== undefined) scopes.moveTo(batch, i);
      // In all tables or in none: what is discarded is not counted.
      let isValid = true;
      for (let t = 0; t < tables.length; t++) if (!tables[t]!.lookUp(batch, i, sampled)) isValid = false;
      if (!isValid) {
        context.counters.discard('invalid_utf8', NAME);
        continue;
      }
      for (let t = 0; t < tables.length; t++)
        this.update(tables[t]!, tables[t]!.take(nowMs), batch, i, m, bucket, nowMs);
      if (events !== undefined) this.countEvents(events, batch, i, m, bucket, nowMs, sampled);
      if (targetInfo !== undefined && group !== batch.group[i] && targetInfo.say(resource[i]!, nowMs))
        group = batch.group[i]!;
    }
    if (filtered > 0) context.counters.discard('span_metrics_filtered', NAME, filtered);
  }

  private update(
    otelTable: OtelTable,
    row: number,
    batch: SpanBatch,
    i: number,
    m: number,
    bucket: number,
    nowMs: number,
  ): void {
    const { table, schema } = otelTable;
    const { parts } = schema;
    for (let p = 0; p < parts.length; p++) {
      const part = parts[p]!;
      const target = table.refused & (1 << p) ? table.overflowRow : row;
      if (part.kind === 'counter') table.add(target, part, m);
      else this.observe(table, target, part, m, bucket, nowMs);
    }
    if (table.firstExemplars !== undefined) this.exemplify(otelTable, row, batch, i, bucket);
  }

  /** None for what is counted elsewhere than in the series of its own labels, if only in part. */
  private exemplify({ table, isBeyond }: OtelTable, row: number, batch: SpanBatch, i: number, bucket: number): void {
    if (table.refused !== 0 || isBeyond) return;
    const { bytes, traceStart, traceLength, idStart, idLength } = batch;
    const { firstExemplars: exemplars } = table;
    exemplars!.add(row, bucket, this.duration, 0, bytes, traceStart[i]!, traceLength[i]!, idStart[i]!, idLength[i]!);
  }

  private observe(table: OtelTable['table'], row: number, part: Part, m: number, bucket: number, nowMs: number): void {
    const { duration } = this;
    // A native histogram counts whole observations.
    if (hasNative(part)) table.natives!.observe(row, part, bucket, duration, 0, Math.ceil(m), nowMs);
    else if (part.kind === 'histogram') table.observe(row, part, bucket, duration[0]!, m);
  }

  private countEvents(
    events: OtelTable,
    batch: SpanBatch,
    i: number,
    m: number,
    bucket: number,
    nowMs: number,
    sampled: boolean,
  ): void {
    const { table } = events;
    const part = events.schema.parts[0] as CounterPart;
    for (const attributes of eventsOf(batch, i)) {
      const row = events.rowOf(batch, i, nowMs, sampled, this.event(batch, i, attributes));
      if (row === INVALID_LABELS) {
        this.context.counters.discard('event_invalid_utf8', NAME);
        continue;
      }
      table.add(table.refused === 0 ? row : table.overflowRow, part, m);
      if (table.firstExemplars !== undefined) this.exemplify(events, row, batch, i, bucket);
    }
  }

  /** Values are looked for in the span, then in the event, then in the resource. */
  private event(batch: SpanBatch, i: number, attributes: EventAttributes): SpanEvent {
    const { symbols, plan } = this.context;
    return {
      attributes,
      valueOf: (slot) => {
        if (batch.slotStart[i * batch.slots + slot]! >= 0) return symbols.spanValue(batch, i, slot);
        const range = attributes.get(plan.keys[slot]!);
        return range === undefined
          ? symbols.resourceFirst(batch.resource[i]!, slot)
          : symbols.valueAt(batch.bytes, range.start, range.end);
      },
    };
  }
}

function tablesOf(context: ProcessorContext, on: Parts, scopes: OtelScopes | undefined): OtelTable[] {
  const { settings } = context;
  const { callsDimensions, durationDimensions, globs } = settings.otel.spanMetrics;
  const ofCalls: OwnDimensions = { named: callsDimensions, globs: globs?.calls ?? [] };
  const ofDuration: OwnDimensions = { named: durationDimensions, globs: globs?.duration ?? [] };
  const calls: PartSpec[] = on.calls ? [{ kind: 'counter', metric: otelMetricName(settings.otel, 'calls') }] : [];
  const duration = on.duration ? [durationSpec(settings)] : [];
  const isSame = isSubset(ofCalls, ofDuration) && isSubset(ofDuration, ofCalls);
  if (isSame) return [new OtelTable(context, NAME, ofCalls, [...calls, ...duration], scopes)];
  return [
    ...(on.calls ? [new OtelTable(context, NAME, ofCalls, calls, scopes)] : []),
    ...(on.duration ? [new OtelTable(context, `${NAME}-duration`, ofDuration, duration, scopes)] : []),
  ];
}

function isSubset(some: OwnDimensions, others: OwnDimensions): boolean {
  return (
    some.named.every((one) =>
      others.named.some(({ name, default: value }) => name === one.name && value === one.default),
    ) && some.globs.every(({ glob }) => others.globs.some((other) => other.glob === glob))
  );
}

function durationSpec(settings: TenantSettings): PartSpec {
  const { histogram, buckets, maxSize } = settings.otel.spanMetrics;
  const metric = otelMetricName(settings.otel, 'duration');
  if (histogram !== 'exponential') return histogramSpec(settings, metric, buckets);
  return { kind: 'native', metric, native: { schema: FINEST_SCHEMA, maxBuckets: maxSize, minResetMs: 0 } };
}
