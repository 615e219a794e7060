// The little of the protobuf encoding that small messages need: statuses, health, reflection, descriptors. Never for spans.

export function delimited(number: number, body: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body]);
}

export const text = (number: number, value: string): Buffer => delimited(number, Buffer.from(value));

/** Zero is left out, as proto3 does. */
export const integer = (number: number, value: number): Buffer =>
  value === 0 ? Buffer.alloc(0) : Buffer.concat([varint(number * 8), varint(value)]);

export const message = (...fields: Buffer[]): Buffer => Buffer.concat(fields);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  bytes.push(value);
  return Buffer.from(bytes);
}

/** A field with its bytes if it is length-delimited; other types are stepped over. */
export interface WireField {
  number: number;
  bytes: Buffer;
}

/** The length-delimited fields of a message, in order. @throws RangeError if the bytes are no message. */
export function delimitedFields(bytes: Buffer): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const take = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError('the message is cut short');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new RangeError('a number is too long');
  };
  while (at < bytes.length) {
    const key = take();
    const type = key % 8;
    if (type === 2) {
      const size = take();
      if (size > bytes.length - at) throw new RangeError('the message is cut short');
      fields.push({ number: Math.floor(key / 8), bytes: bytes.subarray(at, at + size) });
      at += size;
    } else if (type === 0) take();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else throw new RangeError(`there is no wire type ${type}`);
  }
  if (at > bytes.length) throw new RangeError('the message is cut short');
  return fields;
}
