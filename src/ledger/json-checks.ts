// What a parsed JSON value is. For heads and descriptions read from disk, which may hold anything.

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

/** Not negative. */
export function isCount(value: unknown): value is number {
  return isInteger(value) && value >= 0;
}

export function isList<T = unknown>(value: unknown, isItem?: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && (isItem === undefined || value.every(isItem));
}

/** An array of exactly `width` integers. */
export function isTuple(width: number): (value: unknown) => value is number[] {
  return (value): value is number[] => isList(value, isInteger) && value.length === width;
}
