// CRC-32C (Castagnoli, RFC 3720 appendix B.4), sixteen bytes at a time ("slicing by 16", as by 8 in Kounavis and Berry, 2008). Node's
// zlib.crc32 is another polynomial.

const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;
/** From so many bytes on a view of words pays. */
const LEAST_WORDS_BYTES = 128;

/** Tables of 256 in one array: table k is the effect of a byte that k more bytes follow. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256);
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
  if (end - start < LEAST_WORDS_BYTES) return ~ofBytes(bytes, start, end, ~seed) >>> 0;
  const wordsStart = start + (-(bytes.byteOffset + start) & 3);
  const wordCount = ((end - wordsStart) >>> 4) << 2;
  let crc = ofBytes(bytes, start, wordsStart, ~seed);
  crc = ofWords(new Int32Array(bytes.buffer, bytes.byteOffset + wordsStart, wordCount), crc);
  return ~ofBytes(bytes, wordsStart + 4 * wordCount, end, crc) >>> 0;
}

function ofBytes(bytes: Uint8Array, start: number, end: number, seed: number): number {
  const t = TABLES;
  let crc = seed;
  for (let i = start; i < end; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 255]!;
  return crc;
}

/** Four words a turn, little-endian as on every machine that Node runs on here. */
function ofWords(words: Int32Array, seed: number): number {
  const t = TABLES;
  let crc = seed;
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ words[i]!;
    const b = words[i + 1]!;
    const c = words[i + 2]!;
    const d = words[i + 3]!;
    crc =
      t[3840 | (a & 255)]! ^
      t[3584 | ((a >>> 8) & 255)]! ^
      t[3328 | ((a >>> 16) & 255)]! ^
      t[3072 | (a >>> 24)]! ^
      t[2816 | (b & 255)]! ^
      t[2560 | ((b >>> 8) & 255)]! ^
      t[2304 | ((b >>> 16) & 255)]! ^
      t[2048 | (b >>> 24)]! ^
      t[1792 | (c & 255)]! ^
      t[1536 | ((c >>> 8) & 255)]! ^
      t[1280 | ((c >>> 16) & 255)]! ^
      t[1024 | (c >>> 24)]! ^
      t[768 | (d & 255)]! ^
      t[512 | ((d >>> 8) & 255)]! ^
      t[256 | ((d >>> 16) & 255)]! ^
      t[d >>> 24]!;
  }
  return crc;
}
