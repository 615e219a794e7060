// The string form of an attribute value, as Tempo's labels spell it: doubles without exponents, arrays and maps without
// separators, bytes empty. Runs once per distinct value, so it may allocate.

import { doubleText } from '../bytes/index.ts';
import { at, length, skip, tagAt, varint } from './wire.ts';

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

/** String form of the AnyValue in [pos, end) as UTF-8 (or whatever bytes a string value holds). */
export function valueText(buf: Uint8Array, pos: number, end: number): Uint8Array {
  let text: Uint8Array = EMPTY;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    const from = pos;
    if (tag % 8 === 2) {
      const n = length(buf, pos, end);
      const body = at;
      pos = body + n;
      if (tag === 10) text = buf.subarray(body, pos);
      else if (tag === 42) text = listText(buf, body, pos, false);
      else if (tag === 50) text = listText(buf, body, pos, true);
      else if (tag === 58) text = EMPTY;
      continue;
    }
    pos = skip(buf, tag, pos, end);
    if (tag === 16) text = encoder.encode(varint(buf, from, end) === 0 ? 'false' : 'true');
    else if (tag === 24) text = encoder.encode(int64Text(buf, from, end));
    else if (tag === 33) text = encoder.encode(doubleText(readDouble(buf, from)));
    else if (tag === 64) text = EMPTY;
  }
  return text;
}

function listText(buf: Uint8Array, pos: number, end: number, map: boolean): Uint8Array {
  const parts: Uint8Array[] = [encoder.encode(map ? '{' : '[')];
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag !== 10) {
      pos = skip(buf, tag, pos, end);
      continue;
    }
    const n = length(buf, pos, end);
    const from = at;
    pos = from + n;
    if (map) parts.push(...pairText(buf, from, pos));
    else parts.push(valueText(buf, from, pos));
  }
  parts.push(encoder.encode(map ? '}' : ']'));
  return Buffer.concat(parts);
}

function pairText(buf: Uint8Array, pos: number, end: number): Uint8Array[] {
  let key: Uint8Array = EMPTY;
  let value: Uint8Array = EMPTY;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag !== 10 && tag !== 18) {
      pos = skip(buf, tag, pos, end);
      continue;
    }
    const n = length(buf, pos, end);
    const from = at;
    pos = from + n;
    if (tag === 10) key = buf.subarray(from, pos);
    else value = valueText(buf, from, pos);
  }
  return [key, encoder.encode(':'), value];
}

function int64Text(buf: Uint8Array, pos: number, end: number): string {
  const small = varint(buf, pos, end);
  if (small < 2 ** 53) return String(small);
  let value = 0n;
  for (let shift = 0n, p = pos; p < at; p++, shift += 7n) value |= BigInt(buf[p]! & 127) << shift;
  return String(BigInt.asIntN(64, value));
}

function readDouble(buf: Uint8Array, pos: number): number {
  return new DataView(buf.buffer, buf.byteOffset, buf.length).getFloat64(pos, true);
}

/** Where the value of the member begins that `memberOf` found last. */
export let memberStart = 0;

/** Tag of the member that the AnyValue in [pos, end) holds, 0 for none: of several the last counts, unknown fields don't. */
export function memberOf(buf: Uint8Array, pos: number, end: number): number {
  let member = 0;
  while (pos < end) {
    const tag = tagAt(buf, pos, end);
    pos = at;
    if (tag < 72) {
      member = tag;
      memberStart = pos;
    }
    pos = skip(buf, tag, pos, end);
  }
  return member;
}

/** The AnyValue's string member, if it is a string: what filters and host identifiers look at. */
export function stringValue(buf: Uint8Array, pos: number, end: number): Uint8Array | undefined {
  if (memberOf(buf, pos, end) !== 10) return undefined;
  const n = length(buf, memberStart, end);
  return buf.subarray(at, at + n);
}

/** Its bool member; false if it is none. */
export function boolValue(buf: Uint8Array, pos: number, end: number): boolean {
  return memberOf(buf, pos, end) === 16 && varint(buf, memberStart, end) !== 0;
}

/** Its int member (above 2^53 the nearest double); 0 if it is none. */
export function intValue(buf: Uint8Array, pos: number, end: number): number {
  return memberOf(buf, pos, end) === 24 ? Number(int64Text(buf, memberStart, end)) : 0;
}

/** Its double member; 0 if it is none. */
export function doubleValue(buf: Uint8Array, pos: number, end: number): number {
  return memberOf(buf, pos, end) === 33 ? readDouble(buf, memberStart) : 0;
}
