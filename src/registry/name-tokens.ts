// Span names as tokens, for the tree that learns their templates. A name may be any bytes: those that are not UTF-8 travel through
// text as lone surrogates, so that a template's bytes are exactly what its names had there.

import { isValidUtf8, utf8, utf8Text } from '../bytes/index.ts';

/** Ends every name, so that the last token of two names is the same. */
export const END = '<END>';
/** Stands for what varies. No token of a name: there `<`, `_` and `>` are three. */
export const WILDCARD = '<_>';

// In this order: a percent-encoded byte (also one that the name's end cuts off), white space, a run that begins as hex digits and
// goes on as a UUID or as letters and numbers, a run of letters and numbers, any other character.
const TOKEN =
  /%(?:\p{Hex_Digit}{2}|.?$)|\p{White_Space}+|\p{Hex_Digit}+(?:-[\p{Hex_Digit}-]*|[\p{L}\p{N}]+)?|[\p{L}\p{N}]+|./gsu;
const NUMBER = /\p{N}/gu;
const HEX_AND_PUNCTUATION = /^[\p{N}\p{Hex_Digit}\p{P}]*$/u;
const ESCAPED = /[\uDC80-\uDCFF]/u;

export function nameTokens(name: string): string[] {
  const tokens: string[] = name.match(TOKEN) ?? [];
  tokens.push(END);
  return tokens;
}

/** Is the token more likely a value than a word: numbers among hex digits and punctuation, or more numbers than a quarter of its bytes? */
export function looksLikeData(token: string): boolean {
  const numbers = token.match(NUMBER)?.length ?? 0;
  if (numbers === 0) return false;
  return HEX_AND_PUNCTUATION.test(token) || numbers > Math.max(Buffer.byteLength(token) / 4, 1);
}

/** Bytes as text; a byte that is not part of a valid character becomes U+DC00 + byte. */
export function textOfBytes(bytes: Uint8Array): string {
  if (isValidUtf8(bytes)) return utf8Text(bytes);
  let text = '';
  for (let pos = 0; pos < bytes.length; ) {
    const n = characterLength(bytes, pos);
    text += n === 0 ? String.fromCharCode(0xdc00 + bytes[pos]!) : utf8Text(bytes.subarray(pos, pos + n));
    pos += Math.max(n, 1);
  }
  return text;
}

/** The way back. */
export function bytesOfText(text: string): Uint8Array {
  if (!ESCAPED.test(text)) return utf8(text);
  const parts: Uint8Array[] = [];
  for (const character of text) {
    parts.push(ESCAPED.test(character) ? Uint8Array.of(character.charCodeAt(0) - 0xdc00) : utf8(character));
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** Bytes of the valid character at `pos`; 0 if there is none. */
function characterLength(bytes: Uint8Array, pos: number): number {
  const lead = bytes[pos]!;
  const n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return pos + n <= bytes.length && isValidUtf8(bytes.subarray(pos, pos + n)) ? n : 0;
}
