// The golden cases: one folder each under generator/, run by the code behind `spanmill simulate DIR`. Adding a case is adding a
// folder.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/config/index.ts';
import { runCase } from '../../src/simulate/index.ts';
import { differences, type Expected } from './compare.ts';
import { DEVIATIONS, withDeviation } from './deviations.ts';
import { EXPECTED_FAILURES } from './expected-failures.ts';

const ROOT = new URL('./generator/', import.meta.url);
const CASES = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

function expectedOf(name: string): Expected {
  return JSON.parse(readFileSync(new URL(`${name}/expected.json`, ROOT), 'utf8')) as Expected;
}

function run(name: string): Expected {
  try {
    return runCase(fileURLToPath(new URL(name, ROOT)), 'golden-host') as unknown as Expected;
  } catch (error) {
    if (error instanceof ConfigError) return { error: error.message };
    throw error;
  }
}

describe('golden cases', () => {
  test('there are cases, and every name on a list is one of them, on one list only', () => {
    expect(CASES.length).toBeGreaterThanOrEqual(104);
    const listed = [...EXPECTED_FAILURES.keys(), ...DEVIATIONS.keys()];
    expect(listed.filter((name) => !CASES.includes(name))).toEqual([]);
    expect(new Set(listed).size).toBe(listed.length);
  });

  for (const name of CASES) {
    const reason = EXPECTED_FAILURES.get(name);
    const deviation = DEVIATIONS.get(name);
    if (reason !== undefined) {
      test(`${name} cannot pass yet: ${reason}`, () => {
        const found = differences(expectedOf(name), run(name));
        expect(found, `${name} now passes: take it off the list in expected-failures.ts`).not.toEqual([]);
      });
    } else if (deviation !== undefined) {
      test(`${name} gives what the deviation "${deviation.row}" says, and not what the reference does`, () => {
        const actual = run(name);
        expect(differences(withDeviation(expectedOf(name), deviation), actual)).toEqual([]);
        expect(differences(expectedOf(name), actual)).not.toEqual([]);
      });
    } else {
      test(`${name} gives what the reference gives`, () => {
        expect(differences(expectedOf(name), run(name))).toEqual([]);
      });
    }
  }
});

test('every deviation has a row in the reference', () => {
  const page = readFileSync(new URL('../../docs/reference/deviations.md', import.meta.url), 'utf8');
  for (const { row } of DEVIATIONS.values()) expect(page).toContain(`| ${row} |`);
});
