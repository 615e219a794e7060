// The words the schema is written in: blocks, durations, sizes, secrets, and keys that are accepted and ignored or refused with a
// hint. What zod can't say of a key is kept in `keyInfo`, which the loader and the generated documents read.

import { z } from 'zod';
import { parseBytes, parseDuration } from '../duration.ts';

export interface KeyInfo {
  verdict?: 'ignored' | 'refused';
  /** Why it is ignored, or what to write instead of a refused key. */
  why?: string;
  /** Values that need no word: what happens here anyway, or what Tempo does when nothing is written. */
  harmless?: readonly unknown[];
  /** Values of an ignored key that must not be passed over. */
  refusedValues?: { values: readonly unknown[]; hint: string };
  /** Keys at this place that are ignored without being listed, by pattern. */
  ignoredPatterns?: readonly RegExp[];
  /** Inside an ignored block: what would be dangerous to ignore. */
  refusedInside?: readonly { path: readonly string[]; harmless: readonly unknown[]; hint: string }[];
  secret?: boolean;
  unit?: 'duration' | 'bytes';
  /** Keys may carry a name after a slash, which means nothing here: `otlp/2`. */
  namedKeys?: boolean;
  /** A block of overrides: flat keys of older files are moved to their place first. */
  flatShape?: 'overrides' | 'tenant';
  /** A null here means something (off), so it is kept. */
  nullMeans?: string;
}
export const keyInfo = z.registry<KeyInfo>();

type Camel<S> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S;
export type CamelKeys<T> = { [K in keyof T as Camel<K>]: T[K] };

/** Renames the keys of one object; what they hold stays as it is. */
function camelKeys<T extends object>(value: T): CamelKeys<T> {
  const renamed = Object.entries(value).map(([key, held]) => [
    key.replace(/_(\w)/g, (_, c: string) => c.toUpperCase()),
    held,
  ]);
  return Object.fromEntries(renamed) as CamelKeys<T>;
}

/** A map with known keys; in the result they are in camelCase. */
export function block<S extends z.core.$ZodShape>(about: string, shape: S, info: KeyInfo = {}) {
  return z
    .strictObject(shape)
    .transform((value) => camelKeys(value))
    .describe(about)
    .register(keyInfo, info);
}

export function text(about: string) {
  return z.string().describe(about);
}

/** To listen on: without a host, on all addresses. */
export function hostPort(about: string) {
  return z.string().refine(isHostPort, { error: 'must be host:port' }).describe(about);
}

/** To connect to. */
const broker = z.string().refine(isBroker, { error: 'must be host:port' });

export function brokers(about: string) {
  return z.array(broker).describe(about);
}

/** In one text, with commas between them. */
export function brokerList(about: string) {
  return z
    .string()
    .refine((list) => list === '' || list.split(',').every((one) => isBroker(one.trim())), {
      error: 'must be host:port, or a list of these with commas',
    })
    .describe(about);
}

function isBroker(value: string): boolean {
  return isHostPort(value) && !value.startsWith(':');
}

function isHostPort(value: string): boolean {
  const matched = /^(?:\[[0-9A-Fa-f:.]+\]|[^:\s]*):(\d{1,5})$/.exec(value);
  return matched !== null && Number(matched[1]) < 65_536;
}

const MASKS = ['<secret>', '********'];

/** Never printed. A value copied from a printed configuration is recognised and refused. */
export function secret(about: string) {
  return z
    .string()
    .refine((value) => !MASKS.includes(value), { error: 'the value is a mask that was printed in place of the secret' })
    .describe(about)
    .register(keyInfo, { secret: true });
}

export function flag(about: string) {
  return z.boolean().describe(about);
}

export function integer(about: string, limits: { min?: number; max?: number } = {}) {
  return z
    .int()
    .min(limits.min ?? 0)
    .max(limits.max ?? Number.MAX_SAFE_INTEGER)
    .describe(about);
}

/** Written `30s`, read as milliseconds. */
export function duration(about: string, limits: { minMs?: number; wholeSeconds?: boolean } = {}) {
  return z
    .string()
    .transform((written, context) => {
      const parsed = parseDuration(written);
      const fail = (message: string): never => {
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      };
      if ('error' in parsed) return fail(parsed.error);
      if (limits.minMs !== undefined && parsed.ok < limits.minMs)
        return fail(`must be at least ${limits.minMs}ms, not ${written}`);
      if (limits.wholeSeconds && parsed.ok % 1000 !== 0) return fail(`must be whole seconds, not ${written}`);
      return parsed.ok;
    })
    .describe(about)
    .register(keyInfo, { unit: 'duration' });
}

/** Written `64MiB` or as plain bytes, read as bytes. */
export function byteSize(about: string, minBytes = 1) {
  return z
    .string()
    .transform((written, context) => {
      const parsed = parseBytes(written);
      if ('ok' in parsed && parsed.ok >= minBytes) return parsed.ok;
      context.addIssue({
        code: 'custom',
        message: 'error' in parsed ? parsed.error : `must be at least ${minBytes} bytes`,
      });
      return z.NEVER;
    })
    .describe(about)
    .register(keyInfo, { unit: 'bytes' });
}

export function texts(about: string) {
  return z.array(z.string()).describe(about);
}

export function textMap(about: string) {
  return z.record(z.string(), z.string()).describe(about);
}

/**
 * Accepted, does nothing. With `harmless` any other value is said in a line of its own (an empty list: every value is); without,
 * the key is only named together with others.
 */
export function ignored(why: string, harmless?: readonly unknown[], refusedValues?: KeyInfo['refusedValues']) {
  return z
    .unknown()
    .optional()
    .register(keyInfo, {
      verdict: 'ignored',
      why,
      ...(harmless && { harmless }),
      ...(refusedValues && { refusedValues }),
    });
}

/** A block that is accepted with any content. `harmless` as with `ignored`. */
export function opaque(
  why: string,
  refusedInside: NonNullable<KeyInfo['refusedInside']> = [],
  harmless?: readonly unknown[],
) {
  return z
    .unknown()
    .optional()
    .register(keyInfo, { verdict: 'ignored', why, refusedInside, ...(harmless && { harmless }) });
}

/** An error with a hint, unless the value is harmless. */
export function refused(why: string, harmless: readonly unknown[] = []) {
  return z.unknown().optional().register(keyInfo, { verdict: 'refused', why, harmless });
}
