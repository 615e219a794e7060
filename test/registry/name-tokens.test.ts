// Span names as tokens: the words, numbers and signs that the sanitizer compares, and names that are not UTF-8.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOfText, looksLikeData, nameTokens, textOfBytes } from '../../src/registry/name-tokens.ts';

describe('tokens of a span name', () => {
  test.each([
    ['', []],
    ['GET /users/42', ['GET', ' ', '/', 'users', '/', '42']],
    ['a \t\u0085\u3000b', ['a', ' \t\u0085\u3000', 'b']],
    // A run that begins as hex digits is a UUID after a hyphen, and letters and numbers after any other letter.
    ['550e8400-e29b-41d4', ['550e8400-e29b-41d4']],
    ['a-b', ['a-b']],
    ['abc-xyz', ['abc-', 'xyz']],
    ['dead-beefg1', ['dead-beef', 'g1']],
    ['cache-get', ['cache', '-', 'get']],
    ['xa-b', ['xa', '-', 'b']],
    ['ａ１-ｆ', ['ａ１-ｆ']],
    ['été-1', ['été', '-', '1']],
    ['x٣y', ['x٣y']],
    ['a_b.c', ['a', '_', 'b', '.', 'c']],
    ['<_>', ['<', '_', '>']],
    ['😀😀', ['😀', '😀']],
    ['e\u0301', ['e', '\u0301']],
    // Percent-encoded bytes, and what the end cuts off.
    ['/%20x', ['/', '%20', 'x']],
    ['%zz1', ['%', 'zz1']],
    ['%4z', ['%', '4z']],
    ['tail%4', ['tail', '%4']],
    ['tail%é', ['tail', '%é']],
    ['tail%', ['tail', '%']],
    ['%%41', ['%', '%41']],
    ['a%%', ['a', '%%']],
  ])('of "%s"', (name, tokens) => {
    expect(nameTokens(name)).toEqual([...tokens, '<END>']);
  });

  test('are all of the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(nameTokens(name).slice(0, -1).join('')).toBe(name);
      }),
    );
  });

  test.each([
    ['7', true],
    ['abc0', true],
    ['%20', true],
    ['550e8400-e29b', true],
    ['٣', true],
    ['²', true],
    ['name0', false],
    ['name00', true],
    ['abcdefghij12', false],
    ['abcdefghij123', false],
    ['abcdefghij1234', true],
    ['abc', false],
    ['-', false],
    ['x1', false],
    ['x12', true],
  ])('"%s" looks like data: %s', (token, data) => {
    expect(looksLikeData(token)).toBe(data);
  });

  test('of any bytes come back as those bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.array(
        fc.constantFrom(0x41, 0x80, 0xbf, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0x80, 0xff),
      ),
    );
    fc.assert(
      fc.property(bytes, (list) => {
        const name = Uint8Array.from(list);
        const text = textOfBytes(name);
        expect(bytesOfText(text)).toEqual(name);
        expect(Buffer.concat(nameTokens(text).slice(0, -1).map(bytesOfText))).toEqual(Buffer.from(name));
      }),
      { numRuns: 500 },
    );
  });

  test('of a broken character are its bytes, one by one', () => {
    const text = textOfBytes(Uint8Array.of(0x61, 0xe2, 0x82, 0x62));
    expect(nameTokens(text)).toHaveLength(5);
  });
});
