// Interning: byte strings to symbols, a resource's kilobyte found again, and where comparing in native code begins to pay.
//   node --conditions=source bench/micro/intern.ts

import { ByteTable } from '../../src/bytes/index.ts';
import { cost, type Measurement, print, shuffled } from './measure.ts';

const LOOKUPS = 200_000;

/** `count` strings of `length` bytes, one after another, with their own number in the middle. */
function strings(count: number, length: number): Uint8Array {
  const bytes = new Uint8Array(count * length).fill(97);
  for (let i = 0; i < count; i++) {
    const digits = Buffer.from(String(i).padStart(8, '0'));
    bytes.set(digits, i * length + ((length - digits.length) >> 1));
  }
  return bytes;
}

function lookups(count: number, length: number): Measurement {
  const table = new ByteTable();
  const bytes = strings(count, length);
  const view = new DataView(bytes.buffer);
  const order = shuffled(count, LOOKUPS);
  for (let i = 0; i < count; i++) table.intern(bytes, view, i * length, (i + 1) * length);
  return cost(`intern one of ${count} strings of ${length} bytes`, LOOKUPS, () => {
    for (let i = 0; i < LOOKUPS; i++) {
      const start = order[i]! * length;
      table.intern(bytes, view, start, start + length);
    }
  });
}

/** The table's own choice: below 320 bytes its loop, from there on native code. */
function comparison(length: number): Measurement {
  const table = new ByteTable();
  const bytes = strings(1, length);
  const view = new DataView(bytes.buffer);
  const id = table.intern(bytes, view, 0, length);
  return cost(`compare ${length} bytes with a known string`, LOOKUPS, () => {
    for (let i = 0; i < LOOKUPS; i++) table.equals(id, bytes, view, 0, length);
  });
}

print([
  lookups(500, 30),
  lookups(10_000, 30),
  lookups(200_000, 30),
  comparison(64),
  comparison(256),
  comparison(316),
  comparison(320),
  comparison(1024),
]);
