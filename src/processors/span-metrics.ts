// Span metrics: calls, latency and size per label set. Labels are compiled to a list of sources, one per label name; a span
// fills the key with symbols and finds its row. Hot file: `process` runs for every span (bench/fold).

import type { SpanMetricsSettings, TenantSettings } from '../config/index.ts';
import { dimensionLabelName, otelLabelName } from '../config/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import {
  BucketIndex,
  EMPTY_SYMBOL,
  exemplarSlots,
  type HistogramPart,
  hasNative,
  INVALID_LABELS,
  type LabelRules,
  makeSchema,
  type PartWithNative,
  type RowTable,
  type TableSchema,
  withSecondNames,
} from '../registry/index.ts';
import { ABSENT, type AttributeSymbols } from './attribute-symbols.ts';
import { constantLabels } from './constant-labels.ts';
import { histogramSpec } from './histogram-spec.ts';
import type { Processor, ProcessorContext, ProcessorSpec } from './processor.ts';
import { secondNames, sharedHistogram } from './second-names.ts';
import { compileFilter, filterKeys, type SpanFilter } from './span-filter.ts';
import { SpanWeight, weightKeys } from './span-weight.ts';
import { TargetInfo, tempoInfo } from './target-info.ts';

const NAME = 'span-metrics';
const CALLS = 'traces_spanmetrics_calls_total';
const LATENCY = 'traces_spanmetrics_latency';
const SIZE = 'traces_spanmetrics_size_total';

/** The parts that may be on, in the order in which a limit sees them. */
interface Parts {
  count: boolean;
  latency: boolean;
  size: boolean;
}

type Source =
  | { kind: 'service' | 'span_name' | 'span_kind' | 'status_code' | 'status_message' }
  | { kind: 'dimension'; key: string }
  | { kind: 'mapping'; name: string; keys: string[]; join: string }
  /** Wins only if it is not empty; else what was there before stays. */
  | { kind: 'job' | 'instance'; otherwise: Source | undefined };

const OTHER = 0;
const SERVICE = 1;
const SPAN_NAME = 2;
const SPAN_KIND = 3;
const STATUS_CODE = 4;
const DIMENSION = 5;
const OPERATIONS: Partial<Record<Source['kind'], number>> = {
  service: SERVICE,
  span_name: SPAN_NAME,
  span_kind: SPAN_KIND,
  status_code: STATUS_CODE,
  dimension: DIMENSION,
};

export function spanMetricsSpec(settings: TenantSettings): ProcessorSpec | undefined {
  const on = new Set<string>(settings.processors);
  const all = on.has(NAME);
  const parts: Parts = {
    count: all || on.has('span-metrics-count'),
    latency: all || on.has('span-metrics-latency'),
    size: all || on.has('span-metrics-size'),
  };
  if (!parts.count && !parts.latency && !parts.size) return undefined;
  const { spanMetrics } = settings;
  const keys = [
    ...spanMetrics.dimensions,
    ...spanMetrics.dimensionMappings.flatMap((m) => m.sourceLabels),
    ...filterKeys(spanMetrics.filterPolicies),
    ...weightKeys(spanMetrics.spanMultiplierKey),
  ];
  return { name: NAME, keys, create: (context) => new SpanMetrics(context, parts) };
}

export class SpanMetrics implements Processor {
  readonly name = NAME;
  private readonly context: ProcessorContext;
  private readonly symbols: AttributeSymbols;
  private readonly table: RowTable;
  private readonly sources: Source[];
  private readonly slots: number[][];
  /** The sources as numbers: what the loop over spans goes by; a dimension's slot beside it. */
  private readonly operations: Uint8Array;
  private readonly operands: Int32Array;
  private readonly rules: LabelRules | undefined;
  private readonly filter: SpanFilter | undefined;
  private readonly weight: SpanWeight | undefined;
  private readonly targetInfo: TargetInfo | undefined;
  private readonly buckets: BucketIndex;
  private readonly countColumn: number;
  /** Of classic buckets alone; -1 where there is a native histogram. */
  private readonly latencyColumn: number;
  private readonly native: PartWithNative | undefined;
  private readonly sizeColumn: number;
  /** By bucket: the slot of the exemplar of the bucket that says it. */
  private readonly exemplarAt: Int32Array;

