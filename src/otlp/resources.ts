// Resources, interned by their bytes: service name, attributes and the values of planned keys are worked out once per distinct
// resource, not once per request. The table is dropped as a whole when it has grown past its limits.

import { ByteTable } from '../bytes/index.ts';
import { keyEnd, keyStart, keyValueSize, resourceSize, valueEnd, valueStart } from './canonical.ts';
import type { ExtractionPlan } from './plan.ts';
import { stringValue, valueText } from './value-text.ts';
import { at, DecodeError, length, skip, tagAt } from './wire.ts';

const MAX_RESOURCES = 16_384;
const MAX_BYTES = 64 << 20;
/** The table of guesses has 2^11 sets of two. */
const GUESS_SHIFT = 32 - 11;
const GUESSES = 2 << 11;
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
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
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
      const slot = plan.find(view, keyStart, keyEnd);
      if (slot >= 0 && this.slotStart[slot]! < 0) {
        // A key without a value is present and empty.
        this.slotStart[slot] = valueStart < 0 ? keyEnd : valueStart;
        this.slotEnd[slot] = valueStart < 0 ? keyEnd : valueEnd;
      }
    }
    this.attributes = attributes;
  }

  /** String form of the first attribute with this key; undefined where there is none. */
  text(key: Uint8Array, textOf = valueText): Uint8Array | undefined {
    for (const attribute of this.attributes) {
      if (this.hasKey(attribute, key)) return this.valueText(attribute, textOf);
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

  valueText(attribute: AttributeRange, textOf = valueText): Uint8Array {
    return attribute.valueStart < 0 ? EMPTY : textOf(this.bytes, attribute.valueStart, attribute.valueEnd);
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
  /** By a sample of the bytes: which two it probably is. Spares the hash of what is often a kilobyte (bench/micro/decode.ts). */
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
    const { table, guesses } = this;
    const set = 2 * sampleOf(view, start, end);
    const first = guesses[set]!;
    if (first >= 0 && table.equals(first, buf, view, start, end)) return first;
    const second = guesses[set + 1]!;
    guesses[set + 1] = first;
    if (second >= 0 && table.equals(second, buf, view, start, end)) {
      guesses[set] = second;
      return second;
    }
    const index = table.intern(buf, view, start, end);
    guesses[set] = index;
    if (index < this.resources.length) return index;
    try {
      this.resources.push(new Resource(buf.slice(start, end), this.plan));
    } catch (error) {
      this.drop();
      throw error instanceof DecodeError ? error.movedBy(start) : error;
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

/** Length and a word of every 32 bytes, in two lanes: any id of 36 characters in which two resources differ leaves its mark. */
function sampleOf(view: DataView, start: number, end: number): number {
  let h = end - start;
  let g = 0;
  let p = start;
  for (const last = end - 36; p <= last; p += 64) {
    h = Math.imul(h ^ view.getInt32(p, true), 0x85ebca6b) ^ (h >>> 15);
    g = Math.imul(g ^ view.getInt32(p + 32, true), 0xc2b2ae35) ^ (g >>> 15);
  }
  if (end - start >= 4) h ^= view.getInt32(end - 4, true);
  h = Math.imul(h ^ g ^ (g >>> 16), 0x9e3779b1);
  return h >>> GUESS_SHIFT;
}
