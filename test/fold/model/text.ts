// Label names and values, and label sets made of them.

import { type AnyValue, type Attributes, first, isMap, isRaw } from './request.ts';

/** A text by its UTF-8 bytes, one character each: to cut at bytes is `slice`, and bytes that are no text can be held too. */
export type ByteText = string;
export type Pair = [name: string, value: ByteText];
/** By name, sorted; no value is empty. */
export type Labels = ReadonlyMap<string, ByteText>;

export const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
export const CODES = ['UNSET', 'OK', 'ERROR'];
export const INTRINSICS = ['service', 'span_name', 'span_kind', 'status_code', 'status_message'];

export function byteText(text: string): ByteText {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The text; undefined: the bytes are none. */
export function readable(bytes: ByteText): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return undefined;
  }
}

export function kindText(kind: number): string {
  return KINDS[kind] === undefined ? String(kind) : `SPAN_KIND_${KINDS[kind]}`;
}

export function statusText(code: number): string {
  return CODES[code] === undefined ? String(code) : `STATUS_CODE_${CODES[code]}`;
}

/** The shortest decimal that reads as the number, never with an exponent. */
export function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (Object.is(value, -0)) return '-0';
  const [digits, exponent] = String(value).replace('Infinity', 'Inf').split('e');
  if (exponent === undefined) return digits!;
  const sign = digits!.startsWith('-') ? '-' : '';
  const [whole, fraction = ''] = digits!.replace('-', '').split('.');
  const shift = Number(exponent);
  if (shift > 0) return `${sign}${whole}${fraction.padEnd(shift, '0')}`;
  return `${sign}0.${'0'.repeat(-shift - 1)}${whole}${fraction}`;
}

export function valueText(value: AnyValue): ByteText {
  if (value === null || value instanceof Uint8Array) return '';
  if (Array.isArray(value)) return `[${value.map(valueText).join('')}]`;
  if (isRaw(value)) return Buffer.from(value.bytes).toString('latin1');
  if (isMap(value)) return `{${value.entries.map(([key, held]) => `${byteText(key)}:${valueText(held)}`).join('')}}`;
  return byteText(typeof value === 'number' ? numberText(value) : String(value));
}

/** Of the first attribute with this key; undefined: there is none. */
export function textOf(attributes: Attributes, key: string): ByteText | undefined {
  const value = first(attributes, key);
  return value === undefined ? undefined : valueText(value);
}

/** Each character that a label name can't have becomes one underscore. */
export function labelName(key: string): string {
  return [...key].map((character) => (/^[a-zA-Z0-9_]$/.test(character) ? character : '_')).join('');
}

/** Of a dimension or mapping of span metrics. */
export function dimensionName(key: string): string {
  const name = labelName(key);
  return INTRINSICS.includes(name) ? `__${name}` : name;
}

export interface Lengths {
  maxLabelNameLength: number;
  maxLabelValueLength: number;
}

/** What the pairs come to: cut, the last of a name counts, and if that is empty there is none. */
export function compact(pairs: readonly Pair[], { maxLabelNameLength, maxLabelValueLength }: Lengths): Labels {
  const labels = new Map<string, ByteText>();
  for (const [name, value] of pairs) labels.set(cut(name, maxLabelNameLength), cut(value, maxLabelValueLength));
  return new Map([...labels].filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function cut(bytes: ByteText, length: number): ByteText {
  return length > 0 ? bytes.slice(0, length) : bytes;
}

export function isText(labels: Labels): boolean {
  return [...labels.values()].every((value) => readable(value) !== undefined);
}

export function labelsKey(labels: Labels): string {
  return JSON.stringify([...labels]);
}

/** `name[[label,value],…]`, labels in order, for comparisons. */
export function seriesKey(name: string, labels: Record<string, string>): string {
  const pairs = Object.entries(labels)
    .filter(([, value]) => value !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}${JSON.stringify(pairs)}`;
}
