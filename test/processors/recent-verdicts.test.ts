import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rememberVerdicts } from '../../src/processors/recent-verdicts.ts';

/** True where the bytes have an odd sum; counts how often it was asked. */
function oddSum() {
  const asked = { times: 0 };
  const ask = (buf: Uint8Array, start: number, end: number) => {
    asked.times++;
    return buf.subarray(start, end).reduce((sum, byte) => sum + byte, 0) % 2 === 1;
  };
  return { asked, ask };
}

test('a verdict is what it would be without the memory, for more values than it holds', () => {
  const { ask } = oddSum();
  const remembered = rememberVerdicts(ask);
  // Short ones come again, the others drive each other out.
  const value = fc.oneof(fc.uint8Array({ maxLength: 2 }), fc.uint8Array({ maxLength: 130 }));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 2000, size: 'max' }), fc.nat(9), (values, offset) => {
      for (const bytes of values) {
        const buf = new Uint8Array(offset + bytes.length + 3);
        buf.set(bytes, offset);
        const end = offset + bytes.length;
        if (remembered(buf, offset, end) !== ask(buf, offset, end)) throw new Error(String(bytes));
      }
    }),
    { numRuns: 50 },
  );
});

test('the same bytes are asked about once, wherever they lie, nothing among them', () => {
  const { asked, ask } = oddSum();
  const remembered = rememberVerdicts(ask);
  for (let i = 0; i < 3; i++) {
    expect(remembered(Uint8Array.of(1, 2, 4), 0, 2)).toBe(true);
    expect(remembered(Uint8Array.of(9, 1, 2), 1, 3)).toBe(true);
    expect(remembered(Uint8Array.of(9), 1, 1)).toBe(false);
  }
  expect(asked.times).toBe(2);
});

test('most of as many values as fit find their place free', () => {
  const { asked, ask } = oddSum();
  const remembered = rememberVerdicts(ask);
  for (let round = 0; round < 2; round++) for (let byte = 0; byte < 256; byte++) remembered(Uint8Array.of(byte), 0, 1);
  expect(asked.times).toBeLessThan(400);
});

test('a long value is asked about each time', () => {
  const { asked, ask } = oddSum();
  const remembered = rememberVerdicts(ask);
  for (let i = 0; i < 3; i++) expect(remembered(new Uint8Array(97).fill(1), 0, 97)).toBe(true);
  expect(asked.times).toBe(3);
});
