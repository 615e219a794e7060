// Attribute values as symbols. A resource's are worked out once and kept; a span's string is interned from its bytes in place, any
// other type by its encoded bytes, so that its text is made once per distinct value. Shared by a tenant's processors.

import { ByteTable, utf8 } from '../bytes/index.ts';
import { type ExtractionPlan, type ResourceTable, type SpanBatch, valueText } from '../otlp/index.ts';
import type { Registry } from '../registry/index.ts';
import { kindName, statusName } from './names.ts';
import { aliasesOf } from './semconv-aliases.ts';

export const ABSENT = -1;
const UNKNOWN = -2;
const MAX_OTHER_VALUES = 65_536;
const ENUM_VALUES = 8;
const MAX_TRANSLATIONS = 4_096;

const SERVICE_NAME = new TextEncoder().encode('service.name');
const SERVICE_NAMESPACE = new TextEncoder().encode('service.namespace');
const SERVICE_INSTANCE_ID = new TextEncoder().encode('service.instance.id');

/** Columns of what is known of each resource, before the planned keys. */
const SERVICE = 0;
const JOB = 1;
const INSTANCE = 2;
const FIXED = 3;

/** Another name of a slot's key (`semconv.aliases`). */
interface SlotAlias {
  slot: number;
  /** Values that are spelt otherwise under the slot's own key. */
  values: ReadonlyMap<string, string>;
  /** Symbol of a value as it stands → of how the slot's key spells it. Forgotten when symbols are renumbered. */
  known: Map<number, number>;
}

export interface AttributeSymbolsOptions {
  plan: ExtractionPlan;
  resources: ResourceTable;
  registry: Registry;
  /** Longer values are cut (bytes); 0 = no limit. */
  maxValueLength: number;
  /** How values that are no strings are spelt. */
  textOf?: typeof valueText | undefined;
  /** Does a key match its other names in the semantic conventions too? */
  aliases?: boolean | undefined;
}

export class AttributeSymbols {
  private readonly resources: ResourceTable;
  private readonly registry: Registry;
  /** Bytes; 0 = no limit. */
  private readonly maxValueLength: number;
  private readonly valueText: typeof valueText;
  private readonly width: number;
  /** By slot, the other names that are looked at where nobody has the slot's own; undefined = none has any. */
  private readonly aliases: readonly (readonly SlotAlias[])[] | undefined;
  private ofResource: Int32Array;
  private others = new ByteTable();
  private otherSymbols = new Int32Array(64);
  /** Symbols of the enum values below ENUM_VALUES; UNKNOWN until one is seen. */
  private readonly kinds = new Int32Array(ENUM_VALUES).fill(UNKNOWN);
  private readonly statuses = new Int32Array(ENUM_VALUES).fill(UNKNOWN);
  private resourceGeneration = 0;
  private registryGeneration = 0;

  constructor({ plan, resources, registry, maxValueLength, textOf = valueText, aliases }: AttributeSymbolsOptions) {
    this.valueText = textOf;
    this.resources = resources;
    this.registry = registry;
    this.maxValueLength = maxValueLength;
    this.width = FIXED + plan.keys.length;
    this.ofResource = new Int32Array(this.width * 64).fill(UNKNOWN);
    if (aliases) this.aliases = plan.keys.map((key) => slotAliases(plan, key));
  }

  /** Before each request: forgets what went stale, makes room for the resources there are. */
  sync(): void {
    if (this.resourceGeneration !== this.resources.generation || this.registryGeneration !== this.registry.generation) {
      this.resourceGeneration = this.resources.generation;
      this.registryGeneration = this.registry.generation;
      this.ofResource.fill(UNKNOWN);
      this.others = new ByteTable();
      this.kinds.fill(UNKNOWN);
      this.statuses.fill(UNKNOWN);
      for (const alias of this.aliases?.flat() ?? []) alias.known.clear();
    }
    if (this.others.count > MAX_OTHER_VALUES) this.others = new ByteTable();
    const needed = this.resources.count * this.width;
    if (needed > this.ofResource.length) {
      const wider = new Int32Array(needed * 2).fill(UNKNOWN);
      wider.set(this.ofResource);
      this.ofResource = wider;
    }
  }

