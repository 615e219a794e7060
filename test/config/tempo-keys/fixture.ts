// A fixture as data: each key that it has, with its value and its place in the text. Reads the YAML by itself, so that places are
// checked against something else than what is tested.

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { type Loaded, type LoadOptions, loadConfig } from '../../../src/config/index.ts';
import type { Place } from './index.ts';

export const FIXTURES = join(import.meta.dirname, '../fixtures/tempo');

export interface Key {
  file: string;
  place: Place;
  value: unknown;
  /** Of the key, or of the item of a list. */
  line: number;
  column: number;
  /** `line:column` of the key and of the value at each place above it, too. */
  positions: ReadonlyMap<string, readonly string[]>;
}

export function textOf(file: string): string {
  return readFileSync(join(FIXTURES, file), 'utf8');
}

/** Loads a fixture as `-config.file` does; files that it names are looked for beside it. */
export function load(file: string, more: LoadOptions = {}): Loaded {
  const readFile = (path: string) => textOf(basename(path));
  return loadConfig({ path: file, readFile, env: {}, ...more });
}

/** Single values, lists of single values and whatever is empty. */
export function keysOf(file: string): Key[] {
  const lines = new LineCounter();
  const document = parseDocument(textOf(file), { version: '1.1', merge: true, lineCounter: lines });
  const positions = new Map<string, string[]>();
  const found: Key[] = [];
  const position = (node: Node): { line: number; column: number } => {
    const { line, col } = lines.linePos(node.range![0]);
    return { line, column: col };
  };
  const walk = (node: Node | null, place: Place, at: Node): void => {
    const places = [at, node].filter((one) => one !== null).map((one) => Object.values(position(one)).join(':'));
    positions.set(place.join('\0'), places);
    const isDeeper = isMap(node) ? node.items.length > 0 : isSeq(node) && node.items.some((item) => !isScalar(item));
    if (!isDeeper) found.push({ file, place, value: node?.toJS(document), ...position(at), positions });
    else if (isMap(node))
      for (const { key, value } of node.items) walk(value as Node | null, [...place, String(key)], key as Node);
    else if (isSeq(node))
      for (const [index, item] of node.items.entries()) walk(item as Node, [...place, index], item as Node);
  };
  const root = document.contents;
  if (isMap(root))
    for (const { key, value } of root.items)
      walk(value as unknown as Node | null, [String(key)], key as unknown as Node);
  return found;
}

/** `a.b[0].c`, as problems and notes write it. */
export function pathText(place: Place): string {
  return place.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[\w*-]+$/.test(part)) return `${text}["${part}"]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
