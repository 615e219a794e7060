// One YAML text with the place of everything in it. Go's YAML of Tempo is version 1.1 (`yes` is a boolean, `<<` merges), so this is too.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  Pair,
  parseDocument,
  type Range,
  Scalar,
  visit,
  YAMLMap,
} from 'yaml';
import type { Findings, IgnoredKey, Path } from './problem.ts';
import { pathText } from './problem.ts';

export interface Entry {
  key: string;
  keyNode: Node;
  value: Node | null;
}

/** What a text was before something was put into it. */
export interface SourceText {
  text: string;
  offsetOf(offset: number): number;
}

export class YamlSource {
  readonly file: string;
  readonly document: Document.Parsed;
  private readonly lines: LineCounter;
  private readonly findings: Findings;
  private readonly original: SourceText | undefined;
  /** What was not in the text, but put there by `set`. */
  private readonly setPaths: (readonly string[])[] = [];
  private readonly saidTopics = new Set<string>();
  private readonly marked = new Set<string>();
  private aliasProblems = 0;
  private readonly keyOffsets = new Map<string, number>();
  private readonly valueOffsets = new Map<string, number>();

  constructor(text: string, file: string, findings: Findings, original?: SourceText) {
    this.file = file;
    this.findings = findings;
    this.original = original;
    this.lines = new LineCounter();
    this.document = parseDocument(text, {
      version: '1.1',
      merge: true,
      uniqueKeys: true,
      prettyErrors: false,
      ...(original === undefined ? { lineCounter: this.lines } : {}),
    });
    if (original !== undefined) addLines(this.lines, original.text);
    for (const error of this.document.errors)
      this.problemAt(error.pos[0], [], this.said(error.pos[0], yamlMessage(error.code, error.message)));
    this.checkAliases();
    for (const warning of this.document.warnings)
      this.problemAt(warning.pos[0], [], this.said(warning.pos[0], warning.message));
  }

  get broken(): boolean {
    return this.document.errors.length > 0 || this.aliasProblems > 0;
  }

  /** Where a variable stood, a message that quotes the text would quote its value, which may be a secret. */
  private said(offset: number | undefined, message: string): string {
    const { original } = this;
    if (original === undefined || offset === undefined) return message;
    const isVariable = original.text.startsWith('${', original.offsetOf(offset));
    return isVariable ? 'the value of this variable is not plain YAML: put it in quotes' : message;
  }

  /** Everything after this may follow aliases without looking: each has an anchor, and none leads back into itself. */
  private checkAliases(): void {
    visit(this.document, {
      Alias: (_, alias, path) => {
        const target = alias.resolve(this.document);
        const message =
          target === undefined
            ? `there is no anchor &${alias.source} above`
            : path.includes(target)
              ? `*${alias.source} stands inside what it stands for`
              : undefined;
        if (message === undefined) return;
        this.aliasProblems++;
        this.problemAt(offsetOf(alias), [], this.said(offsetOf(alias), message));
      },
    });
  }

  mark(path: Path, keyNode: Node | undefined, value: Node | null): void {
    const id = idOf(path);
    this.marked.add(id);
    const keyOffset = offsetOf(keyNode);
    if (keyOffset !== undefined) this.keyOffsets.set(id, keyOffset);
    const valueOffset = offsetOf(value) ?? keyOffset;
    if (valueOffset !== undefined) this.valueOffsets.set(id, valueOffset);
  }

  has(path: Path): boolean {
    return this.marked.has(idOf(path));
  }

  /** At the value, or at its key; where the path isn't in the text, at the nearest key above it. */
  problem(path: Path, message: string, at: 'value' | 'key' = 'value'): void {
    this.findings.problems.push({ ...this.placeOf(path, at), path: pathText(path), message });
  }

  note(path: Path, message: string): void {
    this.findings.notes.push({ ...this.placeOf(path, 'key'), path: pathText(path), message });
  }

  /** Of one topic only the first note of a text is said. */
  noteOnce(topic: string, path: Path, message: string): void {
    if (this.saidTopics.has(topic)) return;
    this.saidTopics.add(topic);
    this.note(path, message);
  }

  /** Said before everything else. */
  headline(message: string): void {
    this.findings.headline = `${this.file}: ${message}`;
  }

  ignored(path: Path, why: string, kind: IgnoredKey['kind']): void {
    this.findings.ignored.push({ path: [...path], why, kind, ...this.placeOf(path, 'key') });
  }

