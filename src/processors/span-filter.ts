// Filter policies compiled: which spans a processor sees. All policies are pooled: any exclude drops, any include_any keeps, then
// all includes must match; without those a span is kept unless there was an include_any.

import { utf8, utf8Text } from '../bytes/index.ts';
import { compileRegex, type FilterPolicy, type PolicyMatch, parsePolicyKey, type Regex } from '../config/index.ts';
import type { SpanBatch } from '../otlp/index.ts';
import { boolValue, doubleValue, intValue, stringValue, valueText } from '../otlp/index.ts';
import { kindName, statusName } from './names.ts';
import type { ProcessorContext } from './processor.ts';
import { type BytesTest, rememberVerdicts } from './recent-verdicts.ts';
import { aliasesOf } from './semconv-aliases.ts';

type Predicate = (batch: SpanBatch, span: number) => boolean;

export interface SpanFilter {
  accepts(batch: SpanBatch, span: number): boolean;
}

/** Attribute keys that the policies look at. */
export function filterKeys(policies: readonly FilterPolicy[]): string[] {
  const keys: string[] = [];
  for (const match of policies.flatMap((p) => [p.include, p.includeAny, p.exclude])) {
    for (const { key } of match?.attributes ?? []) {
      const target = parsePolicyKey(key);
      if ('attribute' in target) keys.push(target.attribute);
    }
  }
  return keys;
}

/** Undefined where there is nothing to filter. */
export function compileFilter(policies: readonly FilterPolicy[], context: ProcessorContext): SpanFilter | undefined {
  if (policies.length === 0) return undefined;
  const compile = (match: PolicyMatch | undefined): Predicate[] => (match ? [compileMatch(match, context)] : []);
  const excludes = policies.flatMap((p) => compile(p.exclude));
  const includeAnys = policies.flatMap((p) => compile(p.includeAny));
  const includes = policies.flatMap((p) => compile(p.include));
  return {
    accepts(batch, span) {
      // Loops, as `some` and `every` would make a closure for every span.
      for (const matches of excludes) if (matches(batch, span)) return false;
      for (const matches of includeAnys) if (matches(batch, span)) return true;
      for (const matches of includes) if (!matches(batch, span)) return false;
      return includes.length > 0 || includeAnys.length === 0;
    },
  };
}

function compileMatch(match: PolicyMatch, context: ProcessorContext): Predicate {
  const predicates = match.attributes.map(({ key, value }): Predicate => {
    const target = parsePolicyKey(key);
    const regex = match.matchType === 'regex' ? compileRegex(String(value)) : undefined;
    const matchesText = (text: string) => (regex ? regex.test(text) : text === value);
    const remembered = (ask: BytesTest) => (regex ? rememberVerdicts(ask) : ask);
    if ('intrinsic' in target) {
      switch (target.intrinsic) {
        case 'kind':
          return memo(
            (batch, span) => batch.kind[span]!,
            (kind) => matchesText(kindName(kind)),
          );
        case 'status':
          return memo(
            (batch, span) => batch.status[span]!,
            (status) => matchesText(statusName(status)),
          );
        default: {
          const matches = remembered((buf, start, end) => matchesText(utf8Text(buf.subarray(start, end))));
          return (batch, span) => matches(batch.bytes, batch.nameStart[span]!, batch.nameEnd[span]!);
        }
      }
    }
    return attributePredicate(target.attribute, target.scope === 'resource', context, (values) => {
      if (values.size > 0) return remembered(spelledMatcher(values, matchesText, value));
      return regex ? remembered(regexMatcher(regex)) : strictMatcher(value);
    });
  });
  return (batch, span) => {
    for (const matches of predicates) if (!matches(batch, span)) return false;
    return true;
  };
}

/** A value as it stands under another name of the key → as the policy's key spells it. */
type Spelling = ReadonlyMap<string, string>;
const SAME: Spelling = new Map();

/** Does the attribute of the span (or of its resource) match? With aliases, where it is not there, the first other name that is. */
function attributePredicate(
  key: string,
  ofResource: boolean,
  context: ProcessorContext,
  matcher: (values: Spelling) => BytesTest,
): Predicate {
  const { plan, resources, settings } = context;
  const bind = (name: string, values: Spelling) => ({ slot: plan.slotOf(name), matches: matcher(values) });
  const { slot, matches } = bind(key, SAME);
  const others = (settings.semconvAliases ? aliasesOf(key) : []).map((alias) => bind(alias.key, alias.values));
  const own: Predicate = ofResource
    ? (batch, span) => {
        const resource = resources.get(batch.resource[span]!);
        const start = resource.slotStart[slot]!;
        return start >= 0 && matches(resource.bytes, start, resource.slotEnd[slot]!);
      }
    : (batch, span) => {
        const at = span * batch.slots + slot;
        const start = batch.slotStart[at]!;
        return start >= 0 && matches(batch.bytes, start, batch.slotEnd[at]!);
      };
  if (others.length === 0) return own;
  return (batch, span) => {
    const { bytes, slotStart, slotEnd } = ofResource ? resources.get(batch.resource[span]!) : batch;
    const at = ofResource ? 0 : span * batch.slots;
    if (slotStart[at + slot]! >= 0) return own(batch, span);
    for (let i = 0; i < others.length; i++) {
      const alias = others[i]!;
      const start = slotStart[at + alias.slot]!;
      if (start >= 0) return alias.matches(bytes, start, slotEnd[at + alias.slot]!);
    }
    return false;
  };
}

function regexMatcher(regex: Regex): BytesTest {
  return (buf, start, end) => regex.test(utf8Text(stringValue(buf, start, end) ?? new Uint8Array(0)));
}

/** Of a name whose values are spelt otherwise: as a dimension would say them, whatever their type. */
function spelledMatcher(
  values: Spelling,
  matchesText: (text: string) => boolean,
  wanted: string | number | boolean,
): BytesTest {
  return (buf, start, end) => {
    const there = utf8Text(valueText(buf, start, end));
    const here = values.get(there) ?? there;
    return typeof wanted === 'string' ? matchesText(here) : here === String(wanted);
  };
}

/** Enum fields take few values: each is matched once. */
function memo(read: (batch: SpanBatch, span: number) => number, matches: (value: number) => boolean): Predicate {
  const known = new Map<number, boolean>();
  return (batch, span) => {
    const value = read(batch, span);
    let result = known.get(value);
    if (result === undefined) {
      result = matches(value);
      if (known.size < 64) known.set(value, result);
    }
    return result;
  };
}

/** The attribute is read as the wanted type; one of another type reads as that type's zero value. */
function strictMatcher(wanted: string | number | boolean): BytesTest {
  if (typeof wanted === 'string') {
    const bytes = utf8(wanted);
    // Text that invalid bytes would also read as can't be told by its bytes.
    const isExact = !wanted.includes('\ufffd');
    return (buf, start, end) => {
      // A lone short string, as nearly all are, is compared where it lies.
      if (isExact && end - start > 1 && end - start < 128 && buf[start] === 10 && start + 2 + buf[start + 1]! === end) {
        if (end - start - 2 !== bytes.length) return false;
        for (let i = 0; i < bytes.length; i++) if (bytes[i] !== buf[start + 2 + i]) return false;
        return true;
      }
      return utf8Text(stringValue(buf, start, end) ?? new Uint8Array(0)) === wanted;
    };
  }
  if (typeof wanted === 'boolean') return (buf, start, end) => boolValue(buf, start, end) === wanted;
  const read = Number.isInteger(wanted) ? intValue : doubleValue;
  return (buf, start, end) => read(buf, start, end) === wanted;
}
