// Span metrics as the collector's span_metrics connector makes them: calls, durations and events under its names, labels and
// buckets. Hot file: `process` runs for every span.

import type { OtelDimension, TenantSettings } from '../config/index.ts';
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
import { commonDimensions } from './otel-labels.ts';
import { otelMetricName } from './otel-names.ts';
import { OtelTable } from './otel-table.ts';
import type { Processor, ProcessorContext, ProcessorSpec } from './processor.ts';
import { eventsOf } from './span-events.ts';
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
  private readonly withExemplars: boolean;
  private readonly duration = new Float64Array(1);

  constructor(context: ProcessorContext, on: Parts) {
    this.context = context;
    const { settings } = context;
    const { spanMetrics: options } = settings.otel;
    this.tables = tablesOf(context, on);
    const { eventsDimensions } = options;
    const metric = otelMetricName(settings.otel, 'events');
    if (eventsDimensions !== null && on.calls)
      this.events = new OtelTable(context, `${NAME}-events`, eventsDimensions, [{ kind: 'counter', metric }]);
    this.filter = compileFilter(settings.spanMetrics.filterPolicies, context);
    this.weight = SpanWeight.from(settings.spanMetrics.spanMultiplierKey, true, context)!;
    this.targetInfo = settings.otel.resourceLabels ? new TargetInfo(context, otelInfo(context)) : undefined;
    this.divisor = options.unit === 'ms' ? 1e6 : 1e9;
    this.withExemplars = options.exemplars;
    const classic = this.tables.flatMap(({ schema }) => schema.parts).find((part) => part.kind === 'histogram');
    this.buckets = new BucketIndex(classic?.bounds ?? []);
  }

  process(batch: SpanBatch, nowMs: number): void {
    const { tables, events, filter, weight, targetInfo, buckets, divisor, duration, context } = this;
    const { count, kept, resource, startHigh, startLow, endHigh, endLow } = batch;
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
      let isValid = true;
      for (let t = 0; t < tables.length; t++) {
        const row = tables[t]!.rowOf(batch, i, nowMs, sampled);
        if (row === INVALID_LABELS) isValid = false;
        else this.update(tables[t]!, row, batch, i, m, bucket, nowMs);
      }
      if (!isValid) {
        context.counters.discard('invalid_utf8', NAME);
        continue;
      }
      if (events !== undefined) this.countEvents(events, batch, i, m, nowMs, sampled);
      if (targetInfo !== undefined && group !== batch.group[i] && targetInfo.say(resource[i]!, nowMs))
        group = batch.group[i]!;
    }
    if (filtered > 0) context.counters.discard('span_metrics_filtered', NAME, filtered);
  }

  private update(
    { table, schema }: OtelTable,
    row: number,
    batch: SpanBatch,
    i: number,
    m: number,
    bucket: number,
    nowMs: number,
  ): void {
    const { parts } = schema;
    for (let p = 0; p < parts.length; p++) {
      const part = parts[p]!;
      const target = table.refused & (1 << p) ? table.overflowRow : row;
      if (part.kind === 'counter') table.add(target, part, m);
      else this.observe(table, target, part, batch, i, m, bucket, nowMs);
    }
  }

  private observe(
    table: OtelTable['table'],
    row: number,
    part: Part,
    batch: SpanBatch,
    i: number,
    m: number,
    bucket: number,
    nowMs: number,
  ): void {
    const { duration } = this;
    const { bytes, view } = batch;
    const start = batch.traceStart[i]!;
    const length = batch.traceLength[i]!;
    if (hasNative(part)) {
      // A native histogram counts whole observations.
      const times = Math.ceil(m);
      table.natives!.observe(row, part, bucket, duration, 0, times, nowMs);
      if (part.kind === 'native') {
        if (this.withExemplars) table.natives!.exemplify(row, part, duration, 0, times, nowMs, bytes, start, length);
        return;
      }
    } else if (part.kind === 'histogram') table.observe(row, part, bucket, duration[0]!, m);
    if (part.kind === 'histogram' && this.withExemplars)
      table.exemplars.setAny(row, part.exemplarBase + bucket, duration, 0, bytes, view, start, length);
  }

  /** Values are looked for in the span, then in the event, then in the resource. */
  private countEvents(
    events: OtelTable,
    batch: SpanBatch,
    i: number,
    m: number,
    nowMs: number,
    sampled: boolean,
  ): void {
    const { symbols, plan } = this.context;
    const { table } = events;
    const part = events.schema.parts[0] as CounterPart;
    for (const event of eventsOf(batch, i)) {
      const row = events.rowOf(batch, i, nowMs, sampled, (slot) => {
        if (batch.slotStart[i * batch.slots + slot]! >= 0) return symbols.spanValue(batch, i, slot);
        const range = event.get(plan.keys[slot]!);
        return range === undefined
          ? symbols.resourceFirst(batch.resource[i]!, slot)
          : symbols.valueAt(batch.bytes, range.start, range.end);
      });
      if (row !== INVALID_LABELS) table.add(table.refused === 0 ? row : table.overflowRow, part, m);
    }
  }
}

function tablesOf(context: ProcessorContext, on: Parts): OtelTable[] {
  const { settings } = context;
  const { callsDimensions: ofCalls, durationDimensions: ofDuration } = settings.otel.spanMetrics;
  const calls: PartSpec[] = on.calls ? [{ kind: 'counter', metric: otelMetricName(settings.otel, 'calls') }] : [];
  const duration = on.duration ? [durationSpec(settings)] : [];
  const isSame = isSubset(ofCalls, ofDuration) && isSubset(ofDuration, ofCalls);
  if (isSame) return [new OtelTable(context, NAME, ofCalls, [...calls, ...duration])];
  return [
    ...(on.calls ? [new OtelTable(context, NAME, ofCalls, calls)] : []),
    ...(on.duration ? [new OtelTable(context, `${NAME}-duration`, ofDuration, duration)] : []),
  ];
}

function isSubset(some: readonly OtelDimension[], others: readonly OtelDimension[]): boolean {
  return some.every((one) => others.some((other) => other.name === one.name && other.default === one.default));
}

function durationSpec(settings: TenantSettings): PartSpec {
  const { histogram, buckets, maxSize } = settings.otel.spanMetrics;
  const metric = otelMetricName(settings.otel, 'duration');
  if (histogram !== 'exponential') return histogramSpec(settings, metric, buckets);
  return { kind: 'native', metric, native: { schema: FINEST_SCHEMA, maxBuckets: maxSize, minResetMs: 0 } };
}
