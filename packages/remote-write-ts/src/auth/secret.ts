// A secret that is given as itself, or as the place where it lies. Files are read for every request, so that a rotated one
// is used at once. Nothing here may put a secret into a message.

import { readFile } from 'node:fs/promises';
import { SenderError } from '../errors/index.ts';

/**
 * Inline, from an environment variable (read once), or from a file (read again for every request; white space around it is
 * dropped).
 */
export type Secret = string | { env: string } | { file: string };

export interface SecretReader {
  /** Rejects if the file can't be read, is empty or holds what isn't legal: worth a retry, for it may be written just now. */
  read(): Promise<string>;
  /** What has been read: the latest value and the one before, whose requests may still be under way. */
  seen(): readonly string[];
}

/**
 * @param legal what a value must look like.
 * @throws SenderError `bad_auth` for an inline value that isn't legal, an environment variable that isn't set, or what is no
 *   secret at all.
 */
export function secretReader(name: string, secret: Secret, legal: RegExp): SecretReader {
  const given: unknown = secret;
  const path = placeOf(given, 'file');
  if (path !== undefined) return fileReader(name, path, legal);
  const variable = placeOf(given, 'env');
  if (typeof given !== 'string' && variable === undefined) {
    const what = given === undefined || given === null ? 'missing' : 'no secret';
    throw new SenderError('bad_auth', `${name} is ${what}: give a string, { env: NAME } or { file: PATH }`);
  }
  const value = variable === undefined ? String(given) : process.env[variable];
  if (value === undefined) throw new SenderError('bad_auth', `${name}: the environment has no ${variable}`);
  if (!legal.test(value)) throw new SenderError('bad_auth', `${name} is empty or illegal`);
  return { read: async () => value, seen: () => [value] };
}

function placeOf(given: unknown, kind: 'file' | 'env'): string | undefined {
  const place = typeof given === 'object' && given !== null ? (given as Record<string, unknown>)[kind] : undefined;
  return typeof place === 'string' && place !== '' ? place : undefined;
}

function fileReader(name: string, path: string, legal: RegExp): SecretReader {
  let latest: string | undefined;
  let before: string | undefined;
  return {
    async read() {
      const value = (await readFile(path, 'utf8')).trim();
      // Whoever writes a file anew empties it first: a request between the two would be refused for good.
      if (value === '') throw new Error(`the file of ${name} (${path}) is empty`);
      if (!legal.test(value)) throw new Error(`the file of ${name} (${path}) holds what no header can carry`);
      if (value !== latest) {
        before = latest;
        latest = value;
      }
      return value;
    },
    seen: () => [latest, before].filter((value) => value !== undefined),
  };
}
