// All rows, and the way from a place in a file to its row.

import { DISTRIBUTOR } from './distributor.ts';
import { GENERATOR } from './generator.ts';
import { INGEST } from './ingest.ts';
import { LONG_GONE, OVERRIDES, scopedKey, TENANT } from './overrides.ts';
import { REMOTE_WRITE } from './remote-write.ts';
import { type Row, refused } from './row.ts';
import { SERVER } from './server.ts';
import { TOP_LEVEL } from './top-level.ts';

export { FLAT_KEYS, TENANT } from './overrides.ts';
export { braces, type Row } from './row.ts';

export const ROWS: readonly Row[] = [
  ...TOP_LEVEL,
  ...SERVER,
  ...DISTRIBUTOR,
  ...INGEST,
  ...GENERATOR,
  ...REMOTE_WRITE,
  ...OVERRIDES,
];

export type Place = readonly (string | number)[];

export interface Found {
  row: Row;
  /** The place as the scoped form has it. */
  place: Place;
  /** Where `at` begins. */
  base: Place;
  /** The flat key that was written. */
  flat?: string;
  form: 'file' | 'defaults' | 'tenant';
}

/** @param isTenants the place is in the file of the tenants */
export function rowOf(place: Place, isTenants: boolean): Found | undefined {
  const plain = place.map((part, index) =>
    typeof part === 'string' && place[index - 1] === 'receivers' ? part.split('/')[0]! : part,
  );
  if (isTenants) return inBlock(plain, plain.slice(0, 2), ['overrides', 'tenants', plain[1]!], 'tenant');
  if (plain[0] === 'overrides' && plain[1] === 'defaults')
    return inBlock(plain, plain.slice(0, 2), ['overrides', 'defaults'], 'defaults');
  const row = ROWS.find(({ key }) => matches(key, plain));
  if (row !== undefined) return { row, place: plain, base: [], form: 'file' };
  if (plain[0] !== 'overrides') return undefined;
  const isFlat =
    plain[1] === 'forwarders' || plain[1] === 'cost_attribution' || flatRow(String(plain[1])) !== undefined;
  if (!isFlat) return undefined;
  return inBlock(
    ['overrides', 'defaults', ...plain.slice(1)],
    ['overrides', 'defaults'],
    ['overrides', 'defaults'],
    'defaults',
  );
}

function inBlock(place: Place, block: Place, base: Place, form: Found['form']): Found | undefined {
  const [key, ...rest] = place.slice(block.length);
  if (key === undefined) return undefined;
  const scoped = scopedKey(String(key));
  const gone = LONG_GONE[String(key)];
  if (gone !== undefined)
    return {
      row: refused(String(key), new RegExp(`the key is gone: use ${gone}`)),
      place,
      base,
      form,
      flat: String(key),
    };
  const inner = scoped === undefined ? place.slice(block.length) : [...scoped.split('.'), ...rest];
  const row = TENANT.find((one) => matches(one.key, inner));
  if (row === undefined) return undefined;
  const isFlat = scoped !== undefined || key === 'forwarders' || key === 'cost_attribution';
  return { row, place: [...block, ...inner], base, form, ...(isFlat && { flat: String(key) }) };
}

function flatRow(key: string): string | undefined {
  return LONG_GONE[key] ?? scopedKey(key);
}

function matches(key: string, place: Place): boolean {
  const parts = partsOf(key);
  return (
    parts.length === place.length &&
    parts.every((part, index) => (part === '*' ? typeof place[index] === 'string' : same(part, place[index]!)))
  );
}

function same(part: string, at: string | number): boolean {
  return part === '[]' ? typeof at === 'number' : part === at;
}

export function partsOf(key: string): string[] {
  return key.split('.').flatMap((part) => (part.endsWith('[]') ? [part.slice(0, -2), '[]'] : [part]));
}
