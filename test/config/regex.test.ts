import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRegex } from '../../src/config/index.ts';

describe('regular expressions of RE2', () => {
  it.each([
    ['(?i)get', 'GET', true],
    ['a(?i)b|c', 'C', true],
    ['a(?i)b|c', 'AB', false],
    ['(a(?i)b)c', 'aBc', true],
    ['(a(?i)b)c', 'aBC', false],
    ['(?i:a)b', 'Ab', true],
    ['(?i:a)b', 'AB', false],
    ['^/api/v\\d+$', '/api/v12', true],
    ['[[:alpha:]]+\\-x', 'abc-x', true],
    ['[^[:digit:]]', '7', false],
    ['[[:^digit:]]', '7', false],
    ['\\Qa.b\\E+', 'a.bbb', true],
    ['\\Qa.b\\E', 'axb', false],
    ['(?P<name>a)\\z', 'ba', true],
    ['\\Aa', 'ba', false],
    ['{x}', '{x}', true],
    ['x{,2}', 'x{,2}', true],
    ['[]a]', ']', true],
    ['[a-]', '-', true],
    ['.', '\n', false],
    ['.', '\r', true],
    ['(?s).', '\n', true],
    ['(?m)^b$', 'a\nb\nc', true],
    ['^b$', 'a\nb\nc', false],
    ['(?m)^b', 'a\rb', false],
    ['\\s', '\u00a0', false],
    ['\\pL', 'é', true],
    ['\\p{Greek}', 'λ', true],
    ['\\P{Greek}', 'λ', false],
    ['\\x41\\x{42}', 'AB', true],
    ['\\/\\:\\"\\-', '/:"-', true],
    ['a*?b+?', 'b', true],
    ['', '', true],
  ])('%s on %j: %s', (pattern, text, matches) => {
    expect(compileRegex(pattern).test(text)).toBe(matches);
  });

  it.each([
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(?<!a)b',
    '(a)\\1',
    'a**',
    '*a',
    '(',
    ')',
    '[a',
    'a\\',
    '(?U)a',
    'a{1001}',
    '[z-a]',
    '\\C',
    '[[:nope:]]',
  ])('refuses %s', (pattern) => {
    expect(() => compileRegex(pattern)).toThrow(SyntaxError);
  });

  it('finds any quoted text in itself and matches nothing shorter', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        fc.pre(!text.includes('\\E'));
        const regex = compileRegex(`^\\Q${text}\\E$`);
        expect(regex.test(text)).toBe(true);
        expect(regex.test(`${text}x`)).toBe(false);
      }),
    );
  });
});
