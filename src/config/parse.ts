// YAML text and a schema to typed data: conform, then zod, with zod's findings in our words and at their place in the text.

import type { z } from 'zod';
import { conform } from './conform.ts';
import type { Findings, Path } from './problem.ts';
import { pathText } from './problem.ts';
import { allKeys } from './schema/inspect.ts';
import { nearest } from './suggest.ts';
import { type SourceText, YamlSource } from './yaml-source.ts';

export interface ParsedText<T> {
  source: YamlSource;
  /** As written, without defaults. */
  written: Record<string, unknown>;
  /** Undefined if anything was wrong. */
  value: T | undefined;
}

export interface ParseOptions {
  /** Dotted path to value; wins over the text. */
  set?: Readonly<Record<string, string>>;
  /** The text as the file has it, where something was put into it. */
  original?: SourceText;
}

export function parseText<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
  findings: Findings,
  options: ParseOptions = {},
): ParsedText<z.output<S>> {
  const source = new YamlSource(text, file, findings, options.original);
  if (source.broken) return { source, written: {}, value: undefined };
  for (const [path, value] of Object.entries(options.set ?? {})) {
    const keys = path.split('.');
    if (!source.set(keys, value)) source.problem(keys, "can't be set from the command line: a key above it is no map");
  }
  const before = findings.problems.length;
  const root = source.follow(source.document.contents);
  const conformed = root === null ? {} : (conform(source, root, schema, placesOf(schema)) ?? {});
  const result = schema.safeParse(conformed);
  if (!result.success) for (const issue of result.error.issues) report(source, issue, conformed);
  const written =
    typeof conformed === 'object' && !Array.isArray(conformed) ? (conformed as Record<string, unknown>) : {};
  return { source, written, value: result.success && findings.problems.length === before ? result.data : undefined };
}

const places = new WeakMap<z.ZodType, (key: string) => string[]>();

/** Where a key is known, for a hint at a place where it isn't. */
function placesOf(schema: z.ZodType): (key: string) => string[] {
  let lookup = places.get(schema);
  if (lookup === undefined) {
    const byName = new Map<string, string[]>();
    for (const { path, view } of allKeys(schema)) {
      if (view.info.verdict !== undefined) continue;
      const name = path.at(-1)!.replaceAll('[]', '');
      byName.set(name, [...(byName.get(name) ?? []), path.join('.')]);
    }
    lookup = (key) => byName.get(key) ?? [];
    places.set(schema, lookup);
  }
  return lookup;
}

function report(source: YamlSource, issue: z.core.$ZodIssue, conformed: unknown): void {
  const path = issue.path as Path;
  const held = path.reduce<unknown>(
    (at, key) => (at as Record<string | number, unknown> | undefined)?.[key],
    conformed,
  );
  source.problem(path, issueText(issue, held));
}

function issueText(issue: z.core.$ZodIssue, held: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      if (held === undefined) return 'is missing';
      return `must be ${NAMES[issue.expected] ?? `a ${issue.expected}`}, not ${kindOf(held)}`;
    case 'invalid_value': {
      if (held === undefined) return 'is missing';
      const allowed = issue.values.map(String);
      const near = typeof held === 'string' ? nearest(held, allowed) : undefined;
      const hint = near === undefined ? '' : ` (did you mean "${near}"?)`;
      return `must be ${listed(allowed)}, not ${kindOf(held)}${hint}`;
    }
    case 'invalid_union':
      return held === undefined ? 'is missing' : `must be ${unionText(issue)}, not ${kindOf(held)}`;
    case 'too_small':
      if (issue.origin === 'string' || issue.origin === 'array') return 'must not be empty';
      return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}, not ${String(held)}`;
    case 'too_big':
      return `must be at most ${issue.maximum}, not ${String(held)}`;
    default:
      return issue.message;
  }
}

function unionText(issue: z.core.$ZodIssueInvalidUnion): string {
  const options = issue.errors
    .flatMap((errors) => errors.slice(0, 1))
    .map((first) => {
      if (first.path.length > 0) return `a list in which ${pathText(first.path as Path)} fits`;
      if (first.code === 'invalid_value') return listed(first.values.map(String));
      return first.code === 'invalid_type' ? (NAMES[first.expected] ?? first.expected) : first.message;
    });
  return options.join(' or ');
}

const NAMES: Record<string, string> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

function listed(values: readonly string[]): string {
  const quoted = values.map((value) => (value === '' ? '""' : value));
  return quoted.length === 1 ? quoted[0]! : `one of ${quoted.join(', ')}`;
}

function kindOf(held: unknown): string {
  if (Array.isArray(held)) return 'a list';
  if (held === null) return 'empty';
  if (typeof held === 'object') return 'a map';
  return typeof held === 'string' ? `"${held}"` : String(held);
}
