// JSON with one spelling per value: keys sorted by code unit, nothing undefined. Digests are taken over it, so its output must
// never change for a value that was ever stored.
import { LedgerError } from './errors.ts';

const MAX_DEPTH = 64;

/** @throws LedgerError `bad_content` for what isn't plain JSON data: other objects, NaN, infinities, bigints, functions, cycles. */
export function canonicalJson(value: unknown): string {
  return spell(value, 0);
}

function spell(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw notPlain(`the number ${value}`);
      return JSON.stringify(value);
    case 'object':
      if (depth >= MAX_DEPTH) throw notPlain(`data nested deeper than ${MAX_DEPTH}`);
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map((item) => spell(item, depth + 1)).join(',')}]`;
      return spellObject(value, depth);
    default:
      throw notPlain(`a ${typeof value}`);
  }
}

function spellObject(value: object, depth: number): string {
  if (Object.prototype.toString.call(value) !== '[object Object]') throw notPlain('an object that is no plain data');
  const fields = value as Record<string, unknown>;
  let text = '';
  for (const key of Object.keys(fields).sort()) {
    const field = fields[key];
    if (field === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${spell(field, depth + 1)}`;
  }
  return `{${text}}`;
}

function notPlain(what: string): LedgerError {
  return new LedgerError('bad_content', `${what} can't be stored`);
}
