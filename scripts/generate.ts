// Writes every file that is made from code. `--check` writes nothing and fails if one of them is not what the code says.
// Another generator is another line in GENERATORS.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configArtifacts } from './config-docs.ts';
import { semconvArtifacts } from './semconv-docs.ts';

export interface Artifact {
  /** From the root of the repository. */
  path: string;
  text: string;
}

const GENERATORS: readonly (() => Artifact[])[] = [configArtifacts, semconvArtifacts];

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');
for (const { path, text } of GENERATORS.flatMap((generate) => generate())) {
  const file = join(root, path);
  if (!check) writeFileSync(file, text);
  else if (read(file) !== text) {
    console.error(`${path} is stale: npm run generate`);
    process.exitCode = 1;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
