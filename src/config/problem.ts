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
  /**
   * `differs`: it asks for something else than what happens, worth a line of its own. `harmless`: it asks for what happens anyway, or is what
   * Tempo does by default. `block`: nobody looked at what it asks for.
   */
  kind: 'differs' | 'harmless' | 'block';
  file: string;
  line: number;
  column: number;
}

/** Where one load collects what it finds. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly notes: string[] = [];
  readonly ignored: IgnoredKey[] = [];

  throwIfAny(): void {
    if (this.problems.length > 0) throw new ConfigError(this.problems);
  }

  /** Notes, a line for each ignored key that asks for something else, one for the blocks of each reason, and one that names the rest. */
  allNotes(): string[] {
    return [...this.notes, ...this.differing(), ...this.blocks(), ...this.rest()];
  }

  /** Blocks of many tenants say the same thing: the first one is named, the others are counted. */
  private differing(): string[] {
    const groups = groupBy(this.of('differs'), (key) =>
      isTenants(key) ? [key.file, key.why, ...key.path.slice(2)].join('\0') : pathText(key.path),
    );
    return groups.map((keys) => {
      const more = keys.length === 1 ? '' : ` (and of ${keys.length - 1} more ${keys.length === 2 ? 'tenant' : 'tenants'})`;
      const first = keys[0]!;
      return problemLine({ ...first, path: `${pathText(first.path)}${more}`, message: `ignored: ${first.why}` });
    });
  }

  private blocks(): string[] {
    return groupBy(this.of('block'), (key) => `${key.file}\0${key.why}`).map(
      (keys) => `${keys[0]!.file}: ${shown(keys)}: ignored: ${keys[0]!.why}`,
    );
  }

  private rest(): string[] {
    return groupBy(this.of('harmless'), (key) => key.file).map((keys) => {
      const what = keys.length === 1 ? '1 key does nothing here and asks' : `${keys.length} keys do nothing here and ask`;
      return `${keys[0]!.file}: ${what} for nothing else: ${shown(keys)}`;
    });
  }

  private of(kind: IgnoredKey['kind']): IgnoredKey[] {
    return this.ignored.filter((key) => key.kind === kind);
  }
}

function isTenants({ path }: IgnoredKey): boolean {
  return path[0] === 'overrides' && path.length > 2 && path[1] !== 'defaults';
}

function shown(keys: readonly IgnoredKey[]): string {
  const names = [...new Set(keys.map(({ path }) => pathText(path)))];
  return names.length > 12 ? `${names.slice(0, 12).join(', ')} and ${names.length - 12} more` : names.join(', ');
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  return [...Map.groupBy(items, key).values()];
}
