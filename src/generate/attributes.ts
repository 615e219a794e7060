// Attributes encoded once, at start: a span's bytes are then copies of such blocks with a few digits patched in. Never called per
// span.
import { ProtoWriter } from './proto-writer.ts';

/** A plain number is an integer; doubles are marked, because 2 would be ambiguous. */
export type AttributeValue = string | number | boolean | { double: number } | readonly string[];
export type Attributes = readonly (readonly [key: string, value: AttributeValue])[];

/**
 * Digits to be written over a block. In texts a run of `#` stands for decimal digits that differ from span to span, `~` for decimal
 * digits that all spans of a trace share, `*` for hexadecimal ones that differ.
 */
export interface Patch {
  at: number;
  digits: number;
  base: 10 | 16;
  ofTrace: boolean;
  salt: number;
}

export interface Block {
  bytes: Uint8Array;
  patches: readonly Patch[];
}

const text = new TextEncoder();
export const NO_BLOCK: Block = { bytes: new Uint8Array(0), patches: [] };

/** Encodes each attribute as a field `tag` (common.v1.KeyValue: 1 key, 2 value). */
export function encodeAttributes(tag: number, attributes: Attributes): Block {
  const writer = new ProtoWriter(1024);
  for (const [key, value] of attributes) {
    const pair = writer.open(tag);
    writer.field(0x0a, text.encode(key));
    const any = writer.open(0x12);
    writeValue(writer, value);
    writer.close(any);
    writer.close(pair);
  }
  const bytes = writer.copy();
  return { bytes, patches: findPatches(bytes) };
}

/** common.v1.AnyValue: 1 string, 2 bool, 3 int, 4 double, 5 array. */
function writeValue(writer: ProtoWriter, value: AttributeValue): void {
  if (typeof value === 'string') {
    if (isAmbiguous(value)) throw new RangeError(`the length of "${value}" would be taken for a digit`);
    writer.field(0x0a, text.encode(value));
  } else if (typeof value === 'boolean') {
    writer.byte(0x10);
    writer.byte(value ? 1 : 0);
  } else if (typeof value === 'number') {
    writer.byte(0x18);
    writer.varint(value);
  } else if ('double' in value) {
    const eight = new DataView(new ArrayBuffer(8));
    eight.setFloat64(0, value.double, true);
    writer.byte(0x21);
    writer.raw(new Uint8Array(eight.buffer));
  } else {
    const array = writer.open(0x2a);
    for (const one of value) {
      const element = writer.open(0x0a);
      writer.field(0x0a, text.encode(one));
      writer.close(element);
    }
    writer.close(array);
  }
}

// The length stands right before the text: it must not look like one more marker.
function isAmbiguous(value: string): boolean {
  return /^[#~*]/.test(value) && value.length === value.charCodeAt(0);
}

function findPatches(bytes: Uint8Array): Patch[] {
  const patches: Patch[] = [];
  for (let at = 0; at < bytes.length; ) {
    const marker = bytes[at]!;
    let end = at + 1;
    if (marker === 0x23 || marker === 0x7e || marker === 0x2a) {
      while (end < bytes.length && bytes[end] === marker) end++;
      if (end - at >= 2) {
        const base = marker === 0x2a ? 16 : 10;
        patches.push({ at, digits: end - at, base, ofTrace: marker === 0x7e, salt: 1 + patches.length });
      }
    }
    at = end;
  }
  return patches;
}
