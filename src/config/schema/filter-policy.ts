// Filter policies: which spans a processor sees. Everything that would fail when a tenant starts fails at load.

import { z } from 'zod';
import { KIND_NAMES, parsePolicyKey, STATUS_NAMES } from '../policy-key.ts';
import { compileRegex } from '../regex.ts';
import { block } from './keys.ts';

const attribute = z
  .strictObject({
    key: z.string().describe('`span.<attribute>`, `resource.<attribute>`, `kind`, `status` or `name`.'),
    value: z
      .union([z.string(), z.number(), z.boolean()])
      .describe('A value, or a regular expression (RE2) with match type regex.'),
  })
  .superRefine(({ key }, context) => {
    try {
      parsePolicyKey(key);
    } catch (error) {
      context.addIssue({ code: 'custom', path: ['key'], message: (error as Error).message });
    }
  });

function match(about: string) {
  return block(about, {
    match_type: z.enum(['strict', 'regex']).describe('`strict` compares, `regex` searches (unanchored).'),
    attributes: z.array(attribute).prefault([]).describe('All of them have to match.'),
  }).superRefine(({ matchType, attributes }, context) => {
    attributes.forEach(({ key, value }, index) => {
      const message = valueProblem(matchType, key, value);
      // The path is the file's, not the renamed one: both names are the same here.
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['attributes', index, 'value'], message });
    });
  });
}

function valueProblem(
  matchType: 'strict' | 'regex',
  key: string,
  value: string | number | boolean,
): string | undefined {
  if (matchType === 'regex') {
    if (typeof value !== 'string') return `a regular expression is a string: quote ${value}`;
    try {
      compileRegex(value);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
  const target = parsePolicyKey(key);
  if (!('intrinsic' in target)) return undefined;
  if (target.intrinsic === 'name')
    return typeof value === 'string' ? undefined : `a span's name is a string: quote ${value}`;
  const names: readonly string[] = target.intrinsic === 'kind' ? KIND_NAMES : STATUS_NAMES;
  return names.includes(String(value))
    ? undefined
    : `"${value}" is no ${target.intrinsic}: use one of ${names.join(', ')}`;
}

const policy = block('One policy.', {
  include: match('Keeps a span only if it matches (and every other include does).').optional(),
  include_any: match('Keeps a span that matches at least one of these.').optional(),
  exclude: match('Drops a span that matches.').optional(),
}).refine((value) => value.include !== undefined || value.includeAny !== undefined || value.exclude !== undefined, {
  error: 'a policy needs include, include_any or exclude',
});

export const filterPolicies = z
  .array(policy)
  .describe('Which spans count: any exclude drops, then any include_any keeps, then all includes have to match.');
