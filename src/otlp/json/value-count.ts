// How much a JSON text will take to parse, told from its bytes alone: reading it makes an object of each `{}`, and a body of them
// becomes forty times its size. Must neither allocate nor throw, whatever the bytes are.

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;

/** Every `{`, `[`, `:` and `,` outside of texts: never fewer than the values inside of the outermost one. */
export function countValues(bytes: Uint8Array): number {
  const end = bytes.length;
  let values = 0;
  for (let pos = 0; pos < end; pos++) {
    const byte = bytes[pos]!;
    if (byte === QUOTE) {
      pos++;
      while (pos < end && bytes[pos] !== QUOTE) pos += bytes[pos] === BACKSLASH ? 2 : 1;
    } else if (byte === COMMA || byte === COLON || byte === OPEN_OBJECT || byte === OPEN_ARRAY) values++;
  }
  return values;
}
