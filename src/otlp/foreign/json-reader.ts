// Reads fields of parsed JSON and knows the path to each, so that whatever is wrong can be named. Null is absent. Must never look at
// a field that it is not asked for.

import { jsonScalars } from '../json/index.ts';
import { RecordDecodeError, type RecordEncoding, type RecordFault } from './errors.ts';

export type JsonObject = Record<string, unknown>;

const decoder = new TextDecoder();
const MAX_NAME = 64;

export class JsonReader {
  readonly #encoding: RecordEncoding;
  readonly #path: (string | number)[] = [];

  constructor(encoding: RecordEncoding) {
    this.#encoding = encoding;
  }

  /** Bytes that are not UTF-8 become U+FFFD. */
  parse(bytes: Uint8Array): unknown {
    try {
      return JSON.parse(decoder.decode(bytes));
    } catch (error) {
      const syntax = error instanceof SyntaxError;
      return this.fail(
        syntax ? 'syntax' : 'depth',
        syntax ? `not JSON: ${error.message.slice(0, 200)}` : 'nested too deeply',
        error,
      );
    }
  }

  fail(reason: RecordFault, what: string, cause?: unknown): never {
    let where = '';
    for (const part of this.#path) {
      // Keys of a map are part of a path, and may be as long as the sender likes.
      if (typeof part === 'number') where += `[${part}]`;
      else where += (where === '' ? '' : '.') + part.slice(0, MAX_NAME);
    }
    throw new RecordDecodeError(this.#encoding, reason, where || 'body', what, { cause });
  }

  /** Like `fail`, of a field of the object that is being read. */
  failAt(name: string, reason: RecordFault, what: string): never {
    this.#path.push(name);
    return this.fail(reason, what);
  }

  object(value: unknown): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail('type', 'not an object');
    return value as JsonObject;
  }

  /** Calls `read` with each element of an array. */
  each(value: unknown, read: (element: unknown) => void): void {
    if (!Array.isArray(value)) this.fail('type', 'not an array');
    for (let i = 0; i < value.length; i++) {
      this.#path.push(i);
      read(value[i]);
      this.#path.pop();
    }
  }

  /** Calls `read` with each element of the array `name` of `object`, if it is there. */
  list(object: JsonObject, name: string, read: (element: unknown) => void): void {
    const value = field(object, name);
    if (value === undefined) return;
    this.#path.push(name);
    this.each(value, read);
    this.#path.pop();
  }

  /** What `read` makes of the object `name`, if it is there. */
  child<T>(object: JsonObject, name: string, read: (child: JsonObject) => T): T | undefined {
    const value = field(object, name);
    if (value === undefined) return undefined;
    this.#path.push(name);
    const result = read(this.object(value));
    this.#path.pop();
    return result;
  }

  optionalText(object: JsonObject, name: string): string | undefined {
    const value = field(object, name);
    if (value !== undefined && typeof value !== 'string') this.failAt(name, 'type', 'not a string');
    return value as string | undefined;
  }

  text(object: JsonObject, name: string): string {
    return this.optionalText(object, name) ?? '';
  }

  flag(object: JsonObject, name: string): boolean {
    const value = field(object, name) ?? false;
    if (typeof value !== 'boolean') this.failAt(name, 'type', 'not true or false');
    return value as boolean;
  }

  /** A number or a decimal string, as protobuf's JSON mapping has them; 0 if absent. */
  integer(object: JsonObject, name: string): bigint {
    const value = field(object, name);
    if (value === undefined) return 0n;
    const fault = jsonScalars.parseInteger(value);
    if (fault !== undefined) this.failAt(name, fault === 'out of range' ? 'range' : 'type', fault);
    const magnitude = (BigInt(jsonScalars.high) << 32n) | BigInt(jsonScalars.low);
    return jsonScalars.negative ? -magnitude : magnitude;
  }

  double(object: JsonObject, name: string): number {
    const value = field(object, name);
    if (value === undefined) return 0;
    const number = jsonScalars.parseDouble(value);
    return number ?? this.failAt(name, 'type', 'not a double');
  }

  /** A number or a name; numbers that no name stands for are kept. 0 if absent. */
  enumeration(object: JsonObject, name: string, names: ReadonlyMap<string, number>): number {
    const value = field(object, name) ?? 0;
    if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31) return value;
    if (typeof value !== 'string') return this.failAt(name, 'type', 'not an integer or a name');
    const number = names.get(value);
    return number ?? this.failAt(name, 'enum', `no value is named ${JSON.stringify(value.slice(0, 64))}`);
  }

  base64(object: JsonObject, name: string): Uint8Array {
    const bytes = jsonScalars.parseBase64(this.text(object, name));
    return bytes ?? this.failAt(name, 'base64', 'not base64');
  }
}

const originalNames = new Map<string, string>();

/** By its lowerCamelCase name, or by its name in the .proto file (ProtoJSON format: parsers accept both). */
function field(object: JsonObject, name: string): unknown {
  let value = object[name];
  if (value === undefined) {
    let original = originalNames.get(name);
    if (original === undefined) {
      original = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      originalNames.set(name, original);
    }
    value = object[original];
  }
  return value === null ? undefined : value;
}
