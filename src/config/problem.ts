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
    const sorted = inOrder(problems);
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

export interface Note extends Problem {
  /** Somebody should look at it: it may well be a mistake. */
  isWarning?: boolean;
}

/** Where one load collects what it finds. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly notes: Note[] = [];
  readonly ignored: IgnoredKey[] = [];
  /** Said before everything else. */
  headline: string | undefined;

  throwIfAny(): void {
    if (this.problems.length > 0) throw new ConfigError(this.problems);
  }

  /** The headline, the notes in the order of the text, then what is ignored: a line for each reason, and one that names the rest. */
  allNotes(): string[] {
    const headline = this.headline === undefined ? [] : [this.headline];
    return [
      ...headline,
      ...inOrder(this.notes).map(problemLine),
      ...this.differing(),
      ...this.blocks(),
      ...this.rest(),
    ];
  }

  /** Of the notes, those that are warnings. */
  warnings(): string[] {
    return inOrder(this.notes.filter(({ isWarning }) => isWarning)).map(problemLine);
  }

  /** Each key with its line; of a key that many tenants have the first one, and how many more. */
  private differing(): string[] {
    return groupBy(this.of('differs'), ({ file, why }) => `${file}\0${why}`).map((keys) => {
      const [one, ...others] = groupBy(keys, (key) =>
        isTenants(key) ? key.path.slice(2).join('.') : pathText(key.path),
      );
      const names = [nameOf(one!), ...others.map((same) => `${nameOf(same)} (line ${same[0]!.line})`)];
      const { why, ...place } = one![0]!;
      return problemLine({ ...place, path: names.join(', '), message: `ignored: ${why}` });
    });
  }

  private blocks(): string[] {
    return groupBy(this.of('block'), ({ file, why }) => `${file}\0${why}`).map(
      (keys) => `${keys[0]!.file}: ${namesOf(keys).join(', ')}: ignored: ${keys[0]!.why}`,
    );
  }

  private rest(): string[] {
    return groupBy(this.of('harmless'), (key) => key.file).map((keys) => {
      const names = namesOf(keys);
      const what =
        names.length === 1 ? '1 key has no effect here and needs' : `${names.length} keys have no effect here and need`;
      return `${keys[0]!.file}: ${what} none (Tempo's default, or what happens anyway): ${first(12, names)}`;
    });
  }

  private of(kind: IgnoredKey['kind']): IgnoredKey[] {
    return this.ignored.filter((key) => key.kind === kind);
  }
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => (a.file === b.file ? a.line - b.line || a.column - b.column : 0));
}

function isTenants({ path }: IgnoredKey): boolean {
  return path[0] === 'overrides' && path.length > 2 && path[1] !== 'defaults';
}

function nameOf(same: readonly IgnoredKey[]): string {
  const more = same.length - 1;
  const others = more === 0 ? '' : ` (and of ${more} more ${more === 1 ? 'tenant' : 'tenants'})`;
  return `${pathText(same[0]!.path)}${others}`;
}

function namesOf(keys: readonly IgnoredKey[]): string[] {
  return [...new Set(keys.map(({ path }) => pathText(path)))];
}

/** The first ones, and how many more there are. */
export function first(count: number, names: readonly string[]): string {
  const more = names.length - count;
  return more > 0 ? `${names.slice(0, count).join(', ')} and ${more} more` : names.join(', ');
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  return [...Map.groupBy(items, key).values()];
}
