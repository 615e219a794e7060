// What a row says of a key, held against what was loaded. Every difference is told, not only the first one.

import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { Config, Loaded, Problem } from '../../../src/config/index.ts';
import { type Key, keysOf, load, pathText } from './fixture.ts';
import { type Found, partsOf, rowOf } from './index.ts';

export interface KeyWithRow {
  key: Key;
  found: Found;
}

/** The keys of a file and of its tenants' file. @throws where one has no row */
export function rowsOf(file: string, tenants?: string): KeyWithRow[] {
  const keys = [...keysOf(file), ...(tenants === undefined ? [] : keysOf(tenants))];
  return keys.flatMap((key) => {
    const isTenants = key.file === tenants;
    // A tenant without a block.
    if (isTenants && key.place.length === 2 && key.value === null) return [];
    const found = rowOf(key.place, isTenants);
    if (found === undefined)
      throw new Error(`${key.file}:${key.line}: ${pathText(key.place)} has no row in tempo-keys/`);
    return [{ key, found }];
  });
}

export function idOf({ row, form }: Found): string {
  return form === 'file' ? row.key : `${form}: ${row.key}`;
}

export function isQuiet({ row }: Found, { value }: Key): boolean {
  return (row.quiet ?? []).some((one) => isDeepStrictEqual(one, value));
}

/** The place in `Config`, with the items and names of the file. */
function effective(config: Config, { row, place, base }: Found): unknown {
  const own = place.slice(base.length === 0 ? 0 : 2);
  const isWild = (part: string) => part === '[]' || part === '*';
  const wild = partsOf(row.key).flatMap((part, index) => (isWild(part) ? [own[index]!] : []));
  const at = [...base, ...partsOf(row.at!).map((part) => (isWild(part) ? wild.shift()! : part))];
  return at.reduce<unknown>((value, part) => (value as Record<string | number, unknown> | undefined)?.[part], config);
}

const NOTHING = load('nothing.yaml', { text: '' }).config;

/** Does the key change what an empty file gives, or is something told of it? */
export function changesSomething({ key, found }: KeyWithRow, { config }: Loaded): boolean {
  if (found.row.verdict !== 'used' || found.row.onlyIf?.(config) === false) return false;
  if (found.row.says !== undefined && !isQuiet(found, key)) return true;
  if (found.row.at === '') return false;
  const before = found.form === 'tenant' ? undefined : effective(NOTHING, found);
  return !isDeepStrictEqual(effective(config, found), before);
}

export function checkKey(one: KeyWithRow, loaded: Loaded): void {
  const { key, found } = one;
  const { verdict } = found.row;
  if (verdict === 'used') checkUsed(one, loaded);
  else if (verdict === 'ignored') checkIgnored(one, loaded);
  else expect.soft(isQuiet(found, key), `${whereOf(one)} should have been refused`).toBe(true);
}

export function whereOf({ key, found }: KeyWithRow): string {
  return `${key.file}:${key.line}: ${pathText(found.place)}`;
}

function checkUsed(one: KeyWithRow, { config, notes }: Loaded): void {
  const { key, found } = one;
  const { row } = found;
  if (row.onlyIf?.(config) === false) return;
  if (row.at !== '') {
    const expected = row.becomes === undefined ? key.value : row.becomes(key.value);
    expect.soft(effective(config, found), whereOf(one)).toEqual(expected);
  }
  if (row.says === undefined || isQuiet(found, key)) return;
  const told = notes.filter((note) => row.says!.test(note) && note.startsWith(`${key.file}:`));
  expect.soft(told, whereOf(one)).not.toEqual([]);
}

function checkIgnored(one: KeyWithRow, { ignored, notes }: Loaded): void {
  const { key, found } = one;
  const { row, place } = found;
  const where = whereOf(one);
  const entry = ignored.find(({ file, path }) => file === key.file && path.every((part, at) => part === place[at]));
  expect.soft(entry, `${where} was passed over without a word`).toBeDefined();
  if (entry === undefined) return;
  expect.soft(entry.why, where).toMatch(row.says!);
  const kind = row.isBlock ? 'block' : isQuiet(found, key) ? 'harmless' : 'differs';
  expect.soft(entry.kind, where).toBe(kind);
  const told = notes.filter(
    (note) => note.includes(': ignored: ') && row.says!.test(note) && note.startsWith(key.file),
  );
  const name = pathText(entry.path);
  const named = told.filter(
    (note) => note.includes(`${name}:`) || note.includes(`${name},`) || note.includes(`${name} (`),
  );
  if (kind === 'harmless') expect.soft(named, where).toEqual([]);
  else if (kind === 'block') expect.soft(named, where).toHaveLength(1);
  else {
    expect.soft(positionsAbove(key), where).toContain(`${entry.line}:${entry.column}`);
    const isTold = named.some(
      (note) => note.startsWith(`${key.file}:${entry.line}:${entry.column}: `) || note.includes(`(line ${entry.line})`),
    );
    // Of the same key of many tenants, one is named.
    const isCounted = told.some((note) => note.includes(`.${entry.path.slice(2).join('.')} (and of`));
    expect.soft(isTold || isCounted, where).toBe(true);
  }
}

/** Of the key, and of every key above it: `line:column`. */
function positionsAbove({ place, positions }: Key): string[] {
  return place.flatMap((_, index) => positions.get(place.slice(0, index + 1).join('\0')) ?? []);
}

/** The message that this key has to be refused with; undefined where it hasn't. */
export function refusalOf({ key, found }: KeyWithRow): { message: RegExp; isValue: boolean } | undefined {
  const { row } = found;
  const listed = (row.refuses ?? []).find(
    ([value]) => isDeepStrictEqual(value, key.value) || (Array.isArray(key.value) && key.value.includes(value)),
  );
  if (listed !== undefined) return { message: listed[1], isValue: true };
  return row.verdict === 'refused' && !isQuiet(found, key) ? { message: row.says!, isValue: false } : undefined;
}

/** The problem that is told of this key, or of a block that it is in, at its place. */
export function checkRefused(one: KeyWithRow, message: RegExp, problems: readonly Problem[]): Problem | undefined {
  const { key, found } = one;
  const prefixes = [found.place, key.place].flatMap((place) =>
    place.map((_, index) => pathText(place.slice(0, index + 1))),
  );
  const problem = problems.find(
    ({ file, path, message: told }) =>
      file === key.file && message.test(told) && prefixes.includes(path.replace(/\[\d+\]$/, '')),
  );
  expect.soft(problem, whereOf(one)).toBeDefined();
  if (problem === undefined) return undefined;
  // The items of a list of single values have no place here.
  if (!problem.path.endsWith(']'))
    expect.soft(positionsAbove(key), whereOf(one)).toContain(`${problem.line}:${problem.column}`);
  else expect.soft(problem.line, whereOf(one)).toBeGreaterThanOrEqual(key.line);
  return problem;
}
