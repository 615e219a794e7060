// The fields of a message that the decoder has accepted already, for the rare reader who wants what it passed over (events, the
// parts of a value). Not for the hot path.

export interface WireField {
  number: number;
  /** 0 varint, 1 fixed64, 2 bytes, 5 fixed32 (protobuf encoding guide). */
  type: number;
  /** Range of the value; of bytes without their length. */
  start: number;
  end: number;
}

export function wireFields(buf: Uint8Array, start: number, end: number): WireField[] {
  const fields: WireField[] = [];
  for (let pos = start; pos < end; ) {
    const tag = varintAt(buf, pos);
    pos = tag.next;
    const type = Number(tag.value & 7n);
    let from = pos;
    if (type === 0) pos = varintAt(buf, pos).next;
    else if (type === 1) pos += 8;
    else if (type === 5) pos += 4;
    else {
      const length = varintAt(buf, pos);
      from = length.next;
      pos = from + Number(length.value);
    }
    fields.push({ number: Number(tag.value >> 3n), type, start: from, end: pos });
  }
  return fields;
}

export function varintAt(buf: Uint8Array, pos: number): { value: bigint; next: number } {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = buf[pos++]!;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return { value, next: pos };
  }
}
