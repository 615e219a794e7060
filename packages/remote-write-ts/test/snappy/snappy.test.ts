import fc from 'fast-check';
import * as snappyjs from 'snappyjs';
import { describe, expect, it } from 'vitest';
import { SnappyError, snappyCompress, snappyUncompress } from '../../src/index.ts';
import { compressInto, maxCompressedLength, putCopy, putLiteral, putPreamble } from '../../src/snappy/index.ts';
import { plainCompress } from './plain.ts';

const MAX_BYTES = 1 << 24;

// Repeating, overlapping and random stretches, at lengths on both sides of every border of the format.
const stretch = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 80 }))
    .map(([unit, times]) => repeat(unit, times)),
  fc
    .tuple(fc.nat(255), fc.constantFrom(59, 60, 61, 64, 65, 67, 68, 69, 255, 256, 257, 4096))
    .map(([byte, length]) => new Uint8Array(length).fill(byte)),
);
const data = fc.array(stretch, { maxLength: 12 }).map((parts) => Uint8Array.from(Buffer.concat(parts)));

function repeat(unit: Uint8Array, times: number): Uint8Array {
  return Uint8Array.from(Buffer.concat(Array.from({ length: times }, () => unit)));
}

// A generator of its own, so that the large cases are the same each time.
function noise(length: number, alphabet: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 16) % alphabet;
  });
}

function codeOf(hex: string, maxBytes = MAX_BYTES): string | undefined {
  try {
    snappyUncompress(Buffer.from(hex, 'hex'), maxBytes);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SnappyError);
    return (error as SnappyError).code;
  }
}

