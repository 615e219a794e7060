// Whole files as they are written for Tempo, key by key: what is used has its effect, what is ignored is told with its reason, what is
// refused is refused at its place. `tempo-keys/` says what becomes of each key; no key of a fixture may be without a row there.

import { describe, expect, it } from 'vitest';
import { ConfigError, type Problem } from '../../src/config/index.ts';
import { changesSomething, checkKey, checkRefused, idOf, refusalOf, rowsOf } from './tempo-keys/checks.ts';
import { load } from './tempo-keys/fixture.ts';
import { FLAT_KEYS, ROWS, type Row, TENANT } from './tempo-keys/index.ts';

/** Files that load, and the one of the tenants beside each. */
const LOADED: { file: string; tenants?: string }[] = [
  { file: 'monolithic.yaml' },
  { file: 'distributed-kafka.yaml', tenants: 'distributed-kafka.tenants.yaml' },
  { file: 'helm.yaml', tenants: 'helm.tenants.yaml' },
  { file: 'defaults.yaml' },
  { file: 'generator.yaml' },
  { file: 'remote-write.yaml' },
  { file: 'overrides.yaml', tenants: 'overrides.tenants.yaml' },
  { file: 'legacy.yaml', tenants: 'legacy.tenants.yaml' },
  { file: 'tempo-2.yaml' },
  { file: 'collector-kafka.yaml' },
  { file: 'collector-kafka-older.yaml' },
  { file: 'zipkin.yaml' },
];
const REFUSED = { file: 'refused.yaml', tenants: 'refused.tenants.yaml' };

function problemsOf(file: string): readonly Problem[] {
  try {
    load(file);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe.each(LOADED)('$file', ({ file, tenants }) => {
  it('loads, and each of its keys is used, or ignored with a word', () => {
    const loaded = load(file);
    for (const one of rowsOf(file, tenants)) checkKey(one, loaded);
  });

  it('has no secret in what is told', () => {
    expect(load(file).notes.join('\n')).not.toContain('not-a-real');
  });
});

describe(REFUSED.file, () => {
  it('is refused with file, line, column, key and reason for each of its keys, and for nothing else', () => {
    const problems = problemsOf(REFUSED.file);
    const explained = rowsOf(REFUSED.file, REFUSED.tenants).map((one) => {
      const refusal = refusalOf(one);
      // Keys that a refused one can't be without.
      return refusal === undefined ? undefined : checkRefused(one, refusal.message, problems);
    });
    expect(problems.filter((problem) => !explained.includes(problem))).toEqual([]);
  });
});

describe('a file with nothing but defaults', () => {
  const { notes, ignored } = load('defaults.yaml');

  it('gets no word for any single key', () => {
    expect(ignored.filter(({ kind }) => kind === 'differs')).toEqual([]);
    expect(notes.filter((note) => /^defaults\.yaml:\d+:\d+:.*ignored/.test(note))).toEqual([]);
  });

  it('is told in one line how many of its keys have no effect', () => {
    const told = notes.filter((note) => /: \d+ keys have no effect here and need none/.test(note));
    expect(told).toEqual([expect.stringMatching(/: stream_over_http_enabled, .* and \d+ more$/)]);
  });
});

describe('the table of keys', () => {
  const places = [
    ...ROWS.map((row) => ({ row, form: 'file' as const })),
    ...(['defaults', 'tenant'] as const).flatMap((form) => TENANT.map((row) => ({ row, form }))),
  ].map(({ row, form }) => ({ row, id: idOf({ row, form, place: [], base: [] }) }));
  const loaded = LOADED.flatMap(({ file, tenants }) => {
    const result = load(file);
    return rowsOf(file, tenants).map((one) => ({ ...one, result }));
  });
  const refused = rowsOf(REFUSED.file, REFUSED.tenants).filter((one) => refusalOf(one) !== undefined);
  const missing = (wanted: (row: Row) => boolean, seen: ReadonlySet<string>) =>
    places.filter(({ row, id }) => wanted(row) && !seen.has(id)).map(({ id }) => id);

  /** A list or a map: where it isn't empty, its keys have rows of their own. */
  const isOnlyEmpty = ({ key }: Row) =>
    places.some(({ row }) => row.key.startsWith(`${key}.`) || row.key.startsWith(`${key}[]`));

  it('has no row that no file has: neither in the file, nor in the defaults, nor in the block of a tenant', () => {
    const seen = new Set([...loaded, ...refused].map(({ found }) => idOf(found)));
    expect(missing(() => true, seen)).toEqual([]);
  });

  it('has no key that is used and is never seen to change anything', () => {
    const seen = new Set(loaded.filter((one) => changesSomething(one, one.result)).map(({ found }) => idOf(found)));
    expect(missing((row) => row.verdict === 'used' && !isOnlyEmpty(row), seen)).toEqual([]);
  });

  it('has no refused key or value that is never seen to be refused', () => {
    const seen = new Set(refused.map(({ found }) => idOf(found)));
    const values = new Set(refused.filter((one) => refusalOf(one)!.isValue).map(({ found }) => idOf(found)));
    expect(missing((row) => row.verdict === 'refused' && !isOnlyEmpty(row), seen)).toEqual([]);
    expect(missing((row) => row.refuses !== undefined, values)).toEqual([]);
  });

  it('has every flat key of older files', () => {
    const seen = new Set([...loaded, ...refused].map(({ found }) => found.flat));
    expect(FLAT_KEYS.filter((key) => !seen.has(key))).toEqual([]);
  });
});
