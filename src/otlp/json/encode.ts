// Walks a parsed OTLP/JSON request along the schema and writes it as protobuf, back to front. Must never recurse deeper than
// the schema does, and never look at a field that the schema does not name.

import { BackWriter } from './back-writer.ts';
import { OtlpJsonError, type OtlpJsonReason } from './errors.ts';
import * as scalar from './scalars.ts';
import { ANY_VALUE, type Field, type Message, REQUEST } from './schema.ts';

/** Levels of attribute values inside each other, the outermost included, beyond which a request is refused. */
export const MAX_VALUE_DEPTH = 64;

/** Thrown where a 64-bit number was too large for a double and the caller can parse the text again with all digits. */
export class DigitsLost extends Error {}

export interface EncodeSettings {
  /** The order and the empty messages of the OpenTelemetry collector's encoder instead of the canonical form. */
  collector: boolean;
  /** Throw `DigitsLost` at a 64-bit number that a double can't hold. */
  needDigits: boolean;
}

const writer = new BackWriter();
const path: (string | number)[] = [];
/** A stack of the fields of the messages that are open, `fields.length` each: filled by name, read in wire order. */
const slots: unknown[] = [];
let top = 0;
let valueDepth = 0;
let collector = false;
let needDigits = false;

/** @throws OtlpJsonError, DigitsLost */
export function encodeRequest(value: unknown, settings: EncodeSettings): Uint8Array {
  collector = settings.collector;
  needDigits = settings.needDigits;
  valueDepth = 0;
  top = 0;
  path.length = 0;
  writer.reset();
  try {
    writeMessage(value, REQUEST);
    return writer.finish();
  } finally {
    slots.length = 0;
  }
}

