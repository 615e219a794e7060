// One table of the collector's span metrics: fills the key of a span's label set and finds its row. There is one table where calls
// and durations have the same labels, else one for each. Hot file: `rowOf` runs for every span. Long, as all sources of a key's
// values are here.

import type { SpanBatch } from '../otlp/index.ts';
import {
  EMPTY_SYMBOL,
  INVALID_LABELS,
  type LabelRules,
  type PartSpec,
  type RowTable,
  type TableSchema,
} from '../registry/index.ts';
import { ABSENT, type AttributeSymbols } from './attribute-symbols.ts';
import { STATUS_ERROR, STATUS_OK } from './names.ts';
import { OtelGroupLimit } from './otel-group-limit.ts';
import {
  compileOtelLabels,
  INSTANCE,
  identityOf,
  JOB,
  type OtelSource,
  OVERFLOW,
  type OwnDimensions,
} from './otel-labels.ts';
import { type Clash, OtelOpenLabels } from './otel-open-labels.ts';
import { otelSchema, reservedLabels } from './otel-schema.ts';
import type { OtelScopes } from './otel-scopes.ts';
import type { ProcessorContext } from './processor.ts';
import type { EventAttributes } from './span-events.ts';

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

/** An event of the span: its attributes are looked at after the span's and before the resource's. */
export interface SpanEvent {
  attributes: EventAttributes;
  /** Value of a planned key. */
  valueOf(slot: number): number;
}

interface BoundSource {
  kind: OtelSource['kind'];
  attribute: string;
  slots: number[];
  /** Of a dimension: is the resource looked at before the span? */
  isResourceFirst: boolean;
  default: Uint8Array | undefined;
  join: Uint8Array;
  sources: BoundSource[];
}

export class OtelTable {
  readonly table: RowTable;
  readonly schema: TableSchema;
  /** After `rowOf`: is it the row of the label sets beyond the collector's limit? */
  isBeyond = false;
  private readonly context: ProcessorContext;
  private readonly symbols: AttributeSymbols;
  private readonly sources: BoundSource[];
  private readonly operations: Uint8Array;
  /** Slot of a dimension. */
  private readonly operands: Int32Array;
  private readonly withNamespace: boolean;
  private readonly rules: LabelRules | undefined;
  private readonly limit: OtelGroupLimit | undefined;
  private readonly open: OtelOpenLabels | undefined;
  private readonly scopes: OtelScopes | undefined;
  /** Of the first label with a source. */
  private readonly first: number;
  /** Of the label sets and the scope's labels; -1: there is none. */
  private readonly resourceAt: number;
  private readonly matchingAt: number;
  private readonly scopeAt: number;
  private readonly jobAt: number;
  private readonly instanceAt: number;
  private readonly overflowAt: number;

  /** Of the last look-up; -1 = there is none yet. */
  private row = -1;

  /** @param own dimensions of this table alone */
  constructor(
    context: ProcessorContext,
    name: string,
    own: OwnDimensions,
    specs: readonly PartSpec[],
    scopes: OtelScopes | undefined,
  ) {
    this.context = context;
    this.symbols = context.symbols;
    const { settings, plan, registry } = context;
    const labels = compileOtelLabels(settings, own);
    this.sources = labels.sources.map((source) => bind(source, (key) => plan.slotOf(key)));
    this.withNamespace = identityOf(settings).namespace;
    this.operations = Uint8Array.from(this.sources, (source) => this.operationOf(source));
    this.operands = Int32Array.from(this.sources, ({ slots }) => slots[0] ?? -1);
    this.schema = otelSchema(context, name, labels, specs);
    this.table = registry.table(this.schema);
    this.rules = registry.labelRules(this.schema);
    const { labelSets = 0 } = this.schema;
    this.resourceAt = labels.resourceExcept === undefined ? -1 : 0;
    this.matchingAt = labels.globs.length === 0 ? -1 : labelSets - 1;
    this.first = labelSets;
    this.scopeAt = scopes === undefined ? -1 : labelSets + labels.names.length;
    this.scopes = scopes;
    if (labelSets > 0) this.open = new OtelOpenLabels(context, labels, reservedLabels(this.schema, settings));
    const at = (label: string) => {
      const index = labels.names.indexOf(label);
      return index < 0 ? -1 : labelSets + index;
    };
    // Where these are no labels of the resource, a dimension of that name tells no groups apart.
    this.jobAt = settings.otel.resourceLabels ? at(JOB) : -1;
    this.instanceAt = identityOf(settings).instance ? at(INSTANCE) : -1;
    this.overflowAt = at(OVERFLOW);
    const { cardinalityLimit } = settings.otel.spanMetrics;
    if (cardinalityLimit > 0) {
      const ofResource = [this.resourceAt, this.jobAt, this.instanceAt].filter((column) => column >= 0);
      this.limit = new OtelGroupLimit(this.table, cardinalityLimit, ofResource, this.overflowAt);
    }
  }

  /** Before each request. */
  sync(): void {
    this.open?.sync();
  }

  /**
   * Row of the span's label set, or INVALID_LABELS. `table.refused` then has the parts whose update goes to the overflow row.
   * @param sampled has the span's tracestate a threshold?
   */
  rowOf(batch: SpanBatch, i: number, nowMs: number, sampled: boolean, event?: SpanEvent): number {
    this.lookUp(batch, i, sampled, event);
    return this.take(nowMs);
  }

