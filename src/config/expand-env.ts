// `-config.expand-env`: environment variables in the raw text, before YAML sees it. A form whose meaning differs between shells,
// collectors and envsubst is refused with the spelling to use instead; it is never guessed at.

export interface ExpandProblem {
  offset: number;
  message: string;
}

export interface Expanded {
  text: string;
  problems: ExpandProblem[];
  /** Variables without a value and without a default; they have become nothing. */
  unset: { offset: number; name: string }[];
  /** From an offset in `text` to the one in the text before: of what a variable held, the variable's. */
  originalOffset(offset: number): number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** What one run collects. Of `pieces` each begins at `out` in the new text and came from `from`; a literal one advances with it. */
interface Run {
  env: Env;
  problems: ExpandProblem[];
  unset: Expanded['unset'];
}

interface Piece {
  out: number;
  from: number;
  isLiteral: boolean;
}

/** The text with `${X}`, `${X:default}`, `${X:-d}`, `${X:=d}`, `${X=d}` (nesting) replaced and `$$` as `$`. Whole-line comments stay as they are. */
export function expandEnv(text: string, env: Env): Expanded {
  const run: Run = { env, problems: [], unset: [] };
  const pieces: Piece[] = [];
  let out = '';
  let offset = 0;
  const add = (piece: string, from: number, isLiteral: boolean) => {
    pieces.push({ out: out.length, from, isLiteral });
    out += piece;
  };
  for (const line of text.split(/(?<=\n)/)) {
    if (line.trimStart().startsWith('#')) add(line, offset, true);
    else eachPart(line, offset, run, add);
    offset += line.length;
  }
  return { text: out, problems: run.problems, unset: run.unset, originalOffset: (at) => originalOffset(pieces, at) };
}

function originalOffset(pieces: readonly Piece[], offset: number): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pieces[middle]!.out <= offset) low = middle + 1;
    else high = middle;
  }
  const piece = pieces[low - 1];
  if (piece === undefined) return offset;
  return piece.isLiteral ? piece.from + offset - piece.out : piece.from;
}

/** Hands on the text as it is and what stands for a `${…}` in turn. */
function eachPart(
  text: string,
  base: number,
  run: Run,
  add: (piece: string, from: number, isLiteral: boolean) => void,
): void {
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0) break;
    if (dollar > at) add(text.slice(at, dollar), base + at, true);
    const next = text[dollar + 1];
    if (next === '{') {
      const end = closingBrace(text, dollar + 2);
      if (end < 0) {
        const message = '"${" has no closing brace; a literal one is written $${';
        run.problems.push({ offset: base + dollar, message });
        at = dollar;
        break;
      }
      add(substitute(text.slice(dollar + 2, end), base + dollar, run), base + dollar, false);
      at = end + 1;
    } else {
      add('$', base + dollar, true);
      at = dollar + (next === '$' ? 2 : 1);
    }
  }
  if (at < text.length) add(text.slice(at), base + at, true);
}

function closingBrace(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++;
    else if (text[at] === '}' && depth-- === 0) return at;
  }
  return -1;
}

function substitute(body: string, offset: number, run: Run): string {
  const refuse = (message: string): string => {
    run.problems.push({ offset, message: `\${${body}}: ${message}` });
    return '';
  };
  if (body === '') return refuse('no variable is named');
  if (/^\d+$/.test(body)) return refuse(`a regex group would vanish here: write $\${${body}}`);
  if (/^env:/.test(body)) return refuse(`write \${${body.slice(4)}}`);
  const match = /^([A-Za-z_]\w*)(.*)$/s.exec(body);
  if (match === null) return refuse('a variable is named with letters, digits and _');
  const [, name, rest] = match as unknown as [string, string, string];
  const value = run.env[name] ?? '';
  if (rest === '') {
    if (run.env[name] === undefined) run.unset.push({ offset, name });
    return value;
  }
  if (rest.startsWith(':?')) {
    return refuse(
      `":?" is a default in envsubst and an error text in a shell: write \${${name}} or \${${name}:-default}`,
    );
  }
  if (rest.startsWith(':+')) {
    return refuse(`":+" is a default in envsubst and an alternative in a shell: write \${${name}:-default}`);
  }
  if (/^:\d+:\d+$/.test(rest)) return refuse(`substrings are not supported: set ${name} to what you need`);
  const fallback = /^(?::[-=]|:|=)/.exec(rest);
  if (fallback === null) {
    if (rest.startsWith('-')) return refuse(`write \${${name}:-${rest.slice(1)}}`);
    return refuse(`only defaults are supported, as in \${${name}:-default}`);
  }
  // The default is looked into even where it isn't used: a mistake in it should not wait for the variable to be unset.
  const text = rest.slice(fallback[0].length);
  let fallbackText = '';
  const inner: Run = { ...run, unset: value === '' ? run.unset : [] };
  eachPart(text, offset + 2 + name.length + fallback[0].length, inner, (piece) => {
    fallbackText += piece;
  });
  return value === '' ? fallbackText : value;
}

/** The first `${NAME` that is still in a text that was not expanded. */
export function unexpandedVariable(text: string): { name: string; offset: number } | undefined {
  for (const match of text.matchAll(/\$\{([A-Za-z_]\w*)/g)) {
    const lineStart = text.lastIndexOf('\n', match.index) + 1;
    if (text[match.index - 1] === '$' || text.slice(lineStart).trimStart().startsWith('#')) continue;
    return { name: match[1]!, offset: match.index };
  }
  return undefined;
}
