import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareUtf8 } from '../../src/index.ts';

// Characters from both sides of the surrogates, so that the two orders differ often.
const text = fc.string({
  unit: fc.constantFrom(
    'A',
    'Z',
    '_',
    'a',
    'z',
    'é',
    '\ud7ff',
    '\ue000',
    '\ufffd',
    '\uffff',
    '\u{10000}',
    '\u{1f600}',
    '\u{10ffff}',
  ),
  maxLength: 6,
});

describe('the order of UTF-8 bytes', () => {
  it('is the order in which the encoded bytes compare', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2000 },
    );
  });

  it('is the same for any Unicode text', () => {
    const any = fc.string({ unit: 'binary', maxLength: 8 });
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 1000 },
    );
  });

  it('puts a supplementary character after the last one of the basic plane, unlike UTF-16', () => {
    expect('\u{10000}' < '\uffff').toBe(true);
    expect(compareUtf8('\u{10000}', '\uffff')).toBeGreaterThan(0);
  });

  it('puts upper case before the underscore before lower case', () => {
    expect(['a', '_', 'A'].sort(compareUtf8)).toEqual(['A', '_', 'a']);
  });

  it('puts a prefix first', () => {
    expect(compareUtf8('le', 'le2')).toBeLessThan(0);
    expect(compareUtf8('le', 'le')).toBe(0);
  });
});
