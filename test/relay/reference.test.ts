import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { USAGE } from '../../src/relay/options.ts';
import { OWN_METRICS } from '../../src/relay/own-metrics.ts';

const page = readFileSync(new URL('../../docs/reference/rw-relay.md', import.meta.url), 'utf8');

it('the reference page lists exactly the metrics that exist', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `spanmill_relay_'));
  expect(rows).toEqual(
    OWN_METRICS.map(
      ({ name, type, label, help }) => `| \`${name}\` | ${type} | ${label ? `\`${label}\`` : '–'} | ${help} |`,
    ),
  );
});

it('the flags that the reference page names exist', () => {
  const flags = [...page.matchAll(/--[a-z][\w.-]+/g)].map(([flag]) => flag).filter((flag) => flag !== '--help');
  expect(flags.length).toBeGreaterThan(5);
  for (const flag of flags) expect(USAGE).toContain(flag);
});
