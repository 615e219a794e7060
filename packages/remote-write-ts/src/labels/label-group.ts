// The labels of series that have been sent as 2.0, for some hundred series together: each label once, and for each series which
// they are. A series may not have an array of its own: what that takes more is taken a million times (bench/memory.ts).
//
// A group lives as long as one of its series does, the newest one in any case: the last series left costs 2 KiB, and the labels of
// those that are gone.

import type { InternedLabel } from './interned-label.ts';

/** Larger groups would cost less for each series, and more for a survivor. */
const GROUP_WORDS = 1024;
/** A series that takes more has a group to itself, so less than half of a group stays empty. */
const MAX_SHARED_WORDS = GROUP_WORDS / 2;
const MAX_UINT16 = 0xffff;

let groupCount = 0;

export class LabelGroup {
  readonly labels: InternedLabel[] = [];
  /** For each series how many labels it has, and the index of each in `labels`. */
  readonly words: Uint16Array | Uint32Array;
  readonly #number = ++groupCount;
  #usedWords = 0;

  constructor(words: number, isWide: boolean) {
    this.words = isWide ? new Uint32Array(words) : new Uint16Array(words);
  }

  hasRoom(words: number): boolean {
    return this.#usedWords + words <= this.words.length;
  }

  /** @returns where in `words` the series begins. */
  add(labels: readonly InternedLabel[]): number {
    const first = this.#usedWords;
    this.words[first] = labels.length;
    for (let i = 0; i < labels.length; i++) this.words[first + 1 + i] = this.#indexOf(labels[i]!);
    this.#usedWords += 1 + labels.length;
    return first;
  }

  #indexOf(label: InternedLabel): number {
    // Series come to one group after the other. Only where one of its own came between them, a label is here twice.
    if (label.group !== this.#number) {
      label.group = this.#number;
      label.index = this.labels.length;
      this.labels.push(label);
    }
    return label.index;
  }
}

/** The one that takes the next series. */
let open = new LabelGroup(GROUP_WORDS, false);

/** One that has room for a series of so many labels. */
export function groupFor(labels: number): LabelGroup {
  const words = 1 + labels;
  if (words > MAX_SHARED_WORDS) return new LabelGroup(words, labels > MAX_UINT16);
  if (!open.hasRoom(words)) open = new LabelGroup(GROUP_WORDS, false);
  return open;
}
