// Interning against a Map: equal bytes, equal id; ids count up; nothing is lost when the table grows.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteTable, isValidUtf8, utf8, utf8Text } from '../../src/bytes/index.ts';

/** Lengths around every word the comparison and the hash step by; few letters, so that strings often differ in one place only. */
const bytes = fc.oneof(
  fc.array(fc.constantFrom(0, 1, 255), { maxLength: 70 }).map((a) => Uint8Array.from(a)),
  fc
    .tuple(fc.constantFrom(3, 4, 7, 8, 12, 15, 16, 17, 31, 32, 33, 48, 511, 512, 513, 600), fc.nat(), fc.nat(3))
    .map(([n, at, value]) => {
      const filled = new Uint8Array(n).fill(7);
      filled[at % n] = value;
      return filled;
    }),
);

function internAt(table: ByteTable, value: Uint8Array, before: number, after: number): number {
  const buf = new Uint8Array(before + value.length + after).fill(99);
  buf.set(value, before);
  return table.intern(buf, new DataView(buf.buffer), before, before + value.length);
}

describe('a byte table', () => {
  test('gives equal bytes equal ids and different bytes different ones, in order of first sight', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes, fc.nat(5), fc.nat(5)), { maxLength: 60 }), (values) => {
        const table = new ByteTable();
        const model = new Map<string, number>();
        for (const [value, before, after] of values) {
          const key = Buffer.from(value).toString('hex');
          if (!model.has(key)) model.set(key, model.size);
          expect(internAt(table, value, before, after)).toBe(model.get(key));
        }
        expect(table.count).toBe(model.size);
        for (const [key, id] of model) {
          expect(Buffer.from(table.bytes(id)).toString('hex')).toBe(key);
          expect(table.length(id)).toBe(key.length / 2);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('knows whether bytes are those of an id, without interning them', () => {
    fc.assert(
      fc.property(bytes, bytes, fc.nat(9), (a, b, before) => {
        const table = new ByteTable();
        internAt(table, utf8('something else'), 0, 0);
        const id = table.internBytes(a);
        const buf = new Uint8Array(before + b.length + 3).fill(7);
        buf.set(b, before);
        const equal = Buffer.compare(a, b) === 0;
        expect(table.equals(id, buf, new DataView(buf.buffer), before, before + b.length)).toBe(equal);
        expect(table.count).toBe(2);
      }),
      { numRuns: 500 },
    );
  });

  test('keeps every string and id through many growths', () => {
    const table = new ByteTable();
    const text = (i: number) => utf8(`${'x'.repeat(i % 40)}${i}`);
    for (let i = 0; i < 50_000; i++) expect(table.internBytes(text(i))).toBe(i);
    for (let i = 0; i < 50_000; i += 7) {
      expect(table.internBytes(text(i))).toBe(i);
      expect(utf8Text(table.bytes(i))).toBe(utf8Text(text(i)));
    }
    expect(table.count).toBe(50_000);
    expect(table.sizeBytes).toBeGreaterThan(50_000 * 20);
  });

  test('takes a string that is larger than all it has', () => {
    const table = new ByteTable();
    const large = new Uint8Array(1 << 20).fill(3);
    expect(table.internBytes(utf8('small'))).toBe(0);
    expect(table.internBytes(large)).toBe(1);
    expect(table.internBytes(large)).toBe(1);
    expect(utf8Text(table.bytes(0))).toBe('small');
  });

  test('finds each of many short strings, however crowded its part of the table is', () => {
    const table = new ByteTable();
    const value = (i: number) => Uint8Array.of(i & 255, (i >> 8) & 255, (i >> 16) & 255);
    for (let i = 0; i < 100_000; i++) table.internBytes(value(i));
    for (let i = 0; i < 100_000; i += 11) expect(table.internBytes(value(i))).toBe(i);
  });
});

describe('UTF-8', () => {
  test('valid text survives both directions; a byte taken out of a rune makes it invalid', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(utf8Text(utf8(text))).toBe(text);
        expect(isValidUtf8(utf8(text))).toBe(true);
      }),
    );
    expect(isValidUtf8(utf8('é').subarray(0, 1))).toBe(false);
    expect(isValidUtf8(Uint8Array.of(0xed, 0xa0, 0x80))).toBe(false);
  });
});
