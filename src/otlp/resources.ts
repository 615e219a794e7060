// Resources, interned by their bytes: service name, attributes and the values of planned keys are worked out once per distinct
// resource, not once per request. The table is dropped as a whole when it has grown past its limits.

import { ByteTable } from '../bytes/index.ts';
import { keyEnd, keyStart, keyValueSize, resourceSize, valueEnd, valueStart } from './canonical.ts';
import type { ExtractionPlan } from './plan.ts';
import { stringValue, valueText } from './value-text.ts';
import { at, length, skip, tagAt } from './wire.ts';

const MAX_RESOURCES = 16_384;
const MAX_BYTES = 64 << 20;
const GUESSES = 1024;
const EMPTY = new Uint8Array(0);

/** One attribute as byte ranges in `Resource.bytes`; `valueStart` < 0 where the value is missing. */
export interface AttributeRange {
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
}

export class Resource {
  readonly bytes: Uint8Array;
  /** Canonical body size. */
  readonly sizeBytes: number;
  readonly attributes: readonly AttributeRange[];
  /** Per slot of the plan: range of the first attribute's AnyValue in `bytes`, start < 0 = absent. */
  readonly slotStart: Int32Array;
  readonly slotEnd: Int32Array;

  constructor(bytes: Uint8Array, plan: ExtractionPlan) {
    this.bytes = bytes;
    this.sizeBytes = resourceSize(bytes, 0, bytes.length);
    this.slotStart = new Int32Array(plan.keys.length).fill(-1);
    this.slotEnd = new Int32Array(plan.keys.length).fill(-1);
    const attributes: AttributeRange[] = [];
    let pos = 0;
    while (pos < bytes.length) {
      const tag = tagAt(bytes, pos, bytes.length);
      pos = at;
      if (tag !== 10) {
        pos = skip(bytes, tag, pos, bytes.length);
        continue;
      }
      const n = length(bytes, pos, bytes.length);
      const from = at;
      pos = from + n;
      keyValueSize(bytes, from, pos);
      attributes.push({ keyStart, keyEnd, valueStart, valueEnd });
      const slot = plan.find(bytes, keyStart, keyEnd);
      if (slot >= 0 && this.slotStart[slot]! < 0) {
        // A key without a value is present and empty.
        this.slotStart[slot] = valueStart < 0 ? keyEnd : valueStart;
        this.slotEnd[slot] = valueStart < 0 ? keyEnd : valueEnd;
      }
    }
    this.attributes = attributes;
  }

  /** String form of the first attribute with this key; undefined where there is none. */
  text(key: Uint8Array): Uint8Array | undefined {
    for (const attribute of this.attributes) {
      if (this.hasKey(attribute, key)) return this.valueText(attribute);
    }
    return undefined;
  }

  key(attribute: AttributeRange): Uint8Array {
    return this.bytes.subarray(attribute.keyStart, attribute.keyEnd);
  }

  hasKey(attribute: AttributeRange, key: Uint8Array): boolean {
    if (attribute.keyEnd - attribute.keyStart !== key.length) return false;
    for (let i = 0; i < key.length; i++) if (this.bytes[attribute.keyStart + i] !== key[i]) return false;
    return true;
  }

  valueText(attribute: AttributeRange): Uint8Array {
    return attribute.valueStart < 0 ? EMPTY : valueText(this.bytes, attribute.valueStart, attribute.valueEnd);
  }

  /** The value if it is a string. */
  stringValue(attribute: AttributeRange): Uint8Array | undefined {
    return attribute.valueStart < 0 ? undefined : stringValue(this.bytes, attribute.valueStart, attribute.valueEnd);
  }
}

export class ResourceTable {
  /** Goes up when the table was dropped: whoever keeps something per resource index starts over. */
  generation = 0;
  private table = new ByteTable();
  private resources: Resource[] = [];
  /** By a few sampled bytes: which resource it probably is. Spares the hash of what is often a kilobyte (bench/otlp). */
  private readonly guesses = new Int32Array(GUESSES).fill(-1);
  private readonly plan: ExtractionPlan;

  constructor(plan: ExtractionPlan) {
    this.plan = plan;
  }

  get count(): number {
    return this.resources.length;
  }

  get(index: number): Resource {
    return this.resources[index]!;
  }

  /** Index of the resource whose bytes are buf[start, end). Throws DecodeError; a damaged resource is not remembered. */
  intern(buf: Uint8Array, view: DataView, start: number, end: number): number {
    const sample = sampleOf(view, start, end);
    const guess = this.guesses[sample]!;
    if (guess >= 0 && this.table.equals(guess, buf, view, start, end)) return guess;
    const index = this.table.intern(buf, view, start, end);
    this.guesses[sample] = index;
    if (index < this.resources.length) return index;
    try {
      this.resources.push(new Resource(buf.slice(start, end), this.plan));
    } catch (error) {
      this.drop();
      throw error;
    }
    return index;
  }

  /** Between requests only: indexes of the batch that is being decoded must stay good. */
  trim(): void {
    if (this.resources.length > MAX_RESOURCES || this.table.sizeBytes > MAX_BYTES) this.drop();
  }

  private drop(): void {
    this.table = new ByteTable();
    this.resources = [];
    this.guesses.fill(-1);
    this.generation++;
  }
}

/** Length and eight words spread over the bytes. */
function sampleOf(view: DataView, start: number, end: number): number {
  const n = end - start;
  let h = Math.imul(n, 0x9e3779b1);
  if (n >= 32) {
    const step = (n - 4) >> 3;
    for (let i = 0, p = start + step; i < 8; i++, p += step) h = Math.imul(h ^ view.getInt32(p, true), 0x85ebca6b) ^ (h >>> 15);
  }
  return (h ^ (h >>> 16)) & (GUESSES - 1);
}