  /** `service.name`; ABSENT where the resource has no such key (an empty one is the empty symbol). */
  service(resource: number): number {
    return this.fixed(resource, SERVICE);
  }

  /** `namespace/name`, or the name alone; the empty symbol without a name. */
  job(resource: number): number {
    return this.fixed(resource, JOB);
  }

  instance(resource: number): number {
    return this.fixed(resource, INSTANCE);
  }

  /** The resource's first attribute with the slot's key, else the span's, else the same of its aliases; ABSENT if none has it. */
  value(batch: SpanBatch, span: number, slot: number): number {
    const resource = batch.resource[span]!;
    let symbol = this.ofResource[resource * this.width + FIXED + slot]!;
    if (symbol === UNKNOWN) symbol = this.resourceValue(resource, slot);
    if (symbol !== ABSENT) return symbol;
    if (batch.slotStart[span * batch.slots + slot]! >= 0) return this.spanValue(batch, span, slot);
    return this.aliases === undefined ? ABSENT : this.aliased(batch, span, slot, true, true);
  }

  /** The span's first attribute with the slot's key, else the resource's, else the same of its aliases; ABSENT if none has it. */
  spanFirst(batch: SpanBatch, span: number, slot: number): number {
    if (batch.slotStart[span * batch.slots + slot]! >= 0) return this.spanValue(batch, span, slot);
    const symbol = this.resourceFirst(batch.resource[span]!, slot);
    if (symbol !== ABSENT || this.aliases === undefined) return symbol;
    return this.aliased(batch, span, slot, false, true);
  }

  /** The span's own first attribute with the slot's key or an alias; ABSENT if it has none. */
  ofSpan(batch: SpanBatch, span: number, slot: number): number {
    if (batch.slotStart[span * batch.slots + slot]! >= 0) return this.spanValue(batch, span, slot);
    return this.aliases === undefined ? ABSENT : this.aliased(batch, span, slot, false, false);
  }

  /** The resource's first attribute with the slot's key; ABSENT if it has none. */
  resourceFirst(resource: number, slot: number): number {
    const symbol = this.ofResource[resource * this.width + FIXED + slot]!;
    return symbol === UNKNOWN ? this.resourceValue(resource, slot) : symbol;
  }

  private aliased(batch: SpanBatch, span: number, slot: number, resourceFirst: boolean, resources: boolean): number {
    for (const alias of this.aliases![slot]!) {
      const own =
        batch.slotStart[span * batch.slots + alias.slot]! < 0 ? ABSENT : this.spanValue(batch, span, alias.slot);
      const shared = resources ? this.resourceFirst(batch.resource[span]!, alias.slot) : ABSENT;
      const symbol = own === ABSENT || (resourceFirst && shared !== ABSENT) ? shared : own;
      if (symbol !== ABSENT) return alias.values.size === 0 ? symbol : this.translated(alias, symbol);
    }
    return ABSENT;
  }

  private translated({ values, known }: SlotAlias, symbol: number): number {
    let translated = known.get(symbol);
    if (translated === undefined) {
      const text = values.get(Buffer.from(this.registry.symbols.bytes(symbol)).toString());
      translated = text === undefined ? symbol : this.registry.symbols.internText(text);
      // Values that are in no table cost a look each time once there are many.
      if (known.size < MAX_TRANSLATIONS) known.set(symbol, translated);
    }
    return translated;
  }

  /** The AnyValue in [start, end) of `bytes`. */
  valueAt(bytes: Uint8Array, start: number, end: number): number {
    return this.text(this.valueText(bytes, start, end));
  }

