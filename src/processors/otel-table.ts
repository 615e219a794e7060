// One table of the collector's span metrics: fills the key of a span's label set and finds its row. There is one table where calls
// and durations have the same labels, else one for each. Hot file: `rowOf` runs for every span.

import type { OtelDimension } from '../config/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import {
  EMPTY_SYMBOL,
  INVALID_LABELS,
  type LabelRules,
  makeSchema,
  type PartSpec,
  type RowTable,
  type TableSchema,
} from '../registry/index.ts';
import { ABSENT, type AttributeSymbols } from './attribute-symbols.ts';
import { GroupLimit } from './group-limit.ts';
import { STATUS_ERROR, STATUS_OK } from './names.ts';
import { compileOtelLabels, INSTANCE, identityOf, JOB, type OtelSource, OVERFLOW } from './otel-labels.ts';
import { otelConstantLabels, otelInstanceLabel, SPAN_SCOPE } from './otel-names.ts';
import type { ProcessorContext } from './processor.ts';

const encoder = new TextEncoder();
const EXTRAPOLATED = encoder.encode('extrapolated');
const COUNTED = encoder.encode('counted');
const OK = encoder.encode('OK');
const ERROR = encoder.encode('ERROR');
const TRUE = encoder.encode('true');
const SEPARATOR = encoder.encode(';');

// The sources that are usual as numbers: what the loop over labels goes by.
const OTHER = 0;
const SERVICE = 1;
const SPAN_NAME = 2;
const SPAN_KIND = 3;
const STATUS_CODE = 4;
const JOB_ALONE = 5;
const INSTANCE_ALONE = 6;
const DIMENSION = 7;

/** A value that is looked for somewhere else before the span's or after it: an event's. */
export type ValueOf = (slot: number) => number;

interface BoundSource {
  kind: OtelSource['kind'];
  slots: number[];
  default: Uint8Array | undefined;
  join: Uint8Array;
  sources: BoundSource[];
}

export class OtelTable {
  readonly table: RowTable;
  readonly schema: TableSchema;
  private readonly context: ProcessorContext;
  private readonly symbols: AttributeSymbols;
  private readonly sources: BoundSource[];
  private readonly operations: Uint8Array;
  /** Slot of a dimension. */
  private readonly operands: Int32Array;
  private readonly withNamespace: boolean;
  private readonly rules: LabelRules | undefined;
  private readonly limit: GroupLimit | undefined;
  private readonly jobAt: number;
  private readonly instanceAt: number;
  private readonly overflowAt: number;

  /** @param own dimensions of this table alone */
  constructor(context: ProcessorContext, name: string, own: readonly OtelDimension[], specs: readonly PartSpec[]) {
    this.context = context;
    this.symbols = context.symbols;
    const { tenant, settings, plan, registry } = context;
    const { names, sources } = compileOtelLabels(settings, own);
    this.sources = sources.map((source) => bind(source, (key) => plan.slotOf(key)));
    this.withNamespace = identityOf(settings).namespace;
    this.operations = Uint8Array.from(this.sources, (source) => this.operationOf(source));
    this.operands = Int32Array.from(this.sources, ({ slots }) => slots[0] ?? -1);
    const constant = otelConstantLabels(tenant, settings, SPAN_SCOPE);
    const schema = makeSchema(name, names, specs, constant, settings.traceIdLabelName);
    this.schema = {
      ...schema,
      // None are kept where none are sent.
      exemplarSlots: settings.otel.spanMetrics.exemplars ? schema.exemplarSlots : 0,
      instanceLabel: otelInstanceLabel(settings.otel),
    };
    this.table = registry.table(this.schema);
    this.rules = registry.labelRules(this.schema);
    this.jobAt = names.indexOf(JOB);
    this.instanceAt = names.indexOf(INSTANCE);
    this.overflowAt = names.indexOf(OVERFLOW);
    const { cardinalityLimit } = settings.otel.spanMetrics;
    if (cardinalityLimit > 0) {
      const columns = { job: this.jobAt, instance: this.instanceAt, overflow: this.overflowAt };
      this.limit = new GroupLimit(this.table, cardinalityLimit, columns);
    }
  }

  /**
   * Row of the span's label set, or INVALID_LABELS. `table.refused` then has the parts whose update goes to the overflow row.
   * @param sampled has the span's tracestate a threshold?
   */
  rowOf(batch: SpanBatch, i: number, nowMs: number, sampled: boolean, lookUp?: ValueOf): number {
    const { table, sources, operations, operands, symbols } = this;
    const { key } = table;
    const resource = batch.resource[i]!;
    for (let l = 0; l < operations.length; l++) {
      let symbol: number;
      switch (operations[l]) {
        case SERVICE:
          symbol = symbols.service(resource);
          break;
        case SPAN_NAME:
          symbol = symbols.range(batch, batch.nameStart[i]!, batch.nameEnd[i]!);
          break;
        case SPAN_KIND:
          symbol = symbols.kind(batch.kind[i]!);
          break;
        case STATUS_CODE:
          symbol = symbols.status(batch.status[i]!);
          break;
        case JOB_ALONE:
          symbol = symbols.job(resource);
          break;
        case INSTANCE_ALONE:
          symbol = symbols.instance(resource);
          break;
        case DIMENSION:
          symbol = lookUp === undefined ? symbols.spanFirst(batch, i, operands[l]!) : lookUp(operands[l]!);
          break;
        default:
          symbol = this.symbolOf(sources[l]!, batch, i, sampled, lookUp);
      }
      key[l] = Math.max(symbol, EMPTY_SYMBOL);
    }
    this.rules?.apply(key);
    table.refused = 0;
    let row = table.find();
    if (row < 0 && this.limit !== undefined && !this.limit.admits(this.context.registry.generation)) {
      this.overflowKey(resource);
      row = table.find();
    }
    if (row < 0) {
      row = table.admit(nowMs, table.fullMask);
      if (this.limit !== undefined && row >= 0 && row !== table.overflowRow) this.limit.added();
    } else if (table.admitted[row] !== table.fullMask) table.settle(row, table.fullMask, nowMs);
    if (row !== INVALID_LABELS) table.touch(row, nowMs);
    return row;
  }

