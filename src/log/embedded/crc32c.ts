// CRC-32C (Castagnoli, RFC 3720 appendix B.4), eight bytes at a time ("slicing by 8"). Node's zlib.crc32 is another polynomial.

const POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256 in one array: table k is the effect of a byte that k more bytes follow. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = (before >>> 8) ^ tables[before & 255]!;
  }
  return tables;
}

/** CRC-32C of `bytes[start .. end)`, unsigned. `seed` is the CRC of what came before. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  const t = TABLES;
  let crc = ~seed;
  let i = start;
  for (const stop = end - 7; i < stop; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t[1792 | (crc & 255)]! ^
      t[1536 | ((crc >>> 8) & 255)]! ^
      t[1280 | ((crc >>> 16) & 255)]! ^
      t[1024 | (crc >>> 24)]! ^
      t[768 | bytes[i + 4]!]! ^
      t[512 | bytes[i + 5]!]! ^
      t[256 | bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}
