// The text of attribute values, against a plain reading of the same message.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringValue, valueText } from '../../src/otlp/index.ts';
import { anyValue } from './arbitrary.ts';
import { choices, noisy } from './noisy-encoder.ts';
import { encode, type Message } from './otlp-proto.ts';

const bytes = (text: string) => Buffer.from(text);

/** Doubles by BigInt and toPrecision, without anything of the code that is tested. */
function plainDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Math.abs(value) === Number.POSITIVE_INFINITY) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  let digits = 1;
  while (digits < 17 && Number(value.toPrecision(digits)) !== value) digits++;
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string];
  const sign = value < 0 ? '-' : '';
  let figures = mantissa.replace('-', '').replace('.', '');
  // Halfway between two, the even one is meant; toExponential takes the larger.
  const rest = value.toExponential(100).replace('-', '').replace('.', '').split('e')[0]!.slice(digits);
  if (/^50*$/.test(rest) && Number(figures.at(-1)) % 2 === 1) figures = String(BigInt(figures) - 1n);
  const point = 1 + Number(exponent);
  const padded = '0'.repeat(Math.max(0, 1 - point)) + figures + '0'.repeat(Math.max(0, point - figures.length));
  const whole = padded.slice(0, Math.max(1, point));
  const fraction = padded.slice(Math.max(1, point)).replace(/0+$/, '');
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

function plainText(value: Message | undefined): Buffer {
  const v = value ?? {};
  if (v['stringValue'] !== undefined) return Buffer.from(v['stringValue'] as Uint8Array);
  if (v['boolValue'] !== undefined) return bytes(String(v['boolValue']));
  if (v['intValue'] !== undefined) return bytes(String(v['intValue']));
  if (v['doubleValue'] !== undefined) return bytes(plainDouble(v['doubleValue'] as number));
  const values = (message: unknown) => ((message as Message)['values'] ?? []) as Message[];
  if (v['arrayValue'] !== undefined) {
    return Buffer.concat([bytes('['), ...values(v['arrayValue']).map(plainText), bytes(']')]);
  }
  if (v['kvlistValue'] !== undefined) {
    const pairs = values(v['kvlistValue']).flatMap((pair) => [
      Buffer.from((pair['key'] ?? new Uint8Array(0)) as Uint8Array),
      bytes(':'),
      plainText(pair['value'] as Message | undefined),
    ]);
    return Buffer.concat([bytes('{'), ...pairs, bytes('}')]);
  }
  return Buffer.alloc(0);
}

describe('the text of an attribute value', () => {
  test('is that of a plain reading, however the value is encoded', () => {
    fc.assert(
      fc.property(anyValue, fc.integer(), (value, seed) => {
        const encoded = noisy('AnyValue', value, choices(seed));
        expect(Buffer.from(valueText(encoded, 0, encoded.length))).toEqual(plainText(value));
      }),
      { numRuns: 1000 },
    );
  });

  test('of a double never has an exponent and reads back as the same double', () => {
    fc.assert(
      fc.property(fc.double(), (doubleValue) => {
        const encoded = encode('AnyValue', { doubleValue });
        expect(Buffer.from(valueText(encoded, 0, encoded.length)).toString()).toBe(plainDouble(doubleValue));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    [-978030076258148.25, '-978030076258148.2'],
    [978030076258148.75, '978030076258148.8'],
  ])('of %d, halfway between two, is the even one', (doubleValue, text) => {
    const encoded = encode('AnyValue', { doubleValue });
    expect(Buffer.from(valueText(encoded, 0, encoded.length)).toString()).toBe(text);
  });

  test('as a string is there for strings only', () => {
    fc.assert(
      fc.property(anyValue, fc.integer(), (value, seed) => {
        const encoded = noisy('AnyValue', value, choices(seed));
        const read = stringValue(encoded, 0, encoded.length);
        const wanted = value['stringValue'] as Uint8Array | undefined;
        expect(read === undefined ? undefined : new Uint8Array(read)).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });
});
