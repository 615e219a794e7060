// Walks the YAML along the schema: names unknown keys, drops ignored ones, refuses refused ones, takes a null block as absent and
// reads scalars as the type that the schema wants. What comes out is plain data for zod; every value's place is remembered.

import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import type { z } from 'zod';
import { parseDuration } from './duration.ts';
import { flatKeys, unflatten } from './legacy-overrides.ts';
import type { Path } from './problem.ts';
import { elementOf, look, optionsOf, type SchemaView, shapeOf, valueTypeOf } from './schema/inspect.ts';
import type { KeyInfo } from './schema/keys.ts';
import { nearest } from './suggest.ts';
import { type Entry, isNull, scalarText, type YamlSource } from './yaml-source.ts';

type Schema = z.core.$ZodType;

/** `whereElse` finds the places of a key that is unknown here. */
export function conform(
  source: YamlSource,
  node: Node | null,
  schema: Schema,
  whereElse: (key: string) => string[],
): unknown {
  return new Walk(source, whereElse).value(node, schema, []);
}

class Walk {
  private readonly source: YamlSource;
  private readonly whereElse: (key: string) => string[];

  constructor(source: YamlSource, whereElse: (key: string) => string[]) {
    this.source = source;
    this.whereElse = whereElse;
  }

  value(node: Node | null, schema: Schema, path: Path): unknown {
    const view = look(schema);
    switch (view.type) {
      case 'object':
        return isMap(node) ? this.object(node, view, path) : this.plain(node);
      case 'record':
        return isMap(node) ? this.record(node, view, path) : this.plain(node);
      case 'array':
        return isSeq(node) ? this.list(node.items, view, path) : this.plain(node);
      case 'union':
        return this.union(node, view, path);
      case 'string':
      case 'enum':
      case 'literal':
        return isScalar(node) ? scalarText(node) : this.plain(node);
      case 'number':
      case 'int': {
        const held = this.plain(node);
        return typeof held === 'string' && /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(held.trim())
          ? Number(held)
          : held;
      }
      case 'boolean': {
        const held = this.plain(node);
        if (typeof held !== 'string') return held;
        const lower = held.trim().toLowerCase();
        return lower === 'true' ? true : lower === 'false' ? false : held;
      }
      default:
        return this.plain(node);
    }
  }

  private plain(node: Node | null): unknown {
    if (node === null) return undefined;
    try {
      const value: unknown = node.toJS(this.source.document);
      return value instanceof Date || value instanceof Uint8Array ? scalarText(node) : value;
    } catch {
      // The YAML library stops where aliases of aliases would fill the memory.
      this.source.problem([], 'aliases multiply beyond measure');
      return undefined;
    }
  }

  private union(node: Node | null, view: SchemaView, path: Path): unknown {
    const wanted = isMap(node) ? ['object', 'record'] : isSeq(node) ? ['array'] : [];
    const option = optionsOf(view.core).find((one) => wanted.includes(look(one).type));
    return option === undefined ? this.plain(node) : this.value(node, option, path);
  }

  private list(items: readonly unknown[], view: SchemaView, path: Path): unknown[] {
    const element = elementOf(view.core);
    return items.map((item, index) => {
      const node = this.source.follow(item);
      const at = [...path, index];
      this.source.mark(at, undefined, node);
      return isNull(node) ? undefined : this.value(node, element, at);
    });
  }

  private record(map: YAMLMap, view: SchemaView, path: Path): Record<string, unknown> {
    const out: Record<string, unknown> = Object.create(null);
    for (const { key, keyNode, value } of this.source.entries(map)) {
      const at = [...path, key];
      this.source.mark(at, keyNode, value);
      if (isNull(value)) this.source.note(at, 'empty: taken as absent');
      else if (key === '__proto__') this.source.problem(at, 'this name can not be used', 'key');
      else out[key] = this.value(value, valueTypeOf(view.core), at);
    }
    return { ...out };
  }

