// Labels of which only the spans know the names: those of attributes that match a pattern, and all of the resource's. What a span has
// becomes two symbols, one label set each (label-set.ts), so that the row is found by them like by any other label. Hot where it is
// on: `find` runs for every span then, and allocates only for what was not there before.

import { ByteTable, utf8, utf8Text } from '../bytes/index.ts';
import { compileWholeRegex, type Regex } from '../config/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import { EMPTY_SYMBOL } from '../registry/index.ts';
import { compactLabels, encodeLabelSet, type LabelPair } from './label-set.ts';
import { labelOf, type OtelLabels } from './otel-labels.ts';
import { otelValueText } from './otel-value-text.ts';
import type { ProcessorContext } from './processor.ts';
import type { EventAttributes } from './span-events.ts';

/** What is known of names, values and label sets is forgotten beyond these: it can be worked out again. */
const MOST_KNOWN = 65_536;
const MOST_BYTES = 16 << 20;
/** Longer names match no pattern: a pattern of several `**` takes a power of the length. */
const LONGEST_NAME = 1_024;

const UNKNOWN = 0;
const TAKEN = 1;
const PASSED_OVER = 2;
const SEPARATOR = utf8(';');
const EMPTY = new Uint8Array(0);

/** An attribute whose label is one of the table's own: the two are joined, or its value is in place of that of its own name. */
export interface Clash {
  /** Index of the label among the sources. */
  source: number;
  attribute: string;
  value: Uint8Array;
}

/** What a span adds to its row's key. */
export interface OpenLabels {
  /** Symbol of the label set of the resource's attributes … */
  resource: number;
  /** … and of those that match a pattern. */
  matching: number;
  clashes: readonly Clash[];
}

interface Part {
  value: Uint8Array;
  isConverted: boolean;
}

export class OtelOpenLabels {
  private readonly context: ProcessorContext;
  private readonly patterns: Regex[];
  /** By the first byte of a name: may it match? */
  private readonly firstBytes: Uint8Array;
  private readonly except: ReadonlySet<string> | undefined;
  /** Attributes that have their label anyway. */
  private readonly named: ReadonlySet<string>;
  /** Label → index of its source. */
  private readonly sources: ReadonlyMap<string, number>;
  private readonly reserved: ReadonlySet<string>;
  private keys = new ByteTable();
  /** By key: is the attribute taken? */
  private verdicts = new Uint8Array(64);
  private values = new ByteTable();
  /** The resource, then key and value of each attribute that is taken. */
  private tuple = new Int32Array(64);
  private length = 0;
  private tupleBytes = new Uint8Array(this.tuple.buffer);
  private tupleView = new DataView(this.tuple.buffer);
  private tuples = new ByteTable();
  private known: OpenLabels[] = [];
  private ofResource: (OpenLabels | undefined)[] = [];
  private resourceGeneration = -1;
  private registryGeneration = -1;

  /** @param reserved labels that no attribute may have: others set them, over those of the row */
  constructor(context: ProcessorContext, labels: OtelLabels, reserved: ReadonlySet<string>) {
    this.context = context;
    this.patterns = labels.globs.map(({ pattern }) => compileWholeRegex(pattern));
    this.firstBytes = firstBytesOf(labels.globs.map(({ glob }) => glob));
    this.except = labels.resourceExcept && new Set(labels.resourceExcept);
    this.reserved = reserved;
    this.sources = new Map(labels.names.map((name, i) => [name, i]));
    const sources = labels.sources.flatMap((source) => (source.kind === 'joined' ? source.sources : [source]));
    this.named = new Set(
      sources.flatMap(({ kind, attribute }) => (kind === 'dimension' || kind === 'service' ? [attribute] : [])),
    );
  }

  /** Before each request: forgets what went stale. */
  sync(): void {
    const { resources, registry } = this.context;
    const isFull =
      this.tuples.count > MOST_KNOWN ||
      this.keys.count > MOST_KNOWN ||
      this.values.sizeBytes + this.keys.sizeBytes > MOST_BYTES;
    if (!isFull && this.resourceGeneration === resources.generation && this.registryGeneration === registry.generation)
      return;
    this.resourceGeneration = resources.generation;
    this.registryGeneration = registry.generation;
    this.keys = new ByteTable();
    this.verdicts.fill(UNKNOWN);
    this.values = new ByteTable();
    this.tuples = new ByteTable();
    this.known = [];
    this.ofResource = [];
  }

  /** @param event its attributes are looked at after the span's and before the resource's */
  find(batch: SpanBatch, i: number, event?: EventAttributes): OpenLabels {
    const resource = batch.resource[i]!;
    if (this.patterns.length === 0) return this.findOfResource(resource);
    this.tuple[0] = resource;
    this.length = 1;
    batch.firstAttribute(i);
    const { firstBytes } = this;
    while (batch.nextAttribute()) {
      if (batch.keyEnd === batch.keyStart || firstBytes[batch.bytes[batch.keyStart]!] === 0) continue;
      const key = this.keys.intern(batch.bytes, batch.view, batch.keyStart, batch.keyEnd);
      this.take(key, batch, batch.valueStart, batch.valueEnd);
    }
    if (event !== undefined) {
      for (const [name, { start, end }] of event) this.take(this.keys.internBytes(utf8(name)), batch, start, end);
    }
    const id = this.tuples.intern(this.tupleBytes, this.tupleView, 0, 4 * this.length);
    if (id === this.known.length) this.known.push(this.workOut(resource));
    return this.known[id]!;
  }

