// The buffers of sections, so that they move to another thread instead of being copied. Only of columns that own their buffer.

import type { Section } from '../registry/index.ts';

export function transferablesOf(sections: readonly Section[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const section of sections) {
    for (const column of Object.values(section.columns)) {
      if (
        column.byteLength > 0 &&
        column.byteLength === column.buffer.byteLength &&
        column.buffer instanceof ArrayBuffer
      ) {
        buffers.add(column.buffer);
      }
    }
  }
  return [...buffers];
}
