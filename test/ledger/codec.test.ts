import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Column, decodeEntry, digestOf, type Entry, encodeEntry, LedgerError } from '../../src/ledger/index.ts';
import { contentOf } from './helpers.ts';

const HASH = 'ab'.repeat(32);

function entryOf(more: Partial<Entry> = {}): Entry {
  return { ...contentOf(15_000), shard: 3, claim: 2, logIdentity: 'log', prevDigest: '', digest: HASH, ...more };
}

const column: fc.Arbitrary<Column> = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.int32Array({ maxLength: 40 }),
  fc.uint32Array({ maxLength: 40 }),
  fc.float64Array({ maxLength: 40 }),
);
const name = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('__proto__', 'constructor', ''));
const record = <T>(value: fc.Arbitrary<T>) =>
  fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs));
const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const integer = fc.maxSafeNat();
const entry: fc.Arbitrary<Entry> = fc
  .record({
    tMs: integer,
    epoch: integer,
    engine: fc.string({ unit: 'grapheme' }),
    offsets: fc.array(fc.tuple(integer, integer)),
    lastRecords: fc.array(fc.tuple(integer, integer, integer, integer)),
    endsMs: fc.float64Array({ maxLength: 5 }),
    partitions: fc.array(integer, { maxLength: 4 }),
    kind: fc.constantFrom('boundary' as const, 'final' as const, 'genesis' as const),
    sections: fc.array(fc.record({ name, meta: record(json), columns: record(column) }), { maxLength: 4 }),
    shard: integer,
    claim: integer,
    logIdentity: fc.string({ unit: 'grapheme' }),
    prevDigest: fc.constantFrom('', HASH),
  })
  .map(({ endsMs, partitions, ...rest }) => ({
    ...rest,
    digest: HASH,
    ticks: { endsMs, partitions, nextOffsets: new Float64Array(endsMs.length * partitions.length).fill(1.5) },
  }));

/** Names in the order in which they are stored, so that objects compare by what they hold. */
function plain(value: Entry): unknown {
  return {
    ...value,
    sections: value.sections.map((section) => ({ ...section, columns: Object.entries(section.columns).sort() })),
  };
}

describe('an entry', () => {
  test('comes back from its bytes as it was, whatever its columns, names and meta', () => {
    fc.assert(
      fc.property(entry, (value) => {
        const bytes = encodeEntry(value);
        expect(bytes.length % 8).toBe(0);
        const back = decodeEntry(bytes);
        const order = (e: Entry) => ({
          ...e,
          sections: e.sections.map((s) => ({
            ...s,
            columns: Object.fromEntries(Object.entries(s.columns).sort(([a], [b]) => (a < b ? -1 : 1))),
          })),
        });
        expect(plain(order(back))).toEqual(plain(order(value)));
        expect(digestOf(back, back.shard, back.logIdentity)).toBe(digestOf(value, value.shard, value.logIdentity));
      }),
      { numRuns: 300 },
    );
  });

  test('keeps the bits of every double: negative zero, NaN, infinities, subnormals', () => {
    const values = Float64Array.of(-0, 0, Number.NaN, Infinity, -Infinity, 5e-324, -1.7976931348623157e308);
    const back = decodeEntry(encodeEntry(entryOf({ sections: [{ name: 's', meta: {}, columns: { values } }] })));
    expect(Buffer.from(back.sections[0]!.columns['values']!.buffer)).toEqual(Buffer.from(values.buffer));
  });

  test('stores views that are a part of a larger buffer, and gives columns that own theirs', () => {
    const large = Float64Array.from({ length: 100 }, (_, i) => i);
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
    const columns = { part: large.subarray(10, 13), odd: bytes.subarray(3, 10) };
    const back = decodeEntry(encodeEntry(entryOf({ sections: [{ name: 's', meta: {}, columns }] }))).sections[0]!
      .columns;
    expect(back['part']).toEqual(Float64Array.of(10, 11, 12));
    expect(back['odd']).toEqual(Uint8Array.of(3, 4, 5, 6, 7, 8, 9));
    expect(back['part']!.buffer.byteLength).toBe(24);
    expect(back['odd']!.buffer.byteLength).toBe(7);
  });

  test('of many megabytes comes back, compressed where that helps', () => {
    const zeros = new Float64Array(5_000_000);
    zeros[4_999_999] = 1.25;
    const bytes = encodeEntry(entryOf({ sections: [{ name: 's', meta: {}, columns: { zeros } }] }));
    expect(bytes.length).toBeLessThan(100_000);
    expect(
      Buffer.compare(Buffer.from(decodeEntry(bytes).sections[0]!.columns['zeros']!.buffer), Buffer.from(zeros.buffer)),
    ).toBe(0);
    const noise = new Uint8Array(20_000).map((_, i) => Math.imul(i, 2_654_435_761) >>> 24);
    for (let i = 1; i < noise.length; i++) noise[i] = (noise[i]! ^ (noise[i - 1]! * 167 + 13)) & 255;
    const back = decodeEntry(encodeEntry(entryOf({ sections: [{ name: 's', meta: {}, columns: { noise } }] })));
    expect(back.sections[0]!.columns['noise']).toEqual(noise);
  });

  test.each([
    ['a function', { f: () => 1 }],
    ['a bigint', { n: 1n }],
    ['NaN', { n: Number.NaN }],
    ['a Map', { m: new Map() }],
    ['a typed array', { a: new Uint8Array(1) }],
  ])('with %s in its meta is refused', (_, meta) => {
    const make = () => encodeEntry(entryOf({ sections: [{ name: 's', meta, columns: {} }] }));
    expect(make).toThrow(expect.objectContaining({ code: 'bad_content' }));
  });

  test('with a column of another type, or ticks whose lengths disagree, is refused', () => {
    const columns = { a: new Float32Array(2) as unknown as Float64Array };
    expect(() => encodeEntry(entryOf({ sections: [{ name: 's', meta: {}, columns }] }))).toThrow(/column a/);
    const ticks = { endsMs: Float64Array.of(1, 2), nextOffsets: Float64Array.of(1), partitions: [0] };
    expect(() => encodeEntry(entryOf({ ticks }))).toThrow(/nextOffsets/);
  });
});

