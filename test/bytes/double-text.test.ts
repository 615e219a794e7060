// Doubles as Go's 'f' format with the shortest precision writes them.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { doubleText } from '../../src/bytes/index.ts';

describe('the text of a double', () => {
  test.each([
    [0, '0'],
    [-0, '-0'],
    [1, '1'],
    [-1.5, '-1.5'],
    [0.002, '0.002'],
    [16.384, '16.384'],
    [2500000, '2500000'],
    [0.00001, '0.00001'],
    [1e-7, '0.0000001'],
    [-1.25e-7, '-0.000000125'],
    [1e21, '1000000000000000000000'],
    [1.5e21, '1500000000000000000000'],
    [-(2 ** 80), '-1208925819614629200000000'],
    [2 ** 53, '9007199254740992'],
    [0.1 + 0.2, '0.30000000000000004'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
    [Number.MIN_VALUE, `0.${'0'.repeat(323)}5`],
    [Number.MAX_VALUE, `17976931348623157${'0'.repeat(292)}`],
  ])('of %d is %s', (value, text) => {
    expect(doubleText(value)).toBe(text);
  });

  test('reads back as the same double, without an exponent and without a figure too many', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = doubleText(value);
        expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
        expect(Object.is(Number(text), value)).toBe(true);
        expect(text.replace(/^-?0?\.?0*|[.-]/g, '').replace(/0+$/, '').length).toBeLessThanOrEqual(17);
      }),
      { numRuns: 2000 },
    );
  });
});