  /** Where no span is looked at. */
  findOfResource(resource: number): OpenLabels {
    let found = this.ofResource[resource];
    if (found === undefined) {
      this.length = 1;
      found = this.workOut(resource);
      this.ofResource[resource] = found;
    }
    return found;
  }

  /** Puts an attribute that matches into the tuple. */
  private take(key: number, { bytes, view }: SpanBatch, start: number, end: number): void {
    if (this.verdict(key) === PASSED_OVER) return;
    if (this.length + 2 > this.tuple.length) this.growTuple();
    this.tuple[this.length++] = key;
    this.tuple[this.length++] = this.values.intern(bytes, view, start, end);
  }

  private verdict(key: number): number {
    if (key >= this.verdicts.length) {
      const wider = new Uint8Array(2 * key);
      wider.set(this.verdicts);
      this.verdicts = wider;
    }
    if (this.verdicts[key] === UNKNOWN) {
      this.verdicts[key] = this.isMatch(utf8Text(this.keys.bytes(key))) ? TAKEN : PASSED_OVER;
    }
    return this.verdicts[key]!;
  }

  private isMatch(name: string): boolean {
    return name.length <= LONGEST_NAME && !this.named.has(name) && this.patterns.some((pattern) => pattern.test(name));
  }

  private isConverted(name: string): boolean {
    return this.except !== undefined && !this.except.has(name) && !this.named.has(name);
  }

  private growTuple(): void {
    const wider = new Int32Array(this.tuple.length * 2);
    wider.set(this.tuple);
    this.tuple = wider;
    this.tupleBytes = new Uint8Array(wider.buffer);
    this.tupleView = new DataView(wider.buffer);
  }

  /** The labels of what is in the tuple. */
  private workOut(resource: number): OpenLabels {
    const byLabel = new Map<string, [attribute: string, Part][]>();
    for (const [attribute, part] of [...this.parts(resource)].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const label = labelOf(attribute, this.context.settings);
      // An attribute without a name can't be a label.
      if (label !== '' && !this.reserved.has(label))
        byLabel.set(label, [...(byLabel.get(label) ?? []), [attribute, part]]);
    }
    const ofResource: LabelPair[] = [];
    const matching: LabelPair[] = [];
    const clashes: Clash[] = [];
    for (const [label, parts] of byLabel) {
      const source = this.sources.get(label);
      if (source !== undefined) {
        for (const [attribute, { value }] of parts) clashes.push({ source, attribute, value });
      } else {
        const set = parts.every(([, { isConverted }]) => isConverted) ? ofResource : matching;
        set.push([label, joined(parts.map(([, { value }]) => value))]);
      }
    }
    return { resource: this.symbolOf(ofResource), matching: this.symbolOf(matching), clashes };
  }

  /** By attribute: the span's before the event's before the resource's, but for those that the exporter puts over all of them. */
  private parts(resource: number): Map<string, Part> {
    const { resources } = this.context;
    const parts = new Map<string, Part>();
    for (let at = 1; at < this.length; at += 2) {
      const name = utf8Text(this.keys.bytes(this.tuple[at]!));
      const value = this.values.bytes(this.tuple[at + 1]!);
      if (!parts.has(name)) parts.set(name, { value: textOf(value, 0, value.length), isConverted: false });
    }
    const known = resources.get(resource);
    const seen = new Set<string>();
    for (const attribute of known.attributes) {
      const name = utf8Text(known.key(attribute));
      const isConverted = this.isConverted(name);
      if (seen.has(name) || !(isConverted || (!parts.has(name) && this.isMatch(name)))) continue;
      seen.add(name);
      const { valueStart, valueEnd } = attribute;
      parts.set(name, { value: valueStart < 0 ? EMPTY : textOf(known.bytes, valueStart, valueEnd), isConverted });
    }
    return parts;
  }

  private symbolOf(pairs: readonly LabelPair[]): number {
    const { settings, registry } = this.context;
    if (pairs.length === 0) return EMPTY_SYMBOL;
    const labels = compactLabels(pairs, settings.maxLabelNameLength, settings.maxLabelValueLength);
    return registry.symbols.internBytes(encodeLabelSet(labels));
  }
}

/** All where a pattern does not begin with a character that stands for itself. */
function firstBytesOf(globs: readonly string[]): Uint8Array {
  const first = new Uint8Array(256);
  for (const glob of globs) {
    if (/^[\w.-]/.test(glob)) first[glob.charCodeAt(0)] = 1;
    else first.fill(1);
  }
  return first;
}

/** A copy. */
function textOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return otelValueText(bytes, start, end).slice();
}

/** As the exporter joins values whose names become the same label. */
function joined(values: readonly Uint8Array[]): Uint8Array {
  return values.length === 1
    ? values[0]!
    : Buffer.concat(values.flatMap((value, i) => (i === 0 ? [value] : [SEPARATOR, value])));
}