  private problemAt(offset: number | undefined, path: Path, message: string): void {
    this.findings.problems.push({ ...this.position(offset), path: pathText(path), message });
  }

  private position(offset: number | undefined): { file: string; line: number; column: number } {
    if (offset === undefined) return { file: this.file, line: 0, column: 0 };
    const { line, col } = this.lines.linePos(this.original?.offsetOf(offset) ?? offset);
    return { file: this.file, line: line || 1, column: col || 1 };
  }

  private placeOf(path: Path, at: 'value' | 'key'): { file: string; line: number; column: number } {
    const isSet = this.setPaths.some((set) => {
      const isUnder = set.every((part, index) => part === path[index]);
      // Or a block that is there because of it alone.
      return (
        isUnder ||
        (!this.valueOffsets.has(idOf(path)) && path.length > 0 && path.every((part, index) => part === set[index]))
      );
    });
    if (isSet) return { file: 'command line', line: 0, column: 0 };
    return this.position(this.offset(path, at));
  }

  private offset(path: Path, at: 'value' | 'key'): number | undefined {
    for (let length = path.length; length >= 0; length--) {
      const id = idOf(path.slice(0, length));
      const exact = length === path.length && at === 'value';
      const offset = exact ? this.valueOffsets.get(id) : (this.keyOffsets.get(id) ?? this.valueOffsets.get(id));
      if (offset !== undefined) return offset;
    }
    return undefined;
  }

  /** The node itself, or what its alias stands for. */
  follow(node: unknown): Node | null {
    if (isAlias(node)) return node.resolve(this.document) ?? null;
    return (node as Node | null) ?? null;
  }

  /** Puts a text at a path, as if it were written there. Returns false where a key on the way holds something else than a map. */
  set(path: readonly string[], text: string): boolean {
    this.setPaths.push(path);
    const document = this.document as Document;
    if (isNull(document.contents)) document.contents = new YAMLMap();
    let map: unknown = document.contents;
    for (const [depth, key] of path.entries()) {
      if (!isMap(map)) return false;
      const pair = map.items.find((item) => scalarText(item.key as Node) === key);
      const last = depth === path.length - 1;
      // What an alias or `<<` brings in is somebody else's too: the map gets its own.
      const merged =
        pair === undefined && !last ? this.entries(map).find((entry) => entry.key === key)?.value : undefined;
      const shared = merged ?? (isAlias(pair?.value) ? this.follow(pair.value) : undefined);
      const held = shared ? (shared.clone() as Node) : this.follow(pair?.value);
      const next = last ? new Scalar(text) : isNull(held) ? new YAMLMap() : held;
      if (pair === undefined) map.items.push(new Pair(new Scalar(key), next));
      else pair.value = next;
      map = next;
    }
    return true;
  }

  /** Keys and values of a map; `<<` brings in what the map itself doesn't say. */
  entries(map: YAMLMap): Entry[] {
    const own = new Map<string, Entry>();
    const merged = new Map<string, Entry>();
    for (const pair of map.items) {
      const keyNode = pair.key as Node;
      const key = scalarText(keyNode);
      if (key === '<<' && isScalar(keyNode) && keyNode.type === 'PLAIN') {
        const target = this.follow(pair.value);
        const maps = isSeq(target) ? target.items.map((item) => this.follow(item)) : [target];
        for (const one of maps) {
          if (!isMap(one)) {
            this.problemAt(offsetOf(keyNode), [], 'only a map can be merged with <<');
            continue;
          }
          for (const entry of this.entries(one)) if (!merged.has(entry.key)) merged.set(entry.key, entry);
        }
      } else own.set(key, { key, keyNode, value: this.follow(pair.value) });
    }
    for (const [key, entry] of merged) if (!own.has(key)) own.set(key, entry);
    return [...own.values()];
  }
}

/** A scalar as it was written, so that `01` as a label value stays `01`. */
export function scalarText(node: Node | null): string {
  if (!isScalar(node)) return String(node);
  if (typeof node.value === 'string') return node.value;
  return node.source ?? String(node.value);
}

export function isNull(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function addLines(lines: LineCounter, text: string): void {
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
}

function offsetOf(node: Node | null | undefined): number | undefined {
  return (node?.range as Range | null | undefined)?.[0];
}

function idOf(path: Path): string {
  return path.join('\0');
}

function yamlMessage(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'this key is already set above, in the same map';
  if (code === 'MULTIPLE_DOCS') return 'one document only: remove the "---"';
  return message;
}
