import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRegex, compileWholeRegex } from '../../src/config/index.ts';

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
    ['^*a', 'a', true],
    ['(?i)k', '\u212a', true],
    ['.', '\ud800', true],
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
    'a{1001}',
    '[z-a]',
    '\\C',
    '[[:nope:]]',
  ])('refuses %s', (pattern) => {
    expect(() => compileRegex(pattern)).toThrow(SyntaxError);
    expect(() => compileWholeRegex(pattern)).toThrow(`"${pattern}" is no regular expression: `);
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

  // The groups are what Go's regexp says.
  it.each([
    ['(a|ab)(c|bcd)?', 'abcd', ['abcd', 'a', 'bcd']],
    ['(a+)(?U)(a+)', 'aaa', ['aaa', 'aa', 'a']],
    ['(?U)(a+)', 'aaa', ['a', 'a']],
    ['(a)|(b)', 'xb', ['b', undefined, 'b']],
    ['(a*)*', 'b', ['', '']],
    ['(a|b)*', 'ab', ['ab', 'b']],
    ['(.)\\b', 'é a', [' ', ' ']],
  ])('%s takes of %j the groups %j', (pattern, text, groups) => {
    expect([...compileRegex(pattern).match(text)!.groups]).toEqual(groups);
  });

  it('knows groups by their names, whatever these are', () => {
    const { named } = compileRegex('(?P<a>x)(?<__proto__>y)|(?P<b>z)').match('xy')!;
    expect(Object.entries(named)).toEqual([
      ['a', 'x'],
      ['__proto__', 'y'],
      ['b', undefined],
    ]);
    expect(compileRegex('x').match('x')!.named).not.toHaveProperty('toString');
    expect(compileRegex('x').match('y')).toBeUndefined();
  });
});

describe('one for the whole of a text', () => {
  it.each([
    ['fo+', 'foo', true],
    ['fo+', 'foox', false],
    ['fo+', 'xfoo', false],
    ['a|ab', 'ab', true],
    ['a.b', 'a\nb', true],
    ['(?-s)a.b', 'a\nb', false],
    ['(?m)^a$', 'a\nb', false],
    ['a', 'a\n', false],
    ['', '', true],
    ['', 'a', false],
  ])('%s on %j: %s', (pattern, text, matches) => {
    const regex = compileWholeRegex(pattern);
    // The second time it is remembered.
    for (let i = 0; i < 2; i++) {
      expect(regex.test(text)).toBe(matches);
      expect(regex.match(text)?.groups[0]).toBe(matches ? text : undefined);
    }
  });

  it.each(['a)|(b', '\\Qa', 'a\\'])('refuses %s, which would not stay inside the anchors', (pattern) => {
    expect(() => compileWholeRegex(pattern)).toThrow(`"${pattern}" is no regular expression: `);
  });

  it('answers the same for more texts than it remembers, in any order', () => {
    const regex = compileWholeRegex('[0-9]*[05](x*)');
    const text = fc.tuple(fc.nat(3000), fc.constantFrom('', 'x', 'x'.repeat(300))).map(([n, tail]) => `${n}${tail}`);
    fc.assert(
      fc.property(fc.array(text, { minLength: 1000, maxLength: 3000, size: 'max' }), (texts) => {
        for (const one of texts) {
          const native = /^[0-9]*[05](x*)$/.exec(one);
          if (regex.test(one) !== (native !== null)) throw new Error(one);
          if (regex.match(one)?.groups[1] !== native?.[1]) throw new Error(one);
        }
      }),
      { numRuns: 10 },
    );
  });
});

// An engine that tries every way would not come back from the first ones, and is seen to think about the others.
describe('patterns on which other engines run away', () => {
  const LONGEST_LABEL = 2048;
  it.each([
    ['(/?[a-z0-9]+)*/health', `${'a'.repeat(60)}!`],
    ['^(/?[a-z0-9]+)*/health$', `${'a'.repeat(60)}!/health`],
    ['^(/?[a-z0-9]+)*/health$', `${'a'.repeat(LONGEST_LABEL)}!/health`],
    ['^(a*)*$', `${'a'.repeat(LONGEST_LABEL)}!`],
    ['^(a|a)*$', `${'a'.repeat(LONGEST_LABEL)}!`],
    ['^(a|aa)+$', `${'a'.repeat(LONGEST_LABEL)}!`],
    ['^(x+x+)+y$', `${'x'.repeat(LONGEST_LABEL)}!y`],
    ['^(?:a?){500}a{500}$', `${'a'.repeat(499)}`],
    ['.*.*.*.*.*.*x$', `x${'a'.repeat(LONGEST_LABEL)}`],
  ])('%s says no', (pattern, text) => {
    expect(compileRegex(pattern).test(text)).toBe(false);
    expect(compileRegex(pattern).match(text)).toBeUndefined();
    expect(compileWholeRegex(pattern).match(text)).toBeUndefined();
  });
});

/** What RE2 and JavaScript write and read the same way; they differ in repetitions of what may be empty. */
const simplePattern = fc.letrec<{ pattern: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', 'é', '-', '[a-c]', '[^a]', '[^b-é]', '\\d', '\\w', '^', '$', '\\b', '[^\\n]'),
    tie('pattern').map((inner) => `(${inner})`),
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}'))
      .map(([inner, times]) => `(?:(?:${inner})x)${times}`),
  ),
  pattern: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('atom'),
    fc.array(tie('atom'), { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map((either) => either.join('|')),
  ),
})).pattern;

it('takes the match that JavaScript takes, where both read a pattern the same way', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'x', 'é', '-', '1', ' ', '\n'), maxLength: 12 });
  fc.assert(
    fc.property(simplePattern, fc.array(text, { minLength: 1, maxLength: 5 }), (pattern, texts) => {
      const regex = compileRegex(pattern);
      const whole = compileWholeRegex(pattern);
      for (const one of texts) {
        const native = new RegExp(pattern, 'u').exec(one);
        expect(regex.test(one)).toBe(native !== null);
        expect(regex.match(one)?.groups[0]).toBe(native?.[0]);
        expect(whole.test(one)).toBe(new RegExp(`^(?:${pattern})$`, 'u').test(one));
      }
    }),
    { numRuns: 2000 },
  );
});
