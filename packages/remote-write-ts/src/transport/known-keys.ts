// Options by name. A misspelt one must never be taken in silence: it would do nothing, and nobody would know.

import { SenderError } from '../errors/index.ts';

/** The names of all options of a type: the compiler holds the list to the type. */
export function keysOf<T>(keys: Record<keyof T, true>): readonly string[] {
  return Object.keys(keys);
}

/**
 * @param name what holds the options, such as `tls`; empty for the sender's own.
 * @param isOpen whether there may be others that aren't known here: then only what looks like a misspelt one is refused.
 * @throws SenderError `bad_option` if it isn't an object, or has an option that isn't known. The message names it, never its value.
 */
export function checkKeys(name: string, given: object, known: readonly string[], isOpen = false): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new SenderError('bad_option', `${name === '' ? 'what holds the options' : name} is not an object`);
  }
  for (const [key, value] of Object.entries(given)) {
    // What is undefined asks for nothing.
    if (value === undefined || known.includes(key)) continue;
    const meant = nearest(key, known);
    if (meant === undefined && isOpen) continue;
    const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
    throw new SenderError('bad_option', `unknown option ${name === '' ? '' : `${name}.`}${key}: ${hint}`);
  }
}

/** The known key that was probably meant: the beginning of it was written (`timeout`), or it differs in a letter or two. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const written = plain(key);
  const limit = written.length < 4 ? 0 : written.length < 8 ? 1 : 2;
  return (
    known.find((one) => written.length >= 4 && plain(one).startsWith(written)) ??
    known.find((one) => distance(written, plain(one)) <= limit)
  );
}

function plain(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, above[j]! + 1, row[j - 1]! + 1));
    }
    above = row;
  }
  return above[b.length]!;
}
