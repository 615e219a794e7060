// The labels of a 2.0 series: references to the strings of its request's table.

import type { InternedLabel, LabelGroup } from '../labels/internal.ts';
import type { SymbolTable } from './symbol-table.ts';
import type { WireWriter } from './writer.ts';

/** Of a label. */
export const MAX_REFS_BYTES = 10;
/** References below it take two bytes at most, so those of a label fit a word. */
const SHORT_REFS = 0x4000;

/** Writes the references of a series into room that was reserved, which must go on for two bytes more. @param word its first one. */
export function putLabelRefs(out: WireWriter, group: LabelGroup, word: number, table: SymbolTable): void {
  const { labels, words } = group;
  const first = word + 1;
  const end = first + words[word]!;
  let at = putKnown(out, labels, words, first, end, table.epoch);
  if (at < 0) {
    for (let i = first; i < end; i++) {
      const label = labels[words[i]!]!;
      if (label.epoch !== table.epoch) place(label, table);
    }
    at = putKnown(out, labels, words, first, end, table.epoch);
  }
  if (at >= 0) out.at = at;
  else putLong(out, labels, words, first, end, table);
}

// Most of what 2.0 takes before it is compressed, so it does nothing else: without another loop around and a call in it, the
// compiler looks up once what is the same for all labels (bench/encode.ts).
// Returns where the references end, or -1 if some label has none.
function putKnown(
  { view, at: start }: WireWriter,
  labels: readonly InternedLabel[],
  words: Uint16Array | Uint32Array,
  first: number,
  end: number,
  epoch: number,
): number {
  let at = start;
  for (let i = first; i < end; i++) {
    const label = labels[words[i]!]!;
    if (label.epoch !== epoch) return -1;
    // A whole word always: the next one overwrites what is too much.
    view.setInt32(at, label.refs, true);
    at += label.refsBytes;
  }
  return at;
}

function putLong(
  out: WireWriter,
  labels: readonly InternedLabel[],
  words: Uint16Array | Uint32Array,
  first: number,
  end: number,
  table: SymbolTable,
): void {
  for (let i = first; i < end; i++) {
    const { name, value } = labels[words[i]!]!;
    out.varint32(table.refOf(name));
    out.varint32(table.refOf(value));
  }
}

/** Notes the references for all series of the request, unless they are too long. */
function place(label: InternedLabel, table: SymbolTable): void {
  const name = table.refOf(label.name);
  const value = table.refOf(label.value);
  if (name >= SHORT_REFS || value >= SHORT_REFS) return;
  const nameBytes = name < 0x80 ? 1 : 2;
  label.epoch = table.epoch;
  label.refs = shortVarint(name) | (shortVarint(value) << (8 * nameBytes));
  label.refsBytes = nameBytes + (value < 0x80 ? 1 : 2);
}

function shortVarint(value: number): number {
  return value < 0x80 ? value : (value & 0x7f) | 0x80 | ((value >>> 7) << 8);
}
