// Numbers of Kafka's protocol out of a buffer: big-endian integers and zig-zag varints (protocol guide, "Protocol Primitive Types").

/** Where the last varint ended. */
export let at = 0;

export class EndOfBytes extends RangeError {
  constructor() {
    super('the bytes end inside a record');
    this.name = 'EndOfBytes';
  }
}

/** A signed 64-bit integer as a number; offsets and times stay far below 2^53. */
export function int64(view: DataView, position: number): number {
  return view.getInt32(position) * 0x1_0000_0000 + view.getUint32(position + 4);
}

/** A zig-zag varint of up to 64 bits. @throws EndOfBytes */
export function varint(bytes: Uint8Array, position: number, end: number): number {
  let p = position;
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    if (p >= end) throw new EndOfBytes();
    const byte = bytes[p++]!;
    low |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      at = p;
      return (low >>> 1) ^ -(low & 1);
    }
  }
  let value = low;
  for (let scale = 2 ** 28, count = 0; count < 6; count++, scale *= 128) {
    if (p >= end) throw new EndOfBytes();
    const byte = bytes[p++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      at = p;
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }
  throw new EndOfBytes();
}
