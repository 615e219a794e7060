// Who may import whom (docs/architecture.md has the same table), and through which doors.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = new URL('../../src', import.meta.url).pathname;

const MAY_IMPORT: Record<string, readonly string[]> = {
  bytes: [],
  config: [],
  telemetry: ['shard', 'log', 'receivers'],
  otlp: ['bytes'],
  log: [],
  registry: ['bytes'],
  processors: ['bytes', 'otlp', 'registry'],
  servicegraph: ['bytes', 'otlp', 'processors', 'registry'],
  fold: ['otlp', 'processors', 'registry', 'servicegraph'],
  ledger: ['registry'],
  shard: ['bytes', 'fold', 'ledger', 'log', 'otlp', 'registry'],
  receivers: ['log', 'otlp'],
  generate: [],
  simulate: ['fold', 'otlp', 'registry'],
  bench: ['fold', 'otlp', 'simulate'],
  api: ['shard', 'receivers', 'log'],
  relay: [],
};
const EVERYBODY_MAY = ['config', 'telemetry'];
/** Folders inside a folder that have a door of their own. */
const INNER_DOORS = ['otlp/foreign', 'otlp/json', 'otlp/split'];
/** What everybody may import of these is their types only. */
const TYPES_ONLY: Record<string, readonly string[]> = {
  telemetry: ['shard', 'log', 'receivers'],
  api: ['shard', 'log'],
};

interface Import {
  file: string;
  from: string;
  to: string;
  typeOnly: boolean;
}

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? sources(path) : entry.name.endsWith('.ts') ? [path] : [];
  });
}

const imports: Import[] = sources(SRC).flatMap((path) => {
  const file = relative(SRC, path);
  return [...readFileSync(path, 'utf8').matchAll(/^(?:import|export)(\s+type)?\b[^;]*?from '(\.[^']+)';$/gms)].map(
    (match) => ({
      file,
      from: file.includes('/') ? file.split('/')[0]! : '',
      to: relative(SRC, resolve(dirname(path), match[2]!)),
      typeOnly: match[1] !== undefined,
    }),
  );
});
const between = imports.filter(({ from, to }) => from !== '' && to.includes('/') && to.split('/')[0] !== from);

describe('the folders of src', () => {
  it('are all in the table, and the table has no others', () => {
    const folders = readdirSync(SRC, { withFileTypes: true })
      .filter((e) => e.isDirectory())
      .map((e) => e.name);
    expect(Object.keys(MAY_IMPORT).sort()).toEqual(folders.sort());
  });

  it('import only what the table allows them', () => {
    const wrong = between.filter(
      ({ from, to }) => ![...MAY_IMPORT[from]!, ...EVERYBODY_MAY].includes(to.split('/')[0]!),
    );
    expect(wrong).toEqual([]);
  });

  it('import no more than types where the table says so', () => {
    const wrong = between.filter(
      ({ from, to, typeOnly }) => !typeOnly && (TYPES_ONLY[from] ?? []).includes(to.split('/')[0]!),
    );
    expect(wrong).toEqual([]);
  });

  it('are entered by their doors only', () => {
    const isDoor = (to: string) =>
      /^[a-z-]+\/index\.ts$/.test(to) || INNER_DOORS.some((door) => to === `${door}/index.ts`);
    expect(between.filter(({ to }) => !isDoor(to))).toEqual([]);
  });

  it('never import the wiring', () => {
    const wiring = ['app.ts', 'cli.ts', 'serve.ts', 'demo.ts', 'shard-plan.ts', 'endpoint-plan.ts', 'receiver-set.ts'];
    expect(imports.filter(({ from, to }) => from !== '' && wiring.includes(to))).toEqual([]);
  });

  it('below the shard read no clock and no random number', () => {
    const pure = ['bytes', 'otlp', 'registry', 'processors', 'servicegraph', 'fold'];
    const impure =
      /Date\.now|new Date\(\)|performance\.now|Math\.random|Math\.(sin|cos|tan|exp|log|pow)\b|toLocale|localeCompare/;
    const wrong = pure
      .flatMap((folder) => sources(join(SRC, folder)))
      .filter((path) => impure.test(readFileSync(path, 'utf8')));
    expect(wrong.map((path) => relative(SRC, path))).toEqual([]);
  });
});
