// Patterns of attribute names as the collector writes them (https://pkg.go.dev/github.com/gobwas/glob with the separator `.`),
// translated to regular expressions.

import { compileWholeRegex } from '../regex.ts';
import type { OtelGlob } from '../tenant.ts';

/** @returns the pattern, or why it is none */
export function parseGlob(glob: string): OtelGlob | { error: string } {
  let pattern = '';
  let depth = 0;
  for (let i = 0; i < glob.length; i++) {
    const c = glob[i]!;
    if (c === '*') {
      const isAny = glob[i + 1] === '*';
      pattern += isAny ? '.*' : '[^.]*';
      if (isAny) i++;
    } else if (c === '?') pattern += '[^.]';
    else if (c === '[') {
      const end = classEnd(glob, i + 1);
      if (end < 0) return { error: 'a [ without its ]' };
      const members = classPattern(glob.slice(i + 1, end));
      if (members === undefined) return { error: `[${glob.slice(i + 1, end)}] is no class of characters` };
      pattern += members;
      i = end;
    } else if (c === '{') {
      depth++;
      pattern += '(?:';
    } else if (c === '}' && depth > 0) {
      depth--;
      pattern += ')';
    } else if (c === ',' && depth > 0) pattern += '|';
    else if (c === '\\') {
      if (++i === glob.length) return { error: 'a \\ at the end' };
      pattern += quoted(glob[i]!);
    } else pattern += quoted(c);
  }
  if (depth > 0) return { error: 'a { without its }' };
  try {
    compileWholeRegex(pattern);
  } catch (error) {
    return { error: (error as Error).message };
  }
  return { glob, pattern };
}

export function globMatches({ pattern }: OtelGlob, name: string): boolean {
  return compileWholeRegex(pattern).test(name);
}

/** Index of the `]`, or -1. */
function classEnd(glob: string, start: number): number {
  for (let i = start; i < glob.length; i++) {
    if (glob[i] === '\\') i++;
    else if (glob[i] === ']') return i;
  }
  return -1;
}

/** Undefined where it has no members, or a range that runs backwards. */
function classPattern(text: string): string | undefined {
  const isNot = text.startsWith('!');
  const members = [...text.slice(isNot ? 1 : 0).matchAll(/\\(.)|(.)-(.)|(.)/gsu)];
  if (members.length === 0) return undefined;
  let pattern = '';
  for (const [, escaped, from, to, one] of members) {
    if (from !== undefined && from > to!) return undefined;
    pattern += from === undefined ? quoted(escaped ?? one!) : `${quoted(from)}-${quoted(to!)}`;
  }
  return `[${isNot ? '^' : ''}${pattern}]`;
}

function quoted(c: string): string {
  return /[\\^$.*+?()[\]{}|/&~!#%,:;<=>@`'"-]/.test(c) ? `\\x{${c.codePointAt(0)!.toString(16)}}` : c;
}