  private object(map: YAMLMap, view: SchemaView, path: Path): Record<string, unknown> {
    const shape = shapeOf(view.core);
    const { flatShape } = view.info;
    const nested = flatShape === undefined ? map : unflatten(this.source, map, flatShape, path);
    const out: Record<string, unknown> = {};
    const seen = new Set<string>();
    for (const entry of this.source.entries(nested)) {
      const key = view.info.namedKeys === true ? entry.key.split('/')[0]! : entry.key;
      const at = [...path, key];
      if (seen.has(key)) {
        this.source.mark([...path, entry.key], entry.keyNode, entry.value);
        this.source.problem([...path, entry.key], `there can be only one ${key} here`, 'key');
        continue;
      }
      seen.add(key);
      this.source.mark(at, entry.keyNode, entry.value);
      const child = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (child === undefined) this.unlisted(entry, at, view.info, shape);
      else {
        const value = this.known(entry, child, at);
        if (value !== undefined) out[key] = value;
      }
    }
    return out;
  }

  private known(entry: Entry, schema: Schema, path: Path): unknown {
    const { info } = look(schema);
    if (isNull(entry.value)) {
      if (info.nullMeans !== undefined) return null;
      if (info.verdict === undefined) this.source.note(path, 'empty: taken as absent');
      return undefined;
    }
    if (info.verdict === undefined) return this.value(entry.value, schema, path);
    const held = this.plain(entry.value);
    const isOneOf = (values: readonly unknown[]) => values.some((one) => isSameValue(one, held));
    const isHarmless = isOneOf(info.harmless ?? []);
    if (info.verdict === 'refused') {
      if (!isHarmless) this.source.problem(path, info.why ?? 'not supported', 'key');
      return undefined;
    }
    if (info.refusedValues !== undefined && isOneOf(info.refusedValues.values)) {
      this.source.problem(path, info.refusedValues.hint);
      return undefined;
    }
    for (const inner of info.refusedInside ?? []) this.checkInside(entry.value, path, inner);
    const kind = info.harmless === undefined ? 'block' : isHarmless ? 'harmless' : 'differs';
    this.source.ignored(path, info.why ?? '', kind);
    return undefined;
  }

  /** A key deep in an ignored block. */
  private checkInside(node: Node | null, path: Path, inner: NonNullable<KeyInfo['refusedInside']>[number]): void {
    let at: Node | null = node;
    const place = [...path];
    for (const key of inner.path) {
      const entry = isMap(at) ? this.source.entries(at).find((one) => one.key === key) : undefined;
      if (entry === undefined || isNull(entry.value)) return;
      place.push(key);
      this.source.mark(place, entry.keyNode, entry.value);
      at = entry.value;
    }
    const held = this.plain(at);
    if (!inner.harmless.some((one) => isSameValue(one, held))) this.source.problem(place, inner.hint, 'key');
  }

  private unlisted(entry: Entry, path: Path, info: KeyInfo, shape: Record<string, Schema>): void {
    if (info.ignoredPatterns?.some((pattern) => pattern.test(entry.key))) {
      if (!entry.key.startsWith('x-')) this.source.ignored(path, "it tunes Tempo's processes", 'block');
      return;
    }
    const listed = Object.keys(shape).filter((key) => look(shape[key]!).info.verdict !== 'refused');
    const tenantShape = info.flatShape === 'overrides' ? shapeOf(look(shape['defaults']!).core) : shape;
    const near = nearest(entry.key, info.flatShape === undefined ? listed : [...listed, ...flatKeys(tenantShape)]);
    const elsewhere = this.whereElse(entry.key).slice(0, 2);
    let hint = '';
    if (near !== undefined) hint = `: did you mean "${near}"?`;
    else if (elsewhere.length > 0) hint = ` here; there is ${elsewhere.join(' and ')}`;
    else if (listed.length <= 16) hint = `; here are ${listed.join(', ')}`;
    this.source.problem(path, `unknown key "${entry.key}"${hint}`, 'key');
  }
}

/**
 * `"0"` and `0` are the same here, `60s` and `1m0s` too (Go prints it so), and a map in which every value is empty is as good as an empty
 * one (so Tempo prints what is not set).
 */
function isSameValue(a: unknown, b: unknown): boolean {
  const isScalar = (value: unknown): boolean => typeof value !== 'object';
  if (!isScalar(a) || !isScalar(b))
    return JSON.stringify(a) === JSON.stringify(isEmpty(b) && !Array.isArray(b) ? {} : b);
  if (String(a) === String(b)) return true;
  const [first, second] = [parseDuration(String(a)), parseDuration(String(b))];
  return 'ok' in first && 'ok' in second && first.ok === second.ok;
}

function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === '' || value === null || value === undefined;
  return Object.values(value).every(isEmpty);
}