describe('damaged bytes', () => {
  const sections = [
    { name: 's', meta: { a: 1 }, columns: { a: Float64Array.from({ length: 200 }, (_, i) => i), b: Uint8Array.of(1) } },
  ];
  const sound = encodeEntry(entryOf({ sections }));

  function refusal(bytes: Uint8Array): LedgerError {
    try {
      decodeEntry(bytes, { file: 'x.ledger', position: 0 });
    } catch (error) {
      expect(error).toBeInstanceOf(LedgerError);
      return error as LedgerError;
    }
    throw new Error('was read');
  }

  test('with any one bit flipped are refused, naming file and position', () => {
    for (let bit = 0; bit < sound.length * 8; bit += 3) {
      const bytes = sound.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(refusal(bytes).message).toContain('x.ledger at byte 0');
    }
  });

  test('cut at any byte, or with bytes behind, are refused', () => {
    for (let n = 0; n < sound.length; n++) refusal(sound.subarray(0, n));
    refusal(Buffer.concat([sound, Buffer.alloc(8)]));
  });

  test('whose checksum is right all the same are refused or read, never a crash or a giant allocation', () => {
    const reseal = (bytes: Uint8Array) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      view.setUint32(4, crc32(bytes.subarray(8), crc32(bytes.subarray(0, 4))), true);
    };
    const plainFrame = encodeEntry(
      entryOf({ sections: [{ name: 's', meta: {}, columns: { a: Float64Array.of(1) } }] }),
    );
    for (const frame of [sound, plainFrame]) {
      fc.assert(
        fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
          const bytes = frame.slice();
          bytes[at]! ^= mask;
          reseal(bytes);
          try {
            decodeEntry(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(LedgerError);
          }
        }),
        { numRuns: 2_000 },
      );
    }
    // A body that says it is 1 GiB, from a few hundred bytes.
    const bytes = sound.slice();
    new DataView(bytes.buffer).setUint32(32, 1024 * 1024 * 1024, true);
    reseal(bytes);
    expect(refusal(bytes).code).toBe('ledger_damaged');
  });

  test('of a newer format are told apart from damage', () => {
    const bytes = sound.slice();
    bytes[3] = 9;
    new DataView(bytes.buffer).setUint32(4, crc32(bytes.subarray(8), crc32(bytes.subarray(0, 4))), true);
    expect(refusal(bytes).code).toBe('ledger_incompatible');
  });

  test('of nothing but random bytes are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        refusal(bytes);
      }),
    );
  });
});
