// Names of the schema's types as the documents write them.

import { elementOf, enumValues, look, optionsOf, type SchemaView } from '../src/config/schema/inspect.ts';

export function typeText(view: SchemaView): string {
  if (view.info.unit === 'duration') return 'duration';
  if (view.info.unit === 'bytes') return 'size';
  switch (view.type) {
    case 'object':
    case 'record':
      return 'map';
    case 'array':
      return look(elementOf(view.core)).type === 'object'
        ? 'list of maps'
        : `list of ${typeText(look(elementOf(view.core)))}`;
    case 'enum':
      return enumValues(view.core)
        .map((value) => (value === '' ? '`""`' : `\`${value}\``))
        .join(' \\| ');
    case 'literal':
      return `\`${Object.values((view.core._zod.def as unknown as { values: unknown[] }).values).join(', ')}\``;
    case 'union':
      return optionsOf(view.core)
        .map((option) => typeText(look(option)))
        .join(' \\| ');
    case 'boolean':
      return 'bool';
    case 'number':
      return (view.core._zod.def as { format?: string }).format !== undefined ? 'integer' : 'number';
    default:
      return view.info.secret ? 'secret' : 'text';
  }
}
