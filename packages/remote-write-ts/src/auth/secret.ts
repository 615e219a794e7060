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
  /** Rejects if the file can't be read or what it holds is not legal: worth a retry, for it may be written just now. */
  read(): Promise<string>;
  /** What has been read: the latest value and the one before, whose requests may still be under way. */
  seen(): readonly string[];
}

const FILE_HELD_ILLEGAL = 'a secret read from a file is empty or illegal';

/**
 * @param legal what a value must look like.
 * @throws SenderError `bad_auth` for an inline value that isn't legal, or an environment variable that isn't set.
 */
export function secretReader(name: string, secret: Secret, legal: RegExp): SecretReader {
  if (typeof secret === 'object' && 'file' in secret) return fileReader(secret.file, legal);
  const value = typeof secret === 'string' ? secret : process.env[secret.env];
  if (value === undefined || !legal.test(value)) {
    throw new SenderError('bad_auth', `${name} is ${value === undefined ? 'not set' : 'empty or illegal'}`);
  }
  return { read: async () => value, seen: () => [value] };
}

function fileReader(path: string, legal: RegExp): SecretReader {
  let latest: string | undefined;
  let before: string | undefined;
  return {
    async read() {
      const value = (await readFile(path, 'utf8')).trim();
      if (!legal.test(value)) throw new Error(FILE_HELD_ILLEGAL);
      if (value !== latest) {
        before = latest;
        latest = value;
      }
      return value;
    },
    seen: () => [latest, before].filter((value) => value !== undefined),
  };
}