function fail(reason: OtlpJsonReason, what: string, field?: Field): never {
  let text = '';
  for (const part of field === undefined ? path : [...path, field.name]) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  throw new OtlpJsonError(reason, text, what);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The message's fields; its length and tag are the caller's. Null means absent. */
function writeMessage(value: unknown, message: Message): void {
  if (!isObject(value)) fail('type', 'not an object');
  const { fields, ascending, slotOf } = message;
  const count = fields.length;
  const base = top;
  top += count;
  for (let i = base; i < top; i++) slots[i] = undefined;
  for (const name in value) {
    const slot = slotOf.get(name);
    if (slot !== undefined && value[name] !== null) slots[base + slot] = value[name];
  }
  // Written back to front: the field that is to stand last comes first. The collector's encoder goes back to front through
  // the .proto file, and so puts `flags` of a span (16) between name (5) and parent_span_id (4).
  if (collector) for (let i = 0; i < count; i++) writeField(fields[i]!, slots[base + i]);
  else for (let i = count - 1; i >= 0; i--) writeField(fields[ascending[i]!]!, slots[base + ascending[i]!]);
  top = base;
}

function writeField(field: Field, value: unknown): void {
  if (value === undefined) {
    if (collector && field.always) {
      writer.byte(0);
      writer.varint(field.tag);
    }
    return;
  }
  if (!field.repeated) {
    if (field.kind === 'message' || field.kind === 'anyValue') {
      path.push(field.name);
      writeNested(field, value);
      path.pop();
    } else writeScalar(field, value, false);
    return;
  }
  if (!Array.isArray(value)) fail('type', 'not an array', field);
  path.push(field.name);
  for (let i = value.length - 1; i >= 0; i--) {
    path.push(i);
    if (field.kind === 'string') writeString(field.tag, value[i], true);
    else writeNested(field, value[i]);
    path.pop();
  }
  path.pop();
}

function writeNested(field: Field, value: unknown): void {
  const before = writer.written();
  if (field.kind === 'anyValue') writeAnyValue(value);
  else writeMessage(value, field.message!);
  writer.varint(writer.written() - before);
  writer.varint(field.tag);
}

function writeAnyValue(value: unknown): void {
  if (!isObject(value)) fail('type', 'not an object');
  let member = -1;
  let content: unknown;
  for (const name in value) {
    const slot = ANY_VALUE.slotOf.get(name);
    if (slot === undefined || value[name] === null) continue;
    if (member >= 0)
      fail('oneof', `both ${ANY_VALUE.fields[member]!.name} and ${ANY_VALUE.fields[slot]!.name} are set`);
    member = slot;
    content = value[name];
  }
  if (valueDepth === MAX_VALUE_DEPTH) fail('depth', `nested deeper than ${MAX_VALUE_DEPTH} values`);
  if (member < 0) return;
  valueDepth++;
  const field = ANY_VALUE.fields[member]!;
  if (field.kind === 'message') writeField(field, content);
  else writeScalar(field, content, true);
  valueDepth--;
}

/** `present`: a member of a oneof, written even if it is zero. */
function writeScalar(field: Field, value: unknown, present: boolean): void {
  switch (field.kind) {
    case 'string':
      if (typeof value !== 'string') fail('type', 'not a string', field);
      writeString(field.tag, value, present);
      return;
    case 'id':
      writeId(field, value);
      return;
    case 'bytes': {
      const bytes = typeof value === 'string' ? scalar.parseBase64(value) : undefined;
      if (bytes === undefined) fail('base64', 'not base64', field);
      writer.bytes(bytes);
      writer.varint(bytes.length);
      break;
    }
    case 'bool':
      if (typeof value !== 'boolean') fail('type', 'not true or false', field);
      writer.byte(value ? 1 : 0);
      break;
    case 'double': {
      const number = scalar.parseDouble(value);
      if (number === undefined) fail(typeof value === 'number' ? 'range' : 'type', 'not a double', field);
      writer.double(number);
      break;
    }
    case 'enum':
      if (!writeEnum(field, value)) return;
      break;
    default:
      if (!writeInteger(field, value, present)) return;
  }
  writer.varint(field.tag);
}

function writeString(tag: number, value: unknown, present: boolean): void {
  if (typeof value !== 'string') fail('type', 'not a string');
  if (value === '' && !present) return;
  const before = writer.written();
  writer.text(value);
  writer.varint(writer.written() - before);
  writer.varint(tag);
}

/** Ids of any length pass: what they are worth is for others to judge. The collector holds an id of zeros as an absent one. */
function writeId(field: Field, value: unknown): void {
  if (typeof value !== 'string' || !scalar.isHex(value)) fail('hex', 'not hex', field);
  const before = writer.written();
  if (!collector || /[^0]/.test(value)) {
    for (let i = value.length - 2; i >= 0; i -= 2) {
      writer.byte(scalar.hexDigit(value.charCodeAt(i)) * 16 + scalar.hexDigit(value.charCodeAt(i + 1)));
    }
  }
  const size = writer.written() - before;
  if (size === 0 && !collector) return;
  writer.varint(size);
  writer.varint(field.tag);
}

/** A number or a name; numbers that no name stands for are kept. False if it is 0 and nothing was written. */
function writeEnum(field: Field, value: unknown): boolean {
  let number = value;
  if (typeof value === 'string') {
    number = Object.hasOwn(field.names!, value) ? field.names![value] : undefined;
    if (number === undefined) fail('enum', `no value is named ${JSON.stringify(value.slice(0, 64))}`, field);
  }
  if (typeof number !== 'number' || !Number.isInteger(number)) fail('type', 'not an integer or a name', field);
  if (number < -0x80000000 || number > 0x7fffffff) fail('range', 'out of range', field);
  if (number === 0) return false;
  writer.varint64(number >>> 0, number < 0 ? 0xffffffff : 0);
  return true;
}

function writeInteger(field: Field, value: unknown, present: boolean): boolean {
  const is64 = field.kind === 'int64' || field.kind === 'fixed64';
  if (needDigits && is64 && typeof value === 'number' && !Number.isSafeInteger(value) && Number.isInteger(value)) {
    throw new DigitsLost();
  }
  const fault = scalar.parseInteger(value);
  if (fault !== undefined) fail(fault === 'out of range' ? 'range' : 'type', fault, field);
  let { low, high } = scalar;
  const zero = low === 0 && high === 0;
  if (zero && !present) return false;
  if (field.kind === 'int64') {
    const beyond = scalar.negative ? high > 0x80000000 || (high === 0x80000000 && low > 0) : high > 0x7fffffff;
    if (beyond) fail('range', 'out of range', field);
    if (scalar.negative && !zero) {
      low = -low >>> 0;
      high = (low === 0 ? -high : ~high) >>> 0;
    }
    writer.varint64(low, high);
    return true;
  }
  if (scalar.negative || (!is64 && high > 0)) fail('range', 'out of range', field);
  if (field.kind === 'fixed64') writer.fixed64(low, high);
  else if (field.kind === 'fixed32') writer.fixed32(low);
  else writer.varint(low);
  return true;
}