  /** Sets the table's key to the label set that the span counts under, and finds its row. False: it has none yet and is no text. */
  lookUp(batch: SpanBatch, i: number, sampled: boolean, event?: SpanEvent): boolean {
    const { table, sources, operations, operands, symbols, first } = this;
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
          symbol = event === undefined ? symbols.spanFirst(batch, i, operands[l]!) : event.valueOf(operands[l]!);
          break;
        default:
          symbol = this.symbolOf(sources[l]!, batch, i, sampled, event);
      }
      key[first + l] = Math.max(symbol, EMPTY_SYMBOL);
    }
    if (this.open !== undefined) this.openLabels(this.open, batch, i, sampled, event);
    if (this.scopes !== undefined) {
      key[this.scopeAt] = this.scopes.name;
      key[this.scopeAt + 1] = this.scopes.version;
    }
    this.rules?.apply(key);
    this.isBeyond = false;
    this.row = table.find();
    if (this.row < 0 && this.limit !== undefined && !this.limit.admits(this.context.registry.generation)) {
      this.overflowKey();
      this.isBeyond = true;
      this.row = table.find();
    }
    return this.row >= 0 || table.isValidKey();
  }

  /** What `lookUp` found, or a new row: see `rowOf`. */
  take(nowMs: number): number {
    const { table } = this;
    let { row } = this;
    table.refused = 0;
    if (row < 0) {
      row = table.admit(nowMs, table.fullMask);
      if (this.limit !== undefined && row >= 0 && row !== table.overflowRow) this.limit.added();
    } else if (table.admitted[row] !== table.fullMask) table.settle(row, table.fullMask, nowMs);
    if (row !== INVALID_LABELS) table.touch(row, nowMs);
    return row;
  }

  private openLabels(
    open: OtelOpenLabels,
    batch: SpanBatch,
    i: number,
    sampled: boolean,
    event: SpanEvent | undefined,
  ): void {
    const { key } = this.table;
    const { resource, matching, clashes } = open.find(batch, i, event?.attributes);
    if (this.resourceAt >= 0) key[this.resourceAt] = resource;
    if (this.matchingAt >= 0) key[this.matchingAt] = matching;
    for (const { source } of clashes)
      key[this.first + source] = this.clashing(source, clashes, batch, i, sampled, event);
  }

  /** Value of a label that attributes with other names have too, or that the resource's attribute of the same name replaces. */
  private clashing(
    index: number,
    clashes: readonly Clash[],
    batch: SpanBatch,
    i: number,
    sampled: boolean,
    event: SpanEvent | undefined,
  ): number {
    const source = this.sources[index]!;
    if (source.kind === 'job' || source.kind === 'instance') {
      const own = this.identitySymbol(source.kind, batch.resource[i]!);
      if (own !== EMPTY_SYMBOL) return own;
    }
    const byAttribute = new Map<string, number>();
    for (const one of plainSources(source)) {
      const symbol = this.symbolOf(one, batch, i, sampled, event);
      if (symbol !== ABSENT) byAttribute.set(one.attribute, symbol);
    }
    for (const { source: of, attribute, value } of clashes)
      if (of === index) byAttribute.set(attribute, this.symbols.text(value));
    const found = [...byAttribute].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, symbol]) => symbol);
    return this.joined(found, SEPARATOR);
  }

  /** The group that the limit counts in stays, as the rules over labels left it. */
  private overflowKey(): void {
    const { key } = this.table;
    const group = [this.resourceAt, this.jobAt, this.instanceAt].filter((at) => at >= 0);
    const kept = group.map((at) => key[at]!);
    key.fill(EMPTY_SYMBOL);
    group.forEach((at, i) => {
      key[at] = kept[i]!;
    });
    key[this.overflowAt] = this.symbols.text(TRUE);
  }

  private job(resource: number): number {
    return this.withNamespace ? this.symbols.job(resource) : Math.max(this.symbols.service(resource), EMPTY_SYMBOL);
  }

  private identitySymbol(kind: 'job' | 'instance', resource: number): number {
    return kind === 'job' ? this.job(resource) : this.symbols.instance(resource);
  }

  private operationOf({ kind, sources, default: value, isResourceFirst }: BoundSource): number {
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
        return value === undefined && !isResourceFirst ? DIMENSION : OTHER;
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
    event: SpanEvent | undefined,
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
        const symbol = this.identitySymbol(source.kind, batch.resource[i]!);
        const otherwise = source.sources[0];
        return symbol !== EMPTY_SYMBOL || otherwise === undefined
          ? symbol
          : this.symbolOf(otherwise, batch, i, sampled, event);
      }
      case 'dimension': {
        const slot = source.slots[0]!;
        let symbol = source.isResourceFirst ? symbols.resourceFirst(batch.resource[i]!, slot) : ABSENT;
        if (symbol === ABSENT) symbol = event === undefined ? symbols.spanFirst(batch, i, slot) : event.valueOf(slot);
        return symbol === ABSENT && source.default !== undefined ? symbols.text(source.default) : symbol;
      }
      case 'mapping': {
        const found = source.slots.map((slot) => symbols.spanFirst(batch, i, slot)).filter((s) => s > EMPTY_SYMBOL);
        return this.joined(found, source.join);
      }
      case 'joined': {
        const found = source.sources.map((one) => this.symbolOf(one, batch, i, sampled, event));
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

function plainSources(source: BoundSource): BoundSource[] {
  const { kind, sources } = source;
  return kind === 'joined' || kind === 'job' || kind === 'instance' ? sources.flatMap(plainSources) : [source];
}

function bind(source: OtelSource, slotOf: (key: string) => number): BoundSource {
  const bound: BoundSource = {
    kind: source.kind,
    attribute: source.attribute,
    slots: [],
    isResourceFirst: false,
    default: undefined,
    join: SEPARATOR,
    sources: [],
  };
  switch (source.kind) {
    case 'dimension':
      bound.slots = [slotOf(source.attribute)];
      bound.isResourceFirst = source.isResourceFirst;
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
