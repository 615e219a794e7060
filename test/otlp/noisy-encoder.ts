// Writes a message the way a valid but unhelpful encoder might: fields in any order, scalars twice (the last counts), varints with
// padding, defaults written out, unknown fields in between. The meaning stays that of the message it was given.

import type { FieldValue, Message, MessageName } from './otlp-proto.ts';
import { typeOf } from './otlp-proto.ts';

/** A number below its argument. */
export type Below = (n: number) => number;

/** A small, seeded source of choices (mulberry32). */
export function choices(seed: number): Below {
  let state = seed | 0;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
  };
}

export function noisy(name: MessageName, message: Message, below: Below): Uint8Array {
  // Each queue keeps its order (elements of a repeated field, a scalar after its decoys); queues are interleaved at random.
  const queues: Uint8Array[][] = [];
  const type = typeOf(name);
  const oneof: Uint8Array[] = [];
  for (const field of type.fieldsArray) {
    const value = message[field.name];
    const write = (v: FieldValue): Uint8Array => writeField(field.id, field.type, v, below);
    if (field.repeated) {
      if (value !== undefined) queues.push((value as FieldValue[]).map(write));
    } else if (field.partOf) {
      if (value !== undefined) oneof.push(write(value));
      else if (below(6) === 0 && !field.resolvedType) oneof.unshift(write(decoy(field.type, below)));
    } else if (field.resolvedType) {
      if (value !== undefined) queues.push([write(value)]);
    } else if (value !== undefined) {
      const written = [write(value)];
      if (below(5) === 0) written.unshift(write(decoy(field.type, below)));
      queues.push(written);
    } else if (below(6) === 0) {
      queues.push([write(decoy(field.type, below)), write(zero(field.type))]);
    }
  }
  const oneofIsSet = type.fieldsArray.some((field) => field.partOf && message[field.name] !== undefined);
  if (oneofIsSet) queues.push(oneof);
  if (below(4) === 0) queues.push([unknownField(below)]);
  const parts: Uint8Array[] = [];
  while (queues.length > 0) {
    const i = below(queues.length);
    parts.push(queues[i]!.shift()!);
    if (queues[i]!.length === 0) queues.splice(i, 1);
  }
  return new Uint8Array(Buffer.concat(parts.filter((part) => part !== undefined)));
}

function writeField(id: number, type: string, value: FieldValue, below: Below): Uint8Array {
  switch (type) {
    case 'bytes':
      return delimited(id, value as Uint8Array, below);
    case 'fixed64':
      return join(varint(id * 8 + 1, below), fixed64(value as bigint));
    case 'fixed32':
      return join(varint(id * 8 + 5, below), fixed32(value as number));
    case 'double':
      return join(varint(id * 8 + 1, below), double(value as number));
    case 'bool':
      return join(varint(id * 8, below), varint(value === true ? 1 : 0, below));
    case 'int32':
    case 'uint32':
    case 'int64':
      return join(varint(id * 8, below), varint(BigInt(value as number | bigint), below));
    default:
      return delimited(id, noisy(type as MessageName, value as Message, below), below);
  }
}

function decoy(type: string, below: Below): FieldValue {
  switch (type) {
    case 'bytes':
      return Uint8Array.from({ length: below(20) }, () => below(256));
    case 'fixed64':
    case 'int64':
      return BigInt(below(2 ** 31)) * BigInt(below(1000));
    case 'bool':
      return below(2) === 1;
    case 'double':
      return below(1000) / 8;
    default:
      return below(100_000);
  }
}

function zero(type: string): FieldValue {
  if (type === 'bytes') return new Uint8Array(0);
  if (type === 'bool') return false;
  return type === 'fixed64' || type === 'int64' ? 0n : 0;
}

function unknownField(below: Below): Uint8Array {
  const id = 100 + below(100_000);
  switch (below(4)) {
    case 0:
      return join(varint(id * 8, below), varint(BigInt(below(2 ** 31)) << 20n, below));
    case 1:
      return join(varint(id * 8 + 1, below), fixed64(12345678901234567n));
    case 2:
      return delimited(
        id,
        Uint8Array.from({ length: below(300) }, () => below(256)),
        below,
      );
    default:
      return join(varint(id * 8 + 5, below), fixed32(7));
  }
}

function delimited(id: number, body: Uint8Array, below: Below): Uint8Array {
  return join(varint(id * 8 + 2, below), varint(body.length, below), body);
}

/** Now and then with zero groups of seven bits behind, which change nothing. */
export function varint(value: number | bigint, below: Below = () => 1): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  } while (rest > 0n);
  // Tags and lengths are read as 32 bits by many; five bytes are what all of them take.
  if (below(12) === 0) for (let n = below(3); n > 0 && bytes.length < 5; n--) bytes.push(128);
  bytes[bytes.length - 1]! &= 127;
  return Uint8Array.from(bytes);
}

function fixed64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

function fixed32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function double(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return bytes;
}

function join(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
