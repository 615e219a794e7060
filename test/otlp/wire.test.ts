// Varints, lengths and sizes by themselves, against protobufjs.

import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { at, DecodeError, fieldSize, length, skip, tagAt, varint, varint32, varintSize } from '../../src/otlp/wire.ts';
import { varint as encodeVarint } from './noisy-encoder.ts';

const uint64 = fc.oneof(
  fc.bigInt(0n, 2n ** 64n - 1n),
  fc.nat(70).map((n) => BigInt.asUintN(64, (1n << BigInt(n)) - 1n)),
);

describe('a varint', () => {
  test('reads back: exactly below 2^53, nearly above, and its low 32 bits always', () => {
    fc.assert(
      fc.property(uint64, fc.nat(3), (value, before) => {
        const bytes = new Uint8Array([...new Array(before).fill(255), ...encodeVarint(value), 1]);
        const wide = varint(bytes, before, bytes.length);
        expect(at).toBe(bytes.length - 1);
        if (value < 2n ** 53n) expect(wide).toBe(Number(value));
        else expect(Math.abs(wide / Number(value) - 1)).toBeLessThan(1e-15);
        expect(varint32(bytes, before, bytes.length)).toBe(Number(BigInt.asIntN(32, value)));
        expect(at).toBe(bytes.length - 1);
        expect(protobuf.Reader.create(bytes.slice(before)).int32()).toBe(Number(BigInt.asIntN(32, value)));
      }),
    );
  });

  test('takes as many bytes as varintSize says', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 53n), (value) => {
        expect(varintSize(Number(value))).toBe(encodeVarint(value).length);
      }),
    );
    for (let bits = 1; bits <= 53; bits++) {
      const edge = 2n ** BigInt(bits);
      for (const value of [edge - 1n, edge]) expect(varintSize(Number(value))).toBe(encodeVarint(value).length);
    }
  });

  test('that is cut off or longer than ten bytes is refused', () => {
    for (let n = 0; n < 10; n++) {
      const bytes = new Uint8Array(n).fill(200);
      for (const read of [varint, varint32, length, tagAt]) {
        expect(() => read(bytes, 0, n)).toThrow(expect.objectContaining({ reason: 'truncated' }));
      }
    }
    const long = new Uint8Array(11).fill(200);
    for (const read of [varint, varint32]) {
      expect(() => read(long, 0, 11)).toThrow(expect.objectContaining({ reason: 'varint' }));
    }
  });

  test('is not read past the end that was given, whatever stands behind it', () => {
    const bytes = Uint8Array.of(200, 1, 1, 1);
    expect(() => varint(bytes, 0, 1)).toThrow(DecodeError);
    expect(() => varint32(bytes, 0, 1)).toThrow(DecodeError);
    expect(() => tagAt(bytes, 0, 1)).toThrow(DecodeError);
    expect(() => length(bytes, 0, 1)).toThrow(DecodeError);
  });
});

describe('a length', () => {
  test('is taken where the body fits and refused where it does not, for one byte, two bytes and more', () => {
    for (const n of [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000]) {
      const prefix = encodeVarint(n);
      const bytes = new Uint8Array(prefix.length + n + 1);
      bytes.set(prefix);
      expect(length(bytes, 0, prefix.length + n)).toBe(n);
      expect(at).toBe(prefix.length);
      expect(length(bytes, 0, bytes.length)).toBe(n);
      if (n > 0) expect(() => length(bytes, 0, prefix.length + n - 1)).toThrow(DecodeError);
    }
  });

  test('of nearly 2^64 is refused', () => {
    expect(() => length(new Uint8Array([...encodeVarint(2n ** 64n - 1n), 0]), 0, 11)).toThrow(DecodeError);
  });
});

describe('a tag', () => {
  test('of field 0 or above 32 bits is refused', () => {
    for (const tag of [0n, 1n, 7n, 2n ** 32n, 2n ** 60n]) {
      const bytes = encodeVarint(tag);
      expect(() => tagAt(bytes, 0, bytes.length)).toThrow(expect.objectContaining({ reason: 'tag' }));
    }
    const largest = encodeVarint(2n ** 32n - 1n);
    expect(tagAt(largest, 0, largest.length)).toBe(2 ** 32 - 1);
  });
});

describe('skipping', () => {
  test('moves behind the value of every wire type and refuses groups and values that are cut off', () => {
    const sizes = new Map([
      [0, 3],
      [1, 8],
      [2, 6],
      [5, 4],
    ]);
    const bytes = Uint8Array.of(133, 128, 1, 9, 9, 9, 9, 9, 9);
    bytes[0] = 133;
    for (const [type, size] of sizes) {
      const buf = type === 2 ? Uint8Array.of(5, 1, 2, 3, 4, 5) : bytes;
      expect(skip(buf, 800 + type, 0, buf.length)).toBe(size);
      expect(() => skip(buf, 800 + type, 0, size - 1)).toThrow(DecodeError);
    }
    for (const type of [3, 4, 6, 7]) {
      expect(() => skip(bytes, 800 + type, 0, 9)).toThrow(expect.objectContaining({ reason: 'wire_type' }));
    }
  });

  test('a field of n bytes takes as many bytes as protobufjs writes', () => {
    for (const n of [0, 1, 127, 128, 16_383, 16_384]) {
      expect(fieldSize(n)).toBe(protobuf.Writer.create().uint32(10).bytes(new Uint8Array(n)).finish().length);
    }
  });
});