  constructor(context: ProcessorContext, parts: Parts) {
    this.context = context;
    this.symbols = context.symbols;
    const { settings, plan } = context;
    const labels = compileLabels(settings.spanMetrics, settings.maxLabelNameLength);
    const names = [...labels.keys()].sort();
    this.sources = names.map((name) => labels.get(name)!);
    this.slots = this.sources.map((source) => slotsOf(source, (key) => plan.slotOf(key)));
    this.operations = Uint8Array.from(this.sources, (source) => OPERATIONS[source.kind] ?? OTHER);
    this.operands = Int32Array.from(this.slots, (slots) => slots[0] ?? -1);
    const schema = spanMetricsSchema(context.tenant, settings, labels, parts);
    this.table = context.registry.table(schema);
    this.rules = context.registry.labelRules(schema);
    this.filter = compileFilter(settings.spanMetrics.filterPolicies, context);
    this.weight = SpanWeight.from(
      settings.spanMetrics.spanMultiplierKey,
      settings.spanMetrics.enableTracestateSpanMultiplier,
      context,
    );
    this.targetInfo = settings.spanMetrics.enableTargetInfo ? new TargetInfo(context, tempoInfo(context)) : undefined;
    const latency = schema.parts.find((part): part is HistogramPart => part.kind === 'histogram');
    this.buckets = new BucketIndex(latency?.bounds ?? []);
    this.countColumn = columnOf(schema, CALLS);
    this.sizeColumn = columnOf(schema, SIZE);
    this.native = schema.parts.find(hasNative);
    this.latencyColumn = this.native ? -1 : (latency?.column ?? -1);
    const slots = exemplarSlots(schema);
    const base = latency?.exemplarBase ?? 0;
    this.exemplarAt = Int32Array.from(
      { length: (latency?.bounds.length ?? 0) + 1 },
      (_, b) => slots?.[base + b] ?? base + b,
    );
  }

  process(batch: SpanBatch, nowMs: number): void {
    const { table, operations, operands, symbols, rules, filter, weight, targetInfo, buckets } = this;
    const { countColumn, latencyColumn, sizeColumn, exemplarAt, native } = this;
    const { key, fullMask } = table;
    const { count, kept, view, nameStart, nameEnd, kind, status, resource, sizeBytes, traceStart, traceLength } = batch;
    const labels = operations.length;
    const width = table.schema.width;
    let group = -1;
    let filtered = 0;
    for (let i = 0; i < count; i++) {
      if (kept[i] === 0) continue;
      if (filter !== undefined && !filter.accepts(batch, i)) {
        filtered++;
        continue;
      }
      for (let l = 0; l < labels; l++) {
        switch (operations[l]) {
          case SERVICE:
            key[l] = Math.max(symbols.service(resource[i]!), EMPTY_SYMBOL);
            break;
          case SPAN_NAME:
            key[l] = symbols.range(batch, nameStart[i]!, nameEnd[i]!);
            break;
          case SPAN_KIND:
            key[l] = symbols.kind(kind[i]!);
            break;
          case STATUS_CODE:
            key[l] = symbols.status(status[i]!);
            break;
          case DIMENSION:
            key[l] = Math.max(symbols.value(batch, i, operands[l]!), EMPTY_SYMBOL);
            break;
          default:
            key[l] = this.otherLabel(batch, i, this.sources[l]!, this.slots[l]!);
        }
      }
      if (rules !== undefined) rules.apply(key);
      let row = table.find();
      let refused = 0;
      if (row < 0) {
        row = table.admit(nowMs, fullMask);
        refused = table.refused;
        if (row === INVALID_LABELS) {
          this.context.counters.discard('invalid_utf8', NAME);
          continue;
        }
      } else if (table.admitted[row] !== fullMask) {
        table.settle(row, fullMask, nowMs);
        refused = table.refused;
      }
      table.touch(row, nowMs);
      const m = weight === undefined ? 1 : weight.of(batch, i);
      const seconds = batch.seconds[i]!;
      const bucket = buckets.of(batch.seconds, i);
      if (refused !== 0) {
        this.spill(row, refused, batch, i, m, seconds, bucket, nowMs);
      } else {
        const { values } = table;
        const at = row * width;
        if (countColumn >= 0) values[at + countColumn] = values[at + countColumn]! + m;
        if (sizeColumn >= 0) values[at + sizeColumn] = values[at + sizeColumn]! + sizeBytes[i]!;
        if (latencyColumn >= 0) {
          values[at + latencyColumn] = values[at + latencyColumn]! + seconds * m;
          const b = at + latencyColumn + 1 + bucket;
          values[b] = values[b]! + m;
          if (traceLength[i] === 16)
            table.exemplars.setId(row, exemplarAt[bucket]!, batch.seconds, i, view, traceStart[i]!);
          else table.exemplars.set(row, exemplarAt[bucket]!, seconds, batch.bytes, traceStart[i]!, traceLength[i]!);
        } else if (native !== undefined) this.observeNative(row, native, batch, i, m, bucket, nowMs);
      }
      if (targetInfo !== undefined && group !== batch.group[i]) {
        // Once per ResourceSpans; of one with invalid labels each span is counted, so it stays "not yet said".
        if (targetInfo.say(resource[i]!, nowMs)) group = batch.group[i]!;
      }
    }
    if (filtered > 0) this.context.counters.discard('span_metrics_filtered', NAME, filtered);
  }

