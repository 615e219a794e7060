// Looks into zod schemas: the one place that knows how zod 4 keeps its definitions. Loader and generators use this view.

import type { z } from 'zod';
import { type KeyInfo, keyInfo } from './keys.ts';

type Any = z.core.$ZodType;

export interface SchemaView {
  /** What is left without wrappers and transformations. */
  core: Any;
  type: string;
  info: KeyInfo;
  about: string;
  required: boolean;
  /** As it would be written in the file. */
  defaultValue: unknown;
  hasDefault: boolean;
}

const views = new WeakMap<Any, SchemaView>();

export function look(schema: Any): SchemaView {
  let view = views.get(schema);
  if (view === undefined) {
    view = unwrap(schema);
    views.set(schema, view);
  }
  return view;
}

function unwrap(schema: Any): SchemaView {
  let core = schema;
  let info: KeyInfo = {};
  let about = '';
  let required = true;
  let defaultValue: unknown;
  let hasDefault = false;
  for (;;) {
    info = { ...(keyInfo.get(core as z.ZodType) as KeyInfo | undefined), ...info };
    about ||= (core as z.ZodType).description ?? '';
    const def = core._zod.def as z.core.$ZodTypeDef & { innerType?: Any; in?: Any; defaultValue?: unknown };
    if (def.type === 'optional') required = false;
    if ((def.type === 'prefault' || def.type === 'default') && !hasDefault) {
      required = false;
      hasDefault = true;
      defaultValue = def.defaultValue;
    }
    const inner = def.type === 'pipe' ? def.in : def.innerType;
    if (inner === undefined) return { core, type: def.type, info, about, required, defaultValue, hasDefault };
    core = inner;
  }
}

export function shapeOf(core: Any): Record<string, Any> {
  return (core as z.core.$ZodObject)._zod.def.shape as Record<string, Any>;
}

export function elementOf(core: Any): Any {
  return (core as z.core.$ZodArray)._zod.def.element;
}

export function valueTypeOf(core: Any): Any {
  return (core as z.core.$ZodRecord)._zod.def.valueType;
}

export function optionsOf(core: Any): readonly Any[] {
  return (core as z.core.$ZodUnion)._zod.def.options;
}

export function enumValues(core: Any): string[] {
  return Object.values((core as z.core.$ZodEnum)._zod.def.entries).map(String);
}

/** Every key of the schema with its dotted path, ignored and refused ones too. */
export function* allKeys(schema: Any, path: readonly string[] = []): Generator<{ path: string[]; view: SchemaView }> {
  const view = look(schema);
  if (path.length > 0) yield { path: [...path], view };
  if (view.type === 'object')
    for (const [key, child] of Object.entries(shapeOf(view.core))) yield* allKeys(child, [...path, key]);
  else if (view.type === 'record') yield* allKeys(valueTypeOf(view.core), [...path, '*']);
  else if (view.type === 'array') yield* allKeys(elementOf(view.core), [...path.slice(0, -1), `${path.at(-1)}[]`]);
}
