// What `createSeries` gives, made of as little as it can be: what one series takes more is taken a million times
// (bench/memory.ts). It must never keep an array of its own.

import { decodeLabels, type LabelPair, type LabelPlan, visitLabels, writeLabels } from './encode.ts';
import { type InternedLabel, internLabel } from './interned-label.ts';
import { groupFor, type LabelGroup } from './label-group.ts';
import type { Series, SeriesMetadata } from './series.ts';
import type { SymbolEntry } from './symbols.ts';

export class PreparedSeries implements Series {
  readonly metadata: SeriesMetadata | undefined;
  /**
   * The label bytes, each as a character: a string is a hundred bytes smaller than an array, and copied into a request in about the
   * same time (bench/encode.ts).
   */
  readonly latin1: string;
  private readonly signedHash: number;
  // Names that are truly private, for it says nothing about the series: who compares two deeply must not come upon it.
  #group: LabelGroup | undefined;
  /** Where in the words of the group. */
  #wordAt = 0;

  constructor(labels: LabelPlan, metadata: SeriesMetadata | undefined) {
    const bytes = scratch(labels.sizeBytes);
    writeLabels(labels, bytes, 0);
    this.metadata = metadata;
    this.signedHash = fnv1a(bytes);
    this.latin1 = bytes.toString('latin1');
    this.#group = undefined;
  }

  static is(series: Series): series is PreparedSeries {
    return #group in series;
  }

  get labels(): LabelPair[] {
    return decodeLabels(scratchOf(this.latin1));
  }

  get labelBytes(): Uint8Array {
    const { buffer, byteOffset, length } = Buffer.from(this.latin1, 'latin1');
    // Not as a Buffer, whose `slice` is no copy.
    return new Uint8Array(buffer, byteOffset, length);
  }

  get symbols(): readonly SymbolEntry[] {
    const { words, labels } = this.group();
    const first = this.#wordAt + 1;
    const own = Array.from(words.subarray(first, first + words[first - 1]!), (index) => labels[index]!);
    return own.flatMap(({ name, value }) => [name, value]);
  }

  get hash(): number {
    return this.signedHash >>> 0;
  }

  /** Where `group()` has its labels. */
  get wordAt(): number {
    return this.#wordAt;
  }

  /** The group that keeps its labels, from the first call on. */
  group(): LabelGroup {
    if (this.#group === undefined) {
      const labels = internLabels(scratchOf(this.latin1));
      const group = groupFor(labels.length);
      this.#wordAt = group.add(labels);
      this.#group = group;
    }
    return this.#group;
  }
}

function internLabels(bytes: Buffer): InternedLabel[] {
  const labels: InternedLabel[] = [];
  visitLabels(bytes, (place) => labels.push(internLabel(bytes, place)));
  return labels;
}

const MAX_KEPT_BYTES = 65_536;
let kept = Buffer.allocUnsafeSlow(1024);

/** Bytes until the next call. Not of Node's pool: there the bytes of strings are that stay, between them nothing should be lost. */
function scratch(bytes: number): Buffer {
  if (bytes > kept.length) {
    const room = Buffer.allocUnsafeSlow(bytes);
    if (bytes > MAX_KEPT_BYTES) return room;
    kept = room;
  }
  return kept.subarray(0, bytes);
}

function scratchOf(latin1: string): Buffer {
  const bytes = scratch(latin1.length);
  bytes.write(latin1, 'latin1');
  return bytes;
}

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  // Signed, as it is kept: a larger number would be an object.
  return hash | 0;
}
