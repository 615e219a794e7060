// A whole label set as one label value: names and values, each ended by NUL. NUL and U+0001 inside a value are written as U+0001 and
// the digit 0 or 1 (processors/label-set.ts writes them so). Stored in the ledger as it is.

const NUL = 0;
const ESCAPE = 1;
const ZERO = 0x30;

export function* labelSetPairs(text: string): Generator<[name: string, value: string]> {
  const parts = text.split('\u0000');
  for (let i = 0; i + 1 < parts.length; i += 2) yield [parts[i]!, unescaped(parts[i + 1]!)];
}

/** One label of a set in bytes. `encoded` is the pair as it stands there, `value` what it says. */
export interface LabelSetEntry {
  name: Uint8Array;
  value: Uint8Array;
  encoded: Uint8Array;
}

/** Views into `bytes`, but for values that have to be unescaped. */
export function labelSetEntries(bytes: Uint8Array): LabelSetEntry[] {
  const entries: LabelSetEntry[] = [];
  for (let start = 0; start < bytes.length; ) {
    const nameEnd = bytes.indexOf(NUL, start);
    const end = bytes.indexOf(NUL, nameEnd + 1);
    if (nameEnd < 0 || end < 0) break;
    entries.push({
      name: bytes.subarray(start, nameEnd),
      value: unescapedBytes(bytes.subarray(nameEnd + 1, end)),
      encoded: bytes.subarray(start, end + 1),
    });
    start = end + 1;
  }
  return entries;
}

function unescaped(text: string): string {
  return text.includes('\u0001') ? text.replaceAll('\u00010', '\u0000').replaceAll('\u00011', '\u0001') : text;
}

function unescapedBytes(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(ESCAPE)) return bytes;
  const out: number[] = [];
  for (let i = 0; i < bytes.length; i++) out.push(bytes[i] === ESCAPE ? bytes[++i]! - ZERO : bytes[i]!);
  return Uint8Array.from(out);
}