describe('compressing', () => {
  it('gives what another implementation uncompresses to the same bytes, within the bound of the format', () => {
    fc.assert(
      fc.property(data, (bytes) => {
        const compressed = snappyCompress(bytes);
        expect(compressed.length).toBeLessThanOrEqual(maxCompressedLength(bytes.length));
        expect(Buffer.compare(snappyjs.uncompress(compressed), bytes)).toBe(0);
        expect(Buffer.compare(snappyUncompress(compressed, bytes.length), bytes)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('gives the bytes of the plainest form of its search, and writes nothing behind the room that it asks for', () => {
    const check = (bytes: Uint8Array) => {
      const needed = maxCompressedLength(bytes.length);
      const room = new Uint8Array(needed + 8).fill(0xa5);
      const length = compressInto(bytes, room.subarray(0, needed));
      expect(Buffer.compare(room.subarray(0, length), plainCompress(bytes))).toBe(0);
      expect(room.subarray(needed).every((byte) => byte === 0xa5)).toBe(true);
    };
    fc.assert(fc.property(data, check), { numRuns: 500 });
    for (const alphabet of [1, 2, 3, 5, 256]) {
      for (let length = 0; length < 400; length += length < 40 ? 1 : 7) check(noise(length, alphabet, length));
      check(noise(140_000, alphabet, 1));
    }
    // Literals of all lengths that the search can stop at, also those of 256 and 257 bytes, between which the header grows.
    const zeros = new Uint8Array(30);
    for (let length = 0; length < 300; length++) {
      check(Uint8Array.from([...noise(length, 256, length), ...zeros]));
      check(Uint8Array.from([...zeros, ...noise(length, 256, length), ...zeros]));
    }
    // Text between stretches that repeat: literals of all sizes, matches at all distances.
    const parts = Array.from({ length: 300 }, (_, i) => [noise(i % 97, 256, i), noise(3 + ((i * 7) % 90), 2, i % 5)]);
    check(Uint8Array.from(Buffer.concat(parts.flat())));
  });

  it('works across its blocks of 64 KiB, for data that compresses and data that does not', () => {
    for (const length of [65_535, 65_536, 65_537, 65_551, 131_072, 300_001]) {
      for (const alphabet of [1, 2, 4, 256]) {
        const bytes = noise(length, alphabet, length + alphabet);
        const compressed = snappyCompress(bytes);
        expect(compressed.length).toBeLessThanOrEqual(maxCompressedLength(length));
        expect(Buffer.compare(snappyjs.uncompress(compressed), bytes)).toBe(0);
        expect(Buffer.compare(snappyUncompress(compressed, length), bytes)).toBe(0);
      }
    }
  });

  it('writes literals of every length, also those of more than 16 MiB that blocks never have', () => {
    for (const length of [1, 60, 61, 256, 257, 65_536, 65_537, 0x100_0000, 0x100_0001]) {
      const bytes = new Uint8Array(length).map((_, i) => i * 7);
      const compressed = new Uint8Array(maxCompressedLength(length));
      const end = putLiteral(bytes, 0, length, compressed, putPreamble(compressed, length));
      expect(Buffer.compare(snappyjs.uncompress(compressed.subarray(0, end)), bytes)).toBe(0);
    }
  });

  it('writes copies of every length and offset', () => {
    const first = noise(65_535, 256, 4);
    for (const offset of [1, 2, 3, 7, 2047, 2048, 65_535]) {
      for (const length of [1, 2, 3, 4, 11, 12, 59, 60, 61, 63, 64, 65, 66, 67, 68, 128, 131, 132, 1000]) {
        const compressed = new Uint8Array(70_000);
        const start = putLiteral(first, 0, first.length, compressed, putPreamble(compressed, first.length + length));
        const end = putCopy(compressed, start, offset, length);
        const expected = Buffer.concat([first, Buffer.alloc(length)]);
        for (let i = first.length; i < expected.length; i++) expected[i] = expected[i - offset]!;
        const stream = compressed.subarray(0, end);
        expect(Buffer.compare(snappyjs.uncompress(stream), expected)).toBe(0);
      }
    }
  });

  it('makes text that repeats much smaller', () => {
    const line = Buffer.from('calls_total{service="checkout",span_name="GET /cart"} 1\n');
    const compressed = snappyCompress(repeat(line, 1000));
    expect(compressed.length).toBeLessThan((line.length * 1000) / 18);
  });

  it('gives an empty input its one byte', () => {
    expect([...snappyCompress(new Uint8Array(0))]).toEqual([0]);
    expect(snappyUncompress(Uint8Array.of(0), 0)).toHaveLength(0);
  });

  it('reads only its part of a larger buffer', () => {
    const whole = noise(5000, 3, 9);
    const part = whole.subarray(1001, 4003);
    expect(Buffer.compare(snappyjs.uncompress(snappyCompress(part)), part)).toBe(0);
  });
});

describe('uncompressing', () => {
  it('reads what another implementation compressed', () => {
    fc.assert(
      fc.property(data, (bytes) => {
        expect(Buffer.compare(snappyUncompress(Uint8Array.from(snappyjs.compress(bytes)), bytes.length), bytes)).toBe(
          0,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('reads every form of element', () => {
    const text = (hex: string) => Buffer.from(snappyUncompress(Buffer.from(hex, 'hex'), 100)).toString();
    expect(text('0308616263')).toBe('abc');
    expect(text('03f002616263')).toBe('abc');
    expect(text('03f40200616263')).toBe('abc');
    expect(text('03f8020000616263')).toBe('abc');
    expect(text('03fc02000000616263')).toBe('abc');
    expect(text('080461620902')).toBe('abababab');
    expect(text('07046162120200')).toBe('abababa');
    expect(text('070461621302000000')).toBe('abababa');
  });

  it('answers any input with bytes of the promised length or with a SnappyError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(1 << 16), (bytes, maxBytes) => {
        try {
          expect(snappyUncompress(bytes, maxBytes).length).toBeLessThanOrEqual(maxBytes);
        } catch (error) {
          expect(error).toBeInstanceOf(SnappyError);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('answers a damaged or cut stream the same way, and never with more than it promised', () => {
    fc.assert(
      fc.property(data, fc.nat(), fc.nat(255), fc.nat(), (bytes, at, byte, end) => {
        const damaged = snappyCompress(bytes);
        damaged[at % damaged.length] = byte;
        try {
          snappyUncompress(damaged.subarray(0, end % (damaged.length + 1)), MAX_BYTES);
        } catch (error) {
          expect(error).toBeInstanceOf(SnappyError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('says what is wrong', () => {
    expect(codeOf('')).toBe('truncated');
    expect(codeOf('80')).toBe('truncated');
    expect(codeOf('ffffffffff')).toBe('bad_preamble');
    expect(codeOf('ffffffff1f')).toBe('bad_preamble');
    expect(codeOf('0308616263', 2)).toBe('too_large');
    expect(codeOf('03086162')).toBe('truncated');
    expect(codeOf('0208616263')).toBe('overrun');
    expect(codeOf('0408616263')).toBe('truncated');
    expect(codeOf('0704616212')).toBe('truncated');
    expect(codeOf('07046162120300')).toBe('bad_offset');
    expect(codeOf('07046162120000')).toBe('bad_offset');
    expect(codeOf('06046162120200')).toBe('overrun');
    expect(codeOf('03fcffffffff616263')).toBe('truncated');
  });

  it('takes no memory for a promise that the input is too short to keep', () => {
    // 4 GiB - 1 promised by seven bytes: refused before anything is allocated, though the caller would allow it.
    expect(codeOf('ffffffff0f0061', 2 ** 32)).toBe('bad_preamble');
  });
});
