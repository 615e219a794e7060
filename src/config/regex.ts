// Regular expressions as the configuration writes them: RE2 syntax (https://github.com/google/re2/wiki/Syntax), run by the
// engine of JavaScript. What RE2 has and JavaScript spells otherwise is translated; what RE2 refuses (look-around,
// back-references) is refused here too, so that a file means the same everywhere.

const POSIX: Record<string, string> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  '^alnum': '\\x00-\\/:-@\\[-`{-\\u{10ffff}',
  '^alpha': '\\x00-@\\[-`{-\\u{10ffff}',
  '^digit': '\\x00-\\/:-\\u{10ffff}',
  '^lower': '\\x00-`{-\\u{10ffff}',
  '^space': '\\x00-\\x08\\x0e-\\x1f!-\\u{10ffff}',
  '^upper': '\\x00-@\\[-\\u{10ffff}',
  '^word': '\\x00-\\/:-@\\[-\\^`{-\\u{10ffff}',
};
/** RE2's `\s` has five characters, JavaScript's has all of Unicode's. */
const CLASS_ESCAPES: Record<string, string> = {
  s: '\\t\\n\\f\\r ',
  S: '\\x00-\\x08\\x0b\\x0e-\\x1f!-\\u{10ffff}',
  d: '0-9',
  D: '\\x00-\\/:-\\u{10ffff}',
  w: '0-9A-Za-z_',
  W: '\\x00-\\/:-@\\[-\\^`{-\\u{10ffff}',
};
const MAX_REPEAT = 1000;

interface Flags {
  i: boolean;
  m: boolean;
  s: boolean;
}
interface Group {
  flags: Flags;
  /** A `(?i:` that was opened inside this group for a flag that changed midway. */
  open: string;
}

/**
 * @throws SyntaxError for what RE2 refuses, and for the little that can't be translated (`\C`, the flag `U`).
 */
export function compileRegex(pattern: string): RegExp {
  const translated = new Translator(pattern).run();
  try {
    return new RegExp(translated.source, translated.ignoreCase ? 'iu' : 'u');
  } catch (error) {
    throw new SyntaxError(`"${pattern}" is no regular expression: ${(error as Error).message.replace(/^.*: /, '')}`);
  }
}

class Translator {
  private readonly text: string;
  private at = 0;
  private out = '';
  private flags: Flags = { i: false, m: false, s: false };
  private open = '';
  private readonly groups: Group[] = [];
  private ignoreCase = false;
  /** True where a quantifier has something to repeat. */
  private repeatable = false;

  constructor(text: string) {
    this.text = text;
  }

  run(): { source: string; ignoreCase: boolean } {
    while (this.at < this.text.length) this.next();
    if (this.groups.length > 0) this.fail('a ")" is missing');
    this.closeOpen();
    return { source: this.out, ignoreCase: this.ignoreCase };
  }

  private fail(why: string): never {
    throw new SyntaxError(`"${this.text}" is no regular expression: ${why}`);
  }

  private emit(source: string, length: number, repeatable = true): void {
    this.out += source;
    this.at += length;
    this.repeatable = repeatable;
  }

  private next(): void {
    const char = String.fromCodePoint(this.text.codePointAt(this.at)!);
    switch (char) {
      case '(':
        this.openGroup();
        break;
      case ')':
        this.closeGroup();
        break;
      case '|': {
        // A flag that changed midway holds for the alternatives that follow too: close it before the bar, open it after.
        const reopen = this.open;
        this.closeOpen();
        this.emit(`|${reopen}`, 1, false);
        this.open = reopen;
        break;
      }
      case '[':
        this.characterClass();
        break;
      case '\\':
        this.escape();
        break;
      case '.':
        this.emit(this.flags.s ? '[^]' : '[^\\n]', 1);
        break;
      case '^':
        this.emit(this.flags.m ? '(?<![^\\n])' : '^', 1, false);
        break;
      case '$':
        this.emit(this.flags.m ? '(?![^\\n])' : '$', 1, false);
        break;
      case '*':
      case '+':
      case '?':
        this.quantifier(char);
        break;
      case '{':
        this.brace();
        break;
      default:
        this.emit(char === '/' || char === '}' || char === ']' ? `\\${char}` : char, char.length);
    }
  }

  /** A repetition, or else the character itself. */
  private brace(): void {
    const repeat = /^\{(\d+)(?:,(\d*))?\}/.exec(this.text.slice(this.at));
    if (repeat === null) this.emit('\\{', 1);
    else if (Math.max(Number(repeat[1]), Number(repeat[2] || 0)) > MAX_REPEAT)
      this.fail(`it repeats more than ${MAX_REPEAT} times`);
    else this.quantifier(repeat[0]);
  }

  private quantifier(text: string): void {
    if (!this.repeatable) {
      // RE2 lets an anchor be repeated; JavaScript doesn't. Nobody needs it.
      this.fail(`"${text}" has nothing to repeat`);
    }
    const lazy = this.text[this.at + text.length] === '?' ? '?' : '';
    this.emit(text + lazy, text.length + lazy.length, false);
  }