  private overflowKey(resource: number): void {
    const { key } = this.table;
    key.fill(EMPTY_SYMBOL);
    if (this.jobAt >= 0) key[this.jobAt] = this.job(resource);
    if (this.instanceAt >= 0) key[this.instanceAt] = this.symbols.instance(resource);
    key[this.overflowAt] = this.symbols.text(TRUE);
  }

  private job(resource: number): number {
    return this.withNamespace ? this.symbols.job(resource) : Math.max(this.symbols.service(resource), EMPTY_SYMBOL);
  }

  private operationOf({ kind, sources, default: value }: BoundSource): number {
    switch (kind) {
      case 'service':
        return SERVICE;
      case 'span_name':
        return SPAN_NAME;
      case 'span_kind':
        return SPAN_KIND;
      case 'status_code':
        return STATUS_CODE;
      case 'job':
        return sources.length === 0 && this.withNamespace ? JOB_ALONE : OTHER;
      case 'instance':
        return sources.length === 0 ? INSTANCE_ALONE : OTHER;
      case 'dimension':
        return value === undefined ? DIMENSION : OTHER;
      default:
        return OTHER;
    }
  }

  /** ABSENT or the empty symbol: no label. */
  private symbolOf(
    source: BoundSource,
    batch: SpanBatch,
    i: number,
    sampled: boolean,
    lookUp: ValueOf | undefined,
  ): number {
    const { symbols } = this;
    switch (source.kind) {
      case 'service':
        return symbols.service(batch.resource[i]!);
      case 'span_name':
        return symbols.range(batch, batch.nameStart[i]!, batch.nameEnd[i]!);
      case 'span_kind':
        return symbols.kind(batch.kind[i]!);
      case 'status_code':
        return symbols.status(batch.status[i]!);
      case 'status_message':
        return symbols.range(batch, batch.messageStart[i]!, batch.messageEnd[i]!);
      case 'otel_status_code': {
        const status = batch.status[i]!;
        if (status === STATUS_OK) return symbols.text(OK);
        return status === STATUS_ERROR ? symbols.text(ERROR) : ABSENT;
      }
      case 'sampling':
        return symbols.text(sampled ? EXTRAPOLATED : COUNTED);
      case 'overflow':
        return EMPTY_SYMBOL;
      case 'job':
      case 'instance': {
        const resource = batch.resource[i]!;
        const symbol = source.kind === 'job' ? this.job(resource) : symbols.instance(resource);
        const otherwise = source.sources[0];
        return symbol !== EMPTY_SYMBOL || otherwise === undefined
          ? symbol
          : this.symbolOf(otherwise, batch, i, sampled, lookUp);
      }
      case 'dimension': {
        const slot = source.slots[0]!;
        const symbol = lookUp === undefined ? symbols.spanFirst(batch, i, slot) : lookUp(slot);
        return symbol === ABSENT && source.default !== undefined ? symbols.text(source.default) : symbol;
      }
      case 'mapping': {
        const found = source.slots.map((slot) => symbols.spanFirst(batch, i, slot)).filter((s) => s > EMPTY_SYMBOL);
        return this.joined(found, source.join);
      }
      case 'joined': {
        const found = source.sources.map((one) => this.symbolOf(one, batch, i, sampled, lookUp));
        return this.joined(
          found.filter((symbol) => symbol !== ABSENT),
          source.join,
        );
      }
    }
  }

  private joined(found: readonly number[], join: Uint8Array): number {
    const { symbols } = this.context.registry;
    const parts = found.flatMap((symbol, i) => {
      const bytes = symbols.bytes(symbol).slice();
      return i === 0 ? [bytes] : [join, bytes];
    });
    return this.symbols.text(Buffer.concat(parts));
  }
}

function bind(source: OtelSource, slotOf: (key: string) => number): BoundSource {
  const bound: BoundSource = { kind: source.kind, slots: [], default: undefined, join: SEPARATOR, sources: [] };
  switch (source.kind) {
    case 'dimension':
      bound.slots = [slotOf(source.key)];
      if (source.default !== null) bound.default = encoder.encode(source.default);
      break;
    case 'mapping':
      bound.slots = source.keys.map(slotOf);
      bound.join = encoder.encode(source.join);
      break;
    case 'joined':
      bound.sources = source.sources.map((one) => bind(one, slotOf));
      break;
    case 'job':
    case 'instance':
      if (source.otherwise !== undefined) bound.sources = [bind(source.otherwise, slotOf)];
      break;
  }
  return bound;
}
