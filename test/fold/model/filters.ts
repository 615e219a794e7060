// Filter policies: which spans a processor sees.

import type { FilterPolicy, PolicyMatch } from '../../../src/config/index.ts';
import { type AnyValue, type Attributes, first, isRaw, type Span } from './request.ts';
import { kindText, statusText } from './text.ts';

export type Target = 'kind' | 'status' | 'name' | { of: 'span' | 'resource'; key: string };

/** Ways to spell what a policy looks at. Written out: the grammar of keys is not worked out here. */
export const POLICY_KEYS: Readonly<Record<string, Target>> = {
  kind: 'kind',
  ' kind ': 'kind',
  'span:kind': 'kind',
  status: 'status',
  'span:status': 'status',
  name: 'name',
  'span:name': 'name',
  'span.http.method': { of: 'span', key: 'http.method' },
  ' span.team': { of: 'span', key: 'team' },
  'span."odd key"': { of: 'span', key: 'odd key' },
  'span.9digit': { of: 'span', key: '9digit' },
  'span.ratio': { of: 'span', key: 'ratio' },
  'span."ra"tio': { of: 'span', key: 'ratio' },
  'span.count': { of: 'span', key: 'count' },
  'span.naïve': { of: 'span', key: 'naïve' },
  'span."say \\"hi\\""': { of: 'span', key: 'say "hi"' },
  'resource.team': { of: 'resource', key: 'team' },
  'resource.service.name': { of: 'resource', key: 'service.name' },
  'resource."odd key"': { of: 'resource', key: 'odd key' },
  'parent.span.http.method': { of: 'span', key: 'http.method' },
  'parent.resource.team': { of: 'resource', key: 'team' },
};

export function accepts(policies: readonly FilterPolicy[], resource: Attributes, span: Span): boolean {
  const fits = (match: PolicyMatch) => matches(match, resource, span);
  const some = (which: 'include' | 'includeAny' | 'exclude') => policies.flatMap((policy) => policy[which] ?? []);
  if (some('exclude').some(fits)) return false;
  if (some('includeAny').some(fits)) return true;
  if (some('include').length > 0) return some('include').every(fits);
  return some('includeAny').length === 0;
}

function matches({ matchType, attributes }: PolicyMatch, resource: Attributes, span: Span): boolean {
  return attributes.every(({ key, value: wanted }) => {
    const target = POLICY_KEYS[key]!;
    if (typeof target !== 'string') {
      const held = first(target.of === 'span' ? span.attributes : resource, target.key);
      if (held === undefined) return false;
      return matchType === 'regex' ? new RegExp(String(wanted), 'u').test(asString(held)) : isSame(held, wanted);
    }
    const intrinsics = { kind: kindText(span.kind), status: statusText(span.status?.code ?? 0), name: span.name };
    const held = intrinsics[target];
    return matchType === 'regex' ? new RegExp(String(wanted), 'u').test(held) : held === wanted;
  });
}

/** The held value read as the type of the wanted one; of another type it reads as nothing, 0 or false. */
function isSame(held: AnyValue, wanted: string | number | boolean): boolean {
  if (typeof wanted === 'string') return asString(held) === wanted;
  if (typeof wanted === 'boolean') return (held === true) === wanted;
  if (Number.isInteger(wanted)) return (typeof held === 'bigint' ? held : 0n) === BigInt(wanted);
  return (typeof held === 'number' ? held : 0) === wanted;
}

function asString(held: AnyValue): string {
  if (isRaw(held)) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(held.bytes);
  return typeof held === 'string' ? held : '';
}
