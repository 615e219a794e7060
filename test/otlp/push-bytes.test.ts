// Tempo's Kafka record value: traces, ids that are not read, and the flag that asks for no metrics.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError, readPushBytes } from '../../src/otlp/index.ts';
import { varint } from './noisy-encoder.ts';

function record(fields: [tag: number, value: Uint8Array | number][]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      fields.flatMap(([tag, value]) =>
        typeof value === 'number' ? [varint(tag), varint(value)] : [varint(tag), varint(value.length), value],
      ),
    ),
  );
}

describe('a push-bytes record', () => {
  test('gives its traces in order, whatever else is in it', () => {
    const field = fc.oneof(
      fc.tuple(fc.constant(18), fc.uint8Array({ maxLength: 200 })),
      fc.tuple(fc.constant(26), fc.uint8Array({ minLength: 16, maxLength: 16 })),
      fc.tuple(fc.constantFrom(10, 34, 50, 1002), fc.uint8Array({ maxLength: 20 })),
    );
    fc.assert(
      fc.property(fc.array(field), fc.option(fc.boolean()), (fields, skip) => {
        const flag: [number, number][] = skip === null ? [] : [[40, skip ? 1 : 0]];
        const bytes = record([...fields, ...flag]);
        const read = readPushBytes(bytes);
        expect(read.traces.map(({ start, end }) => bytes.slice(start, end))).toEqual(
          fields.filter(([tag]) => tag === 18).map(([, body]) => body),
        );
        expect(read.skipMetrics).toBe(skip === true);
      }),
    );
  });

  test('takes the last flag of several', () => {
    expect(
      readPushBytes(
        record([
          [40, 1],
          [40, 0],
        ]),
      ).skipMetrics,
    ).toBe(false);
    expect(
      readPushBytes(
        record([
          [40, 0],
          [40, 3],
        ]),
      ).skipMetrics,
    ).toBe(true);
  });

  test('is refused where it is cut off or a known field is of a wrong type', () => {
    const whole = record([[18, Uint8Array.of(1, 2, 3)]]);
    for (let n = 1; n < whole.length; n++) expect(() => readPushBytes(whole.slice(0, n))).toThrow(DecodeError);
    expect(() => readPushBytes(record([[16, 1]]))).toThrow(DecodeError);
    expect(() => readPushBytes(record([[42, new Uint8Array(1)]]))).toThrow(DecodeError);
  });
});
