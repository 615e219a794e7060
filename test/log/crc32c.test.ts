import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../../src/log/index.ts';

/** RFC 3720 appendix B.4, and the customary check value. */
const KNOWN: [string, Uint8Array, number][] = [
  ['the check string', new TextEncoder().encode('123456789'), 0xe3069283],
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(255), 0x62a8ab43],
  ['0 to 31', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['31 to 0', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ['nothing', new Uint8Array(0), 0],
];

test.each(KNOWN)('the checksum of %s is the published one', (_, bytes, crc) => {
  expect(crc32c(bytes)).toBe(crc);
});

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

test('a range, in two parts, at any alignment, gives what the bitwise definition gives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(500), fc.nat(500), (bytes, a, b) => {
      const start = Math.min(a, bytes.length);
      const middle = Math.min(start + b, bytes.length);
      const whole = bitByBit(bytes.subarray(start));
      expect(crc32c(bytes, start)).toBe(whole);
      expect(crc32c(bytes, middle, bytes.length, crc32c(bytes, start, middle))).toBe(whole);
    }),
  );
});
