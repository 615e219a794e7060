// What is wrong with a configuration and where; what is worth saying though nothing is wrong. Problems are collected, never thrown
// one by one.

export interface Problem {
  file: string;
  /** From 1; 0 where the problem has no place in the text. */
  line: number;
  column: number;
  path: string;
  message: string;
}

/** Thrown once, with everything that is wrong, in the order of the text. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    const sorted = [...problems].sort((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : 0));
    super(sorted.map(problemLine).join('\n'));
    this.name = 'ConfigError';
    this.problems = sorted;
  }
}

/** `file:line:column: path: message`. */
export function problemLine(problem: Problem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  return problem.path === '' ? `${place}: ${problem.message}` : `${place}: ${problem.path}: ${problem.message}`;
}

export type Path = readonly (string | number)[];

/** `a.b[0].c`; keys that a dot would blur are quoted. */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w*-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** An accepted key that does nothing here. */
export interface IgnoredKey {
  path: Path;
  why: string;
  /** It asks for something else than what happens anyway: worth a line of its own. */
  differs: boolean;
  place: string;
}

/** Where one load collects what it finds. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly notes: string[] = [];
  readonly ignored: IgnoredKey[] = [];

  throwIfAny(): void {
    if (this.problems.length > 0) throw new ConfigError(this.problems);
  }

  /** Notes, then a line for each ignored key that differs, then one line that names the rest. */
  allNotes(): string[] {
    const lines = [...this.notes];
    const quiet: string[] = [];
    for (const key of this.ignored) {
      if (key.differs) lines.push(`${key.place}: ${pathText(key.path)}: ignored: ${key.why}`);
      else quiet.push(pathText(key.path));
    }
    if (quiet.length > 0) {
      const shown = quiet.slice(0, 12).join(', ');
      const more = quiet.length > 12 ? ` and ${quiet.length - 12} more` : '';
      lines.push(`${quiet.length} ${quiet.length === 1 ? 'key is' : 'keys are'} accepted and ignored: ${shown}${more}`);
    }
    return lines;
  }
}