  /** Under a limit: each part goes to the row if it is admitted there, else to the overflow row. */
  private spill(
    row: number,
    refused: number,
    batch: SpanBatch,
    i: number,
    m: number,
    seconds: number,
    bucket: number,
    nowMs: number,
  ): void {
    const { table } = this;
    table.schema.parts.forEach((part, index) => {
      const target = refused & (1 << index) ? table.overflowRow : row;
      if (hasNative(part)) this.observeNative(target, part, batch, i, m, bucket, nowMs);
      else if (part.kind === 'histogram') {
        table.observe(target, part, bucket, seconds, m);
        table.exemplars.set(
          target,
          this.exemplarAt[bucket]!,
          seconds,
          batch.bytes,
          batch.traceStart[i]!,
          batch.traceLength[i]!,
        );
      } else if (part.kind === 'counter') {
        table.add(target, part, part.column === this.sizeColumn ? batch.sizeBytes[i]! : m);
      }
    });
  }

  private observeNative(
    row: number,
    part: PartWithNative,
    batch: SpanBatch,
    i: number,
    m: number,
    bucket: number,
    nowMs: number,
  ): void {
    const { natives, exemplars } = this.table;
    const { seconds, bytes, view } = batch;
    const start = batch.traceStart[i]!;
    const length = batch.traceLength[i]!;
    // A native histogram counts whole observations.
    const times = Math.ceil(m);
    natives!.observe(row, part, bucket, seconds, i, times, nowMs);
    if (part.kind === 'native') natives!.exemplify(row, part, seconds, i, times, nowMs, bytes, start, length);
    else exemplars.setAny(row, this.exemplarAt[bucket]!, seconds, i, bytes, view, start, length);
  }

  private otherLabel(batch: SpanBatch, i: number, source: Source, slots: readonly number[]): number {
    const { symbols } = this;
    switch (source.kind) {
      case 'service':
        return Math.max(symbols.service(batch.resource[i]!), EMPTY_SYMBOL);
      case 'status_message':
        return symbols.range(batch, batch.messageStart[i]!, batch.messageEnd[i]!);
      case 'mapping':
        return this.mapped(batch, i, slots, source.join);
      case 'job':
      case 'instance': {
        const resource = batch.resource[i]!;
        const symbol = source.kind === 'job' ? symbols.job(resource) : symbols.instance(resource);
        if (symbol !== EMPTY_SYMBOL || source.otherwise === undefined) return symbol;
        return this.otherLabel(batch, i, source.otherwise, slots);
      }
      case 'dimension': {
        const symbol = symbols.value(batch, i, slots[0]!);
        return symbol === ABSENT ? EMPTY_SYMBOL : symbol;
      }
      default:
        throw new Error(`no label source ${source.kind} here`);
    }
  }

