// The page for whoever brings a Tempo file: it speaks of every block that such a file has.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ROWS } from './tempo-keys/index.ts';

it('docs/reference/tempo-files.md speaks of every top-level block', () => {
  const page = readFileSync(new URL('../../docs/reference/tempo-files.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/`([\w*.-]+)/g)].map((match) => match[1]!);
  const patterns = named.map((name) => new RegExp(`^${name.split('.')[0]!.replaceAll('*', '.*')}$`));
  const blocks = new Set(ROWS.filter(({ key }) => key.includes('.')).map(({ key }) => key.split('.')[0]!));
  expect([...blocks].filter((block) => !patterns.some((pattern) => pattern.test(block)))).toEqual([]);
  expect(blocks.size).toBeGreaterThan(20);
});
