// configs/full.yaml: every key of the schema that does something, with its default. Keys without a default are commented out.

import { stringify } from 'yaml';
import type { z } from 'zod';
import { configFile } from '../src/config/schema/file.ts';
import { elementOf, look, type SchemaView, shapeOf } from '../src/config/schema/inspect.ts';
import { typeText } from './config-types.ts';

const HEADER = `# yaml-language-server: $schema=./spanmill.schema.json
# Every key with its default. Made from the schema (npm run generate): edit a copy, and only keep what you change.
`;

export function fullYaml(): string {
  return (
    HEADER +
    body(configFile, '', new Set())
      .lines.join('\n')
      .replace(/\n(?=[a-z_]+:|# [a-z_]+:)/g, '\n\n')
      .trimStart() +
    '\n'
  );
}

interface Rendered {
  lines: string[];
  /** Something in it is not commented out. */
  live: boolean;
}

/** `shown` holds list items that were already spelled out elsewhere. */
function body(schema: z.core.$ZodType, indent: string, shown: Set<unknown>): Rendered {
  const lines: string[] = [''];
  let live = false;
  for (const [key, child] of Object.entries(shapeOf(look(schema).core))) {
    const view = look(child);
    if (view.info.verdict !== undefined) continue;
    const rendered = entry(key, child, view, indent, shown);
    lines.push(...(rendered.live ? rendered.lines : rendered.lines.map((line) => commented(line, indent))));
    live ||= rendered.live;
  }
  return { lines: lines.slice(1), live };
}

function entry(key: string, schema: z.core.$ZodType, view: SchemaView, indent: string, shown: Set<unknown>): Rendered {
  const about = view.about === '' ? '' : ` # ${view.about.replaceAll('\n', ' ')}`;
  if (view.type === 'object') {
    const inner = body(schema, `${indent}  `, shown);
    const live = inner.live && view.hasDefault;
    // A block that is commented out as a whole is commented once.
    const lines = live ? inner.lines : inner.lines.map(uncommented);
    return { lines: [`${indent}${key}:${about}`, ...lines], live };
  }
  const value = view.hasDefault
    ? stringify(view.defaultValue, { collectionStyle: 'flow', lineWidth: 0 }).trim()
    : placeholder(view);
  const lines = [`${indent}${key}: ${value}${about}`];
  const item = view.type === 'array' ? elementOf(view.core) : undefined;
  if (item !== undefined && look(item).type === 'object' && !shown.has(item)) {
    shown.add(item);
    const inner = body(item, `${indent}    `, shown).lines.map(uncommented);
    if (inner[0] !== undefined) inner[0] = `${indent}  - ${inner[0].trimStart()}`;
    lines.push(...inner.map((line) => commented(line, indent)));
  }
  return { lines, live: view.hasDefault || view.required };
}

function placeholder(view: SchemaView): string {
  if (view.type === 'array') return '[]';
  if (view.type === 'record' || view.type === 'object') return '{}';
  return `<${typeText(view).replaceAll('`', '').replaceAll('\\|', 'or')}>`;
}

function commented(line: string, indent: string): string {
  const rest = line.slice(indent.length);
  return rest.startsWith('# ') ? line : `${indent}# ${rest}`;
}

function uncommented(line: string): string {
  return line.replace(/^(\s*)# /, '$1');
}