  private resourceValue(resource: number, slot: number): number {
    const { slotStart, slotEnd, bytes } = this.resources.get(resource);
    const symbol = slotStart[slot]! < 0 ? ABSENT : this.text(this.valueText(bytes, slotStart[slot]!, slotEnd[slot]!));
    this.ofResource[resource * this.width + FIXED + slot] = symbol;
    return symbol;
  }

  spanValue(batch: SpanBatch, span: number, slot: number): number {
    const at = span * batch.slots + slot;
    const start = batch.slotStart[at]!;
    if (start < 0) return ABSENT;
    const end = batch.slotEnd[at]!;
    const buf = batch.bytes;
    if (start < end && buf[start] === 10) {
      const n = buf[start + 1]!;
      if (n < 128 && start + 2 + n === end) return this.range(batch, start + 2, end);
    }
    const before = this.others.count;
    const other = this.others.intern(buf, batch.view, start, end);
    if (other === before) {
      if (other === this.otherSymbols.length) {
        const wider = new Int32Array(other * 2);
        wider.set(this.otherSymbols);
        this.otherSymbols = wider;
      }
      this.otherSymbols[other] = this.text(this.valueText(buf, start, end));
    }
    return this.otherSymbols[other]!;
  }

  /** The bytes [start, end) of the request as a label value, cut to the longest that is allowed. */
  range(batch: SpanBatch, start: number, end: number): number {
    const stop = this.maxValueLength > 0 && end - start > this.maxValueLength ? start + this.maxValueLength : end;
    return this.registry.symbols.intern(batch.bytes, batch.view, start, stop);
  }

  /** A label value that is not in the request. */
  text(bytes: Uint8Array): number {
    const cut =
      this.maxValueLength > 0 && bytes.length > this.maxValueLength ? bytes.subarray(0, this.maxValueLength) : bytes;
    return this.registry.symbols.internBytes(cut);
  }

  kind(kind: number): number {
    const symbol = kind >= 0 && kind < ENUM_VALUES ? this.kinds[kind]! : UNKNOWN;
    return symbol >= 0 ? symbol : this.enumSymbol(this.kinds, kind, kindName(kind));
  }

  status(status: number): number {
    const symbol = status >= 0 && status < ENUM_VALUES ? this.statuses[status]! : UNKNOWN;
    return symbol >= 0 ? symbol : this.enumSymbol(this.statuses, status, statusName(status));
  }

  private enumSymbol(known: Int32Array, value: number, name: string): number {
    const symbol = this.text(utf8(name));
    // Any number may come; only those that mean something are worth keeping.
    if (value >= 0 && value < ENUM_VALUES) known[value] = symbol;
    return symbol;
  }

  private fixed(resource: number, column: number): number {
    const at = resource * this.width + column;
    if (this.ofResource[at] === UNKNOWN) this.identify(resource);
    return this.ofResource[at]!;
  }

  private identify(index: number): void {
    const resource = this.resources.get(index);
    const name = resource.text(SERVICE_NAME, this.valueText);
    const namespace = resource.text(SERVICE_NAMESPACE, this.valueText);
    const instance = resource.text(SERVICE_INSTANCE_ID, this.valueText);
    const at = index * this.width;
    this.ofResource[at + SERVICE] = name ? this.text(name) : ABSENT;
    const hasName = name !== undefined && name.length > 0;
    const job = !hasName
      ? new Uint8Array(0)
      : namespace?.length
        ? Buffer.concat([namespace, Buffer.from('/'), name])
        : name;
    this.ofResource[at + JOB] = this.text(job);
    this.ofResource[at + INSTANCE] = this.text(instance ?? new Uint8Array(0));
  }
}

function slotAliases(plan: ExtractionPlan, key: string): SlotAlias[] {
  return aliasesOf(key).flatMap((alias) => {
    const slot = plan.slotOf(alias.key);
    return slot < 0 ? [] : [{ slot, values: alias.values, known: new Map() }];
  });
}
