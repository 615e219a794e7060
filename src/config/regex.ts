// Regular expressions as the configuration writes them: RE2 (https://github.com/google/re2/wiki/Syntax). They are run on texts that
// clients choose, so they never go to JavaScript's own engine: it backtracks, and one span could stop a shard for hours.

import { RE2JS } from 're2js';

export interface Regex {
  test(text: string): boolean;
  /** The leftmost match, undefined where there is none. */
  match(text: string): RegexMatch | undefined;
}

export interface RegexMatch {
  /** The whole match, then the groups by their number; undefined: the group took no part. */
  readonly groups: readonly (string | undefined)[];
  readonly named: Readonly<Record<string, string | undefined>>;
}

/** Texts whose answers are kept for each pattern, and how long one may be: what clients send must not fill the memory. */
const REMEMBERED = 512;
const REMEMBERED_LENGTH = 256;
const NO_NAMES: RegexMatch['named'] = Object.create(null);

/**
 * One that is found anywhere in a text, as Tempo's filters are.
 * @throws SyntaxError for what RE2 refuses (look-around, back-references), with the pattern in its message.
 */
export function compileRegex(pattern: string): Regex {
  const regex = compile(pattern, pattern);
  return { test: (text) => regex.test(text), match: (text) => matchOf(regex, text) };
}

/**
 * One that is the whole of a text, line breaks included, as Prometheus compiles those of its relabelling: `^(?s:…)$`. It remembers
 * what it said of the last texts, as the series of a row bring the same ones again and again.
 * @throws SyntaxError as `compileRegex`.
 */
export function compileWholeRegex(pattern: string): Regex {
  // On its own first: brackets that close what stands around them would mean something else.
  compile(pattern, pattern);
  const regex = compile(`^(?s:${pattern})$`, pattern);
  // The engine is faster where it is told that the text is whole than where it reads it in the pattern.
  const inner = compile(`(?s:${pattern})`, pattern);
  const match = remember((text) => (inner.testExact(text) ? (matchOf(regex, text) ?? null) : null));
  return { test: remember((text) => inner.testExact(text)), match: (text) => match(text) ?? undefined };
}

function compile(source: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const why = (error as Error).message.replace(/^error parsing regexp: /, '');
    throw new SyntaxError(`"${pattern}" is no regular expression: ${why}`);
  }
}

function matchOf(regex: RE2JS, text: string): RegexMatch | undefined {
  const found = regex.exec(text) as (Array<string | undefined> & { groups?: RegexMatch['named'] }) | null;
  return found === null ? undefined : { groups: found, named: found.groups ?? NO_NAMES };
}

/** Holds between one and two times `REMEMBERED` answers: those that were not asked for in that time are forgotten. */
function remember<Answer extends object | boolean | null>(ask: (text: string) => Answer): (text: string) => Answer {
  let recent = new Map<string, Answer>();
  let before = new Map<string, Answer>();
  return (text) => {
    if (text.length > REMEMBERED_LENGTH) return ask(text);
    const known = recent.get(text);
    if (known !== undefined) return known;
    const older = before.get(text);
    const answer = older === undefined ? ask(text) : older;
    if (recent.size === REMEMBERED) {
      before = recent;
      recent = new Map();
    }
    recent.set(text, answer);
    return answer;
  };
}
