// Label sets to wire bytes, once per series: validated, sorted, ready to be copied into any number of requests. Receivers
// answer bad label sets with anything from silence to 500, so nothing may leave here that one of them could object to.
// Source: Prometheus Remote-Write 1.0, "Labels"; OpenMetrics 1.0, "Exemplars".

import { compareUtf8 } from './compare.ts';
import { LabelError } from './errors.ts';

/** One label: name and value. */
export type LabelPair = readonly [name: string, value: string];

/** OpenMetrics' limit on the characters (code points) of all names and values of one exemplar. */
export const MAX_EXEMPLAR_CHARACTERS = 128;

/** The label that holds the metric's name. */
export const METRIC_NAME = '__name__';
const TAG_LABELS = 0x0a;
const TAG_NAME = 0x0a;
const TAG_VALUE = 0x12;

/**
 * The repeated field `labels` (1) of a `TimeSeries`, tags and lengths included. The order of `labels` doesn't matter.
 * @throws LabelError
 */
export function encodeLabels(labels: readonly LabelPair[]): Uint8Array {
  return encode(planLabels(labels));
}

/** A label set before it is bytes. */
export interface LabelPlan {
  readonly sorted: readonly LabelPair[];
  /** Of each name and value in turn. */
  readonly textBytes: readonly number[];
  /** Of what `writeLabels` writes. */
  readonly sizeBytes: number;
}

/** @throws LabelError as `encodeLabels` does. */
export function planLabels(labels: readonly LabelPair[]): LabelPlan {
  const sorted = validated(labels);
  if (!sorted.some(([name]) => name === METRIC_NAME)) {
    throw new LabelError('no_metric_name', `a series needs the label ${METRIC_NAME}`);
  }
  return plan(sorted);
}

/**
 * The repeated field `labels` (1) of an `Exemplar`. An exemplar needs no metric name, and may have no label at all.
 * @throws LabelError
 */
export function encodeExemplarLabels(labels: readonly LabelPair[]): Uint8Array {
  const sorted = validated(labels);
  let characters = 0;
  for (const [name, value] of sorted) characters += codePoints(name) + codePoints(value);
  if (characters > MAX_EXEMPLAR_CHARACTERS) {
    throw new LabelError(
      'exemplar_too_long',
      `an exemplar's labels have ${characters} characters, ${MAX_EXEMPLAR_CHARACTERS} are allowed`,
    );
  }
  return encode(plan(sorted));
}

/** A sorted copy. */
export function sortedLabels(labels: readonly LabelPair[]): LabelPair[] {
  return [...labels].sort((a, b) => compareUtf8(a[0], b[0]));
}

function validated(labels: readonly LabelPair[]): LabelPair[] {
  for (const [name, value] of labels) {
    if (name === '') throw new LabelError('empty_name', 'a label has an empty name');
    if (!name.isWellFormed()) throw new LabelError('not_unicode', "a label's name has a lone surrogate");
    if (value === '') throw new LabelError('empty_value', `label ${shown(name)} has an empty value`);
    if (!value.isWellFormed()) throw new LabelError('not_unicode', `label ${shown(name)} has a lone surrogate`);
  }
  const sorted = sortedLabels(labels);
  for (let i = 1; i < sorted.length; i++) {
    const name = sorted[i]![0];
    if (name === sorted[i - 1]![0]) throw new LabelError('duplicate_name', `label ${shown(name)} is given twice`);
  }
  return sorted;
}

function shown(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name);
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function plan(sorted: readonly LabelPair[]): LabelPlan {
  // Lengths are needed twice (the label's, then the string's), so they are measured once for all.
  const textBytes: number[] = [];
  let sizeBytes = 0;
  for (const [name, value] of sorted) {
    const nameBytes = Buffer.byteLength(name);
    const valueBytes = Buffer.byteLength(value);
    textBytes.push(nameBytes, valueBytes);
    sizeBytes += fieldSize(fieldSize(nameBytes) + fieldSize(valueBytes));
  }
  return { sorted, textBytes, sizeBytes };
}

function encode(labels: LabelPlan): Uint8Array {
  // From Node's pool: label sets are small and many, a buffer of its own would cost each of them more than its bytes.
  const out = Buffer.allocUnsafe(labels.sizeBytes);
  writeLabels(labels, out, 0);
  // Not as a Buffer, whose `slice` is no copy.
  return new Uint8Array(out.buffer, out.byteOffset, labels.sizeBytes);
}

/** Into room for them from `start` on. */
export function writeLabels({ sorted, textBytes }: LabelPlan, out: Buffer, start: number): void {
  let at = start;
  for (let i = 0; i < sorted.length; i++) {
    const [name, value] = sorted[i]!;
    const nameBytes = textBytes[2 * i]!;
    const valueBytes = textBytes[2 * i + 1]!;
    at = header(out, at, TAG_LABELS, fieldSize(nameBytes) + fieldSize(valueBytes));
    at = header(out, at, TAG_NAME, nameBytes);
    at += out.write(name, at, nameBytes);
    at = header(out, at, TAG_VALUE, valueBytes);
    at += out.write(value, at, valueBytes);
  }
}

// Tag, length and content of a length-delimited field whose number is below 16.
function fieldSize(contentBytes: number): number {
  let size = 2 + contentBytes;
  for (let rest = contentBytes; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function header(out: Uint8Array, start: number, tag: number, lengthBytes: number): number {
  let at = start;
  out[at++] = tag;
  let rest = lengthBytes;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

/** What `encodeLabels` gave, as pairs again. */
export function decodeLabels(bytes: Buffer): LabelPair[] {
  const pairs: LabelPair[] = [];
  visitLabels(bytes, ({ nameAt, nameEnd, valueAt, end }) => {
    pairs.push([bytes.toString('utf8', nameAt, nameEnd), bytes.toString('utf8', valueAt, end)]);
  });
  return pairs;
}

/** Where a label is: its name and value, and its fields, which begin with the header of the name. */
export interface LabelPlace {
  start: number;
  nameAt: number;
  nameEnd: number;
  valueAt: number;
  end: number;
}

/** Goes through what `encodeLabels` gave. */
export function visitLabels(bytes: Uint8Array, visit: (place: LabelPlace) => void): void {
  let at = 0;
  const length = (): number => {
    let value = 0;
    let factor = 1;
    for (at++; ; at++, factor *= 0x80) {
      const byte = bytes[at]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    at++;
    return value;
  };
  while (at < bytes.length) {
    length();
    const start = at;
    const nameBytes = length();
    const nameAt = at;
    at += nameBytes;
    const valueBytes = length();
    const valueAt = at;
    at += valueBytes;
    visit({ start, nameAt, nameEnd: nameAt + nameBytes, valueAt, end: at });
  }
}
