import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countValues } from '../../../src/otlp/json/index.ts';

const count = (text: string) => countValues(Buffer.from(text));

test('values are counted by what separates and opens them', () => {
  expect(count('{}')).toBe(1);
  expect(count('[0,0,0]')).toBe(3);
  expect(count('{"a":[{},{}],"b":1}')).toBe(8);
  expect(count('1')).toBe(0);
});

test('what stands in texts is not counted, however it is escaped', () => {
  expect(count('["{[,:"]')).toBe(1);
  expect(count(String.raw`["\"[[[","\\",0]`)).toBe(3);
  expect(count(String.raw`["\\\"[[["]`)).toBe(1);
});

/** Values inside of the outermost one. */
function inside(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, child) => sum + 1 + inside(child), 0);
}

test('there are never fewer than the parser makes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      expect(count(JSON.stringify(value))).toBeGreaterThanOrEqual(inside(value));
    }),
  );
});

test('bytes that are no JSON are counted as well', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(countValues(bytes)).toBeLessThanOrEqual(bytes.length);
    }),
  );
  expect(count('"\\')).toBe(0);
});
