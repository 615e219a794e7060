// A cursor over one line after the other, with the parts that both formats have in common: names, quoted strings, label
// sets. Each reader moves forward only, and fails with the number of the line.

import type { LabelPair } from 'remote-write-ts';
import { ExpositionError } from './error.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const UNDERSCORE = 0x5f;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** Up to here a linear search for a name given twice beats a set. */
const FEW_LABELS = 8;
/** How much of a text is shown in an error. */
const SHOWN = 40;

export class Line {
  readonly text: string;
  /** From 1. */
  number = 0;
  at = 0;
  /** Behind the line's last character. */
  end = 0;
  #next = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Goes to the next line; false after the last. What follows the last line feed counts only if it isn't empty. */
  next(): boolean {
    if (this.#next >= this.text.length) return false;
    this.at = this.#next;
    const feed = this.text.indexOf('\n', this.at);
    this.end = feed === -1 ? this.text.length : feed;
    this.#next = this.end + 1;
    this.number++;
    return true;
  }

  /** Whether the line ends with a line feed. */
  get isWhole(): boolean {
    return this.end < this.text.length;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  fail(reason: string): never {
    throw new ExpositionError(this.number, reason);
  }

  /** Passes over this text, if it stands here. */
  skip(text: string): boolean {
    if (this.at + text.length > this.end || !this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  /** Passes over blanks and tabs. @returns whether there were any. */
  skipBlanks(): boolean {
    const start = this.at;
    while (!this.isAtEnd && isBlank(this.text.charCodeAt(this.at))) this.at++;
    return this.at > start;
  }

  /** What stands here up to the next blank or tab. */
  token(): string {
    const start = this.at;
    while (!this.isAtEnd && !isBlank(this.text.charCodeAt(this.at))) this.at++;
    return this.text.slice(start, this.at);
  }

  rest(): string {
    return this.text.slice(this.at, this.end);
  }

  /** `[a-zA-Z_][a-zA-Z0-9_]*`, for metrics with colons; empty if none stands here. */
  name(isMetric: boolean): string {
    const start = this.at;
    while (!this.isAtEnd) {
      const code = this.text.charCodeAt(this.at);
      const isLegal =
        (code >= 0x61 && code <= 0x7a) ||
        (code >= 0x41 && code <= 0x5a) ||
        code === UNDERSCORE ||
        (isMetric && code === COLON) ||
        (this.at > start && code >= 0x30 && code <= 0x39);
      if (!isLegal) break;
      this.at++;
    }
    return this.text.slice(start, this.at);
  }

  /** A metric's name, quoted or not, as HELP, TYPE and UNIT have it. */
  metricName(): string {
    const name = this.#peek() === QUOTE ? this.quoted() : this.name(true);
    return name === '' ? this.fail(`expected a metric name, found ${this.shown()}`) : name;
  }

  /** A string in quotes. Escapes other than \\, \" and \n stand for themselves. */
  quoted(): string {
    const start = ++this.at;
    let hasEscapes = false;
    for (; !this.isAtEnd; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code === QUOTE) {
        const raw = this.text.slice(start, this.at++);
        return hasEscapes ? unescapeAll(raw) : raw;
      }
      if (code === BACKSLASH) {
        hasEscapes = true;
        this.at++;
      }
    }
    this.at = this.end;
    return this.fail('a quoted string has no end');
  }

  /**
   * `name{label="value",…}`, `{"name",label="value",…}` or a bare name.
   * @param mayHaveBlanks between the parts.
   */
  series(mayHaveBlanks: boolean): { name: string; labels: LabelPair[] } {
    const bare = this.name(true);
    if (mayHaveBlanks && this.#afterBlanks() === OPEN) this.skipBlanks();
    if (this.#peek() !== OPEN) {
      if (bare === '') this.fail(`expected a metric name, found ${this.shown()}`);
      return { name: bare, labels: [] };
    }
    const { quotedName = '', labels } = this.labelSet(mayHaveBlanks, bare === '');
    const name = bare === '' ? quotedName : bare;
    if (name === '') this.fail('a sample has no metric name');
    return { name, labels };
  }

  /** @param mayHaveName whether a quoted string alone is the metric's name. */
  labelSet(mayHaveBlanks: boolean, mayHaveName: boolean): { quotedName: string | undefined; labels: LabelPair[] } {
    const labels: LabelPair[] = [];
    let quotedName: string | undefined;
    let names: Set<string> | undefined;
    const blanks = () => mayHaveBlanks && this.skipBlanks();
    if (!this.skip('{')) this.fail(`expected "{", found ${this.shown()}`);
    for (;;) {
      blanks();
      if (this.#peek() === CLOSE) break;
      const isQuoted = this.#peek() === QUOTE;
      const name = isQuoted ? this.quoted() : this.name(false);
      blanks();
      if (isQuoted && this.#peek() !== EQUALS) {
        if (!mayHaveName || quotedName !== undefined) this.fail('a label has no value, or the metric two names');
        if (name === '') this.fail('a metric name is empty');
        quotedName = name;
      } else {
        if (name === '') this.fail(`expected a label name, found ${this.shown()}`);
        if (!this.skip('=')) this.fail(`expected "=" after label ${shorten(name)}, found ${this.shown()}`);
        blanks();
        if (this.#peek() !== QUOTE) this.fail(`the value of label ${shorten(name)} is not in quotes`);
        if (labels.length === FEW_LABELS) names = new Set(labels.map(([known]) => known));
        const isTaken = names?.has(name) ?? labels.some(([known]) => known === name);
        if (isTaken || name === '__name__') this.fail(`label ${shorten(name)} is given twice`);
        names?.add(name);
        labels.push([name, this.quoted()]);
      }
      blanks();
      if (this.#peek() === COMMA) this.at++;
      else if (this.#peek() !== CLOSE) this.fail(`expected "," or "}", found ${this.shown()}`);
    }
    this.at++;
    return { quotedName, labels };
  }

  /** What stands here, for an error. */
  shown(): string {
    if (this.isAtEnd) return 'the end of the line';
    return JSON.stringify(cut(this.text.slice(this.at, Math.min(this.end, this.at + SHOWN + 1))));
  }

  #peek(): number {
    return this.isAtEnd ? -1 : this.text.charCodeAt(this.at);
  }

  #afterBlanks(): number {
    let at = this.at;
    while (at < this.end && isBlank(this.text.charCodeAt(at))) at++;
    return at < this.end ? this.text.charCodeAt(at) : -1;
  }
}

/** A text as an error shows it. */
export function shorten(text: string): string {
  return JSON.stringify(cut(text));
}

function cut(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

/** `\\` and `\n`, and `\"` where the text was in quotes or is OpenMetrics' help. */
export function unescapeAll(text: string): string {
  return text.replace(/\\([\\"n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

/** `\\` and `\n`. */
export function unescapeHelp(text: string): string {
  return text.replace(/\\([\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
