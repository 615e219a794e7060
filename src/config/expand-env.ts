// `-config.expand-env`: environment variables in the raw text, before YAML sees it. A form whose meaning differs between shells,
// collectors and envsubst is refused with the spelling to use instead; it is never guessed at.

export interface ExpandProblem {
  offset: number;
  message: string;
}

/** The text with `${X}`, `${X:default}`, `${X:-d}`, `${X:=d}`, `${X=d}` (nesting) replaced and `$$` as `$`. Whole-line comments stay as they are. */
export function expandEnv(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): { text: string; problems: ExpandProblem[] } {
  const problems: ExpandProblem[] = [];
  let out = '';
  let offset = 0;
  for (const line of text.split(/(?<=\n)/)) {
    out += line.trimStart().startsWith('#') ? line : expandPart(line, offset, env, problems);
    offset += line.length;
  }
  return { text: out, problems };
}

function expandPart(
  text: string,
  base: number,
  env: Readonly<Record<string, string | undefined>>,
  problems: ExpandProblem[],
): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0) return out + text.slice(at);
    out += text.slice(at, dollar);
    const next = text[dollar + 1];
    if (next === '$') {
      out += '$';
      at = dollar + 2;
    } else if (next === '{') {
      const end = closingBrace(text, dollar + 2);
      if (end < 0) {
        problems.push({ offset: base + dollar, message: '"${" has no closing brace; a literal one is written $${' });
        return out + text.slice(dollar);
      }
      out += substitute(text.slice(dollar + 2, end), base + dollar, env, problems);
      at = end + 1;
    } else {
      out += '$';
      at = dollar + 1;
    }
  }
  return out;
}

function closingBrace(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++;
    else if (text[at] === '}' && depth-- === 0) return at;
  }
  return -1;
}

function substitute(
  body: string,
  offset: number,
  env: Readonly<Record<string, string | undefined>>,
  problems: ExpandProblem[],
): string {
  const refuse = (message: string): string => {
    problems.push({ offset, message: `\${${body}}: ${message}` });
    return '';
  };
  if (body === '') return refuse('no variable is named');
  if (/^\d+$/.test(body)) return refuse(`a regex group would vanish here: write $\${${body}}`);
  if (/^env:/.test(body)) return refuse(`write \${${body.slice(4)}}`);
  const match = /^([A-Za-z_]\w*)(.*)$/s.exec(body);
  if (match === null) return refuse('a variable is named with letters, digits and _');
  const [, name, rest] = match as unknown as [string, string, string];
  const value = env[name] ?? '';
  if (rest === '') return value;
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
  const expanded = expandPart(text, offset + 2 + name.length + fallback[0].length, env, problems);
  return value === '' ? expanded : value;
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
