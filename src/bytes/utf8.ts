// UTF-8 as bytes: what is valid, and both directions. Decoding replaces what is invalid; callers check first where it matters.
import { isUtf8 } from 'node:buffer';

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function utf8Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

export function isValidUtf8(bytes: Uint8Array): boolean {
  return isUtf8(bytes);
}
