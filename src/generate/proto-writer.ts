// Writes protobuf into one growing buffer that is kept from message to message. Lengths are always the shortest varint: the bytes are
// those of a canonical encoder.

/** Wire positions of an open length-delimited field are plain numbers, so that nothing is allocated per field. */
export class ProtoWriter {
  bytes: Uint8Array;
  at = 0;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
  }

  reset(): void {
    this.at = 0;
  }

  /** A copy of what was written, which the caller owns. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }

  reserve(sizeBytes: number): void {
    if (this.at + sizeBytes <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + sizeBytes));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.at++] = value;
  }

  /** A non-negative integer below 2^53. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  word(value: number): void {
    this.reserve(4);
    const { bytes, at } = this;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.at = at + 4;
  }

  /** Opens a length-delimited field; `close` takes what it returns. Two bytes are kept for the length, the usual case here. */
  open(tag: number): number {
    this.byte(tag);
    this.reserve(2);
    this.at += 2;
    return this.at;
  }

  close(bodyAt: number): void {
    const length = this.at - bodyAt;
    const width = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : 4;
    if (width !== 2) {
      this.reserve(2);
      this.bytes.copyWithin(bodyAt - 2 + width, bodyAt, this.at);
    }
    const end = bodyAt - 2 + width + length;
    this.at = bodyAt - 2;
    this.varint(length);
    this.at = end;
  }

  /** A string or bytes field. */
  field(tag: number, bytes: Uint8Array): void {
    this.byte(tag);
    this.varint(bytes.length);
    this.raw(bytes);
  }
}