  private openGroup(): void {
    const rest = this.text.slice(this.at);
    const named = /^\(\?P?<([A-Za-z_]\w*)>/.exec(rest);
    if (!rest.startsWith('(?')) this.enter('(', 1);
    else if (named) this.enter(`(?<${named[1]}>`, named[0].length);
    else this.flagGroup(rest);
  }

  private enter(source: string, length: number): void {
    this.groups.push({ flags: { ...this.flags }, open: this.open });
    this.open = '';
    this.emit(source, length, false);
  }

  private closeGroup(): void {
    const group = this.groups.pop();
    if (group === undefined) this.fail('a ")" has no "("');
    this.closeOpen();
    this.flags = group.flags;
    this.open = group.open;
    this.emit(')', 1);
  }

  /** `(?i:x)`, or `(?i)` which holds to the end of the group it stands in. */
  private flagGroup(rest: string): void {
    const match = /^\(\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(rest);
    if (match === null) this.fail(`"${rest.slice(0, 4)}" is not part of RE2's syntax (no look-around)`);
    const [whole, on = '', off = '', end] = match as unknown as [string, string, string | undefined, string];
    if (`${on}${off}`.includes('U')) this.fail('the flag U is not supported: write *? and +?');
    const changed: Flags = { ...this.flags };
    for (const flag of on) changed[flag as keyof Flags] = true;
    for (const flag of off) changed[flag as keyof Flags] = false;
    const caseGroup = changed.i === this.flags.i ? '' : `(?${changed.i ? 'i' : '-i'}:`;
    if (end === ':') {
      this.enter(caseGroup || '(?:', whole.length);
    } else {
      this.at += whole.length;
      this.repeatable = false;
      if (caseGroup !== '' && this.out === '' && this.groups.length === 0) this.ignoreCase = changed.i;
      else if (caseGroup !== '') {
        this.closeOpen();
        this.open = caseGroup;
        this.out += caseGroup;
      }
    }
    this.flags = changed;
  }

  private closeOpen(): void {
    if (this.open !== '') this.out += ')';
    this.open = '';
  }

  private escape(): void {
    const rest = this.text.slice(this.at);
    const next = rest[1];
    if (next === undefined) this.fail('it ends with a backslash');
    const members = CLASS_ESCAPES[next];
    if (next === 'Q') {
      const end = rest.indexOf('\\E', 2);
      const literal = end < 0 ? rest.slice(2) : rest.slice(2, end);
      this.emit([...literal].map(quote).join(''), end < 0 ? rest.length : end + 2, literal !== '');
    } else if (next === 'A' || next === 'z') this.emit(next === 'A' ? '^' : '$', 2, false);
    else if (next === 'b' || next === 'B') this.emit(`\\${next}`, 2, false);
    else if (members !== undefined) this.emit(`[${members}]`, 2);
    else {
      const one = this.singleEscape(rest);
      this.emit(one.source, one.length);
    }
  }

  /** An escape that stands for one character or a Unicode class, the same inside and outside of brackets. */
  private singleEscape(rest: string): { source: string; length: number } {
    const next = String.fromCodePoint(rest.codePointAt(1) ?? 92);
    const hex = /^\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})/.exec(rest);
    if (hex) return { source: `\\u{${hex[1] ?? hex[2]}}`, length: hex[0].length };
    const octal = /^\\([0-7]{2,3}|0)/.exec(rest);
    if (octal) return { source: `\\u{${Number.parseInt(octal[1]!, 8).toString(16)}}`, length: octal[0].length };
    const unicode = /^\\([pP])(?:\{(\^?)(\w+)\}|(\w))/.exec(rest);
    if (unicode) {
      const name = unicode[3] ?? unicode[4]!;
      const negated = (unicode[1] === 'P') !== (unicode[2] === '^');
      return {
        source: `\\${negated ? 'P' : 'p'}{${name.length > 2 ? `Script=${name}` : name}}`,
        length: unicode[0].length,
      };
    }
    if (next === 'a') return { source: '\\x07', length: 2 };
    if (/^[fnrtv]$/.test(next)) return { source: `\\${next}`, length: 2 };
    if (/^[0-9A-Za-z]$/.test(next)) this.fail(`"\\${next}" is not part of RE2's syntax`);
    return { source: quote(next), length: 1 + next.length };
  }

  private characterClass(): void {
    let out = '[';
    let at = this.at + 1;
    if (this.text[at] === '^') {
      out += '^';
      at++;
    }
    for (let first = true; ; first = false) {
      if (at >= this.text.length) this.fail('a "]" is missing');
      const rest = this.text.slice(at);
      const char = String.fromCodePoint(rest.codePointAt(0)!);
      const posix = /^\[:(\^?\w+):\]/.exec(rest);
      if (char === ']' && !first) break;
      if (posix) {
        const members = POSIX[posix[1]!];
        if (members === undefined) this.fail(`"${posix[0]}" is no character class`);
        out += members;
        at += posix[0].length;
      } else if (char === '\\') {
        const members = CLASS_ESCAPES[rest[1] ?? ''];
        const one = members === undefined ? this.singleEscape(rest) : { source: members, length: 2 };
        out += one.source;
        at += one.length;
      } else {
        // A "-" keeps its place: it is a range between two characters, itself at either end.
        out += char === '-' && !first && rest[1] !== ']' ? '-' : quote(char);
        at += char.length;
      }
    }
    this.emit(`${out}]`, at + 1 - this.at);
  }
}

function quote(char: string): string {
  if (/[\\^$.*+?()[\]{}|/]/.test(char)) return `\\${char}`;
  return char === '-' ? '\\u{2d}' : char;
}
