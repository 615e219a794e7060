// Label sets whose names differ from row to row (info metrics): the whole set is one symbol, names and values one after another.
// The registry's `freeLabels` tables hold such rows.

import { utf8 } from '../bytes/index.ts';

export type LabelPair = [name: string, value: Uint8Array];

/** Later pairs replace earlier ones of their name, an empty value removes it; what is left is sorted by name. */
export function compactLabels(pairs: readonly LabelPair[], maxNameLength: number, maxValueLength: number): LabelPair[] {
  const labels = new Map<string, Uint8Array>();
  for (const [name, value] of pairs) {
    labels.set(
      maxNameLength > 0 ? name.slice(0, maxNameLength) : name,
      maxValueLength > 0 && value.length > maxValueLength ? value.subarray(0, maxValueLength) : value,
    );
  }
  return [...labels].filter(([, value]) => value.length > 0).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** NUL-separated names and values. NUL and U+0001 inside a value are written as U+0001 and the digit 0 or 1. */
export function encodeLabelSet(labels: readonly LabelPair[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of labels) parts.push(utf8(name), Uint8Array.of(0), escapeValue(value), Uint8Array.of(0));
  return Buffer.concat(parts);
}

function escapeValue(value: Uint8Array): Uint8Array {
  if (!value.some((b) => b < 2)) return value;
  const out: number[] = [];
  for (const b of value) {
    if (b < 2) out.push(1, 0x30 + b);
    else out.push(b);
  }
  return Uint8Array.from(out);
}