  private mapped(batch: SpanBatch, i: number, slots: readonly number[], join: string): number {
    const parts: string[] = [];
    for (const slot of slots) {
      const symbol = this.symbols.value(batch, i, slot);
      if (symbol > EMPTY_SYMBOL)
        parts.push(Buffer.from(this.context.registry.symbols.bytes(symbol)).toString('latin1'));
    }
    return this.symbols.text(Buffer.from(parts.join(Buffer.from(join).toString('latin1')), 'latin1'));
  }
}

function spanMetricsSchema(
  tenant: string,
  settings: TenantSettings,
  labels: ReadonlyMap<string, Source>,
  parts: Parts,
): TableSchema {
  const isBoth = settings.naming === 'both';
  const { histogramBuckets: bounds } = settings.spanMetrics;
  const names = [...labels.keys()].sort();
  const schema = makeSchema(
    NAME,
    names,
    [
      ...(parts.count ? [{ kind: 'counter', metric: CALLS } as const] : []),
      ...(parts.latency
        ? [isBoth ? sharedHistogram(settings, LATENCY, bounds) : histogramSpec(settings, LATENCY, bounds)]
        : []),
      ...(parts.size ? [{ kind: 'counter', metric: SIZE } as const] : []),
    ],
    constantLabels(tenant, settings),
    settings.traceIdLabelName,
  );
  if (!isBoth) return schema;
  const collectorLabels = names.map((name) => collectorLabel(name, labels.get(name)!));
  return withSecondNames(
    schema,
    secondNames(tenant, settings, schema.parts, collectorLabels, ({ metric }) =>
      metric === CALLS ? 'calls' : metric === LATENCY ? 'duration' : undefined,
    ),
  );
}

function collectorLabel(name: string, source: Source): string {
  if (source.kind === 'service') return 'service_name';
  if (source.kind === 'dimension') return otelLabelName(source.key);
  return source.kind === 'mapping' ? otelLabelName(source.name) : name;
}

function columnOf(schema: TableSchema, metric: string): number {
  const part = schema.parts.find((p) => p.metric === metric);
  return part?.kind === 'counter' ? part.column : -1;
}

function slotsOf(source: Source, slotOf: (key: string) => number): number[] {
  if (source.kind === 'dimension') return [slotOf(source.key)];
  if (source.kind === 'mapping') return source.keys.map(slotOf);
  if ((source.kind === 'job' || source.kind === 'instance') && source.otherwise)
    return slotsOf(source.otherwise, slotOf);
  return [];
}

/** Label name → where its value comes from; of several with one name the last one added counts. */
function compileLabels(settings: SpanMetricsSettings, maxNameLength: number): Map<string, Source> {
  const labels = new Map<string, Source>();
  const cut = (name: string) => (maxNameLength > 0 ? name.slice(0, maxNameLength) : name);
  const set = (name: string, source: Source) => labels.set(cut(name), source);
  const { intrinsicDimensions: on } = settings;
  if (on.service) set('service', { kind: 'service' });
  if (on.spanName) set('span_name', { kind: 'span_name' });
  if (on.spanKind) set('span_kind', { kind: 'span_kind' });
  if (on.statusCode) set('status_code', { kind: 'status_code' });
  if (on.statusMessage) set('status_message', { kind: 'status_message' });
  for (const key of settings.dimensions) set(dimensionLabelName(key), { kind: 'dimension', key });
  for (const { name, sourceLabels, join } of settings.dimensionMappings) {
    set(dimensionLabelName(name), { kind: 'mapping', name, keys: sourceLabels, join });
  }
  if (settings.enableTargetInfo) {
    set('job', { kind: 'job', otherwise: labels.get(cut('job')) });
    if (settings.enableInstanceLabel) set('instance', { kind: 'instance', otherwise: labels.get(cut('instance')) });
  }
  return labels;
}
