// One pass over an ExportTraceServiceRequest: checks every byte of it (protobuf encoding guide) and notes each span's
// partition. What passes can be read in place by anyone afterwards. Allocates nothing per span; must never read past its end.

import { OtlpDecodeError, type OtlpDecodeReason } from './errors.ts';
import { fnv1a } from './partition.ts';
import {
  ACTIONS,
  ANY_VALUE,
  BYTES,
  CHILD,
  FIXED32,
  FIXED64,
  fieldName,
  KEY_VALUE,
  SPAN,
  TAGS,
  UNKNOWN,
  VARINT,
} from './schema.ts';

/** Levels of attribute values inside each other, the outermost included, beyond which a request is refused. */
export const MAX_VALUE_DEPTH = 64;

/** Results of the last walk. */
export let spans = 0;
/** Spans whose trace id is not 16 bytes or whose span id is not 8, or where one of them is all zero. */
export let oddIds = 0;
/** Do the spans belong to more than one partition? If so, the first `spans` elements of `partitionOfSpan` say to which. */
export let mixed = false;
export let firstPartition = 0;
export let partitionOfSpan = new Int32Array(1024);

let partitions = 1;
let hashOfTenant = 0;
let at = 0;
let traceFrom = 0;
let traceTo = 0;
let idFrom = 0;
let idTo = 0;

const KEEP_SPANS = 1 << 16;

/** @throws OtlpDecodeError */
export function walkRequest(bytes: Uint8Array, partitionCount: number, tenantHash: number): void {
  partitions = partitionCount;
  hashOfTenant = tenantHash;
  spans = 0;
  oddIds = 0;
  mixed = false;
  firstPartition = 0;
  if (partitionOfSpan.length > KEEP_SPANS) partitionOfSpan = new Int32Array(KEEP_SPANS);
  walk(bytes, 0, bytes.length, 0, 0);
}

function walk(buf: Uint8Array, pos: number, end: number, message: number, depth: number): void {
  const actions = message * TAGS;
  while (pos < end) {
    const from = pos;
    let tag = buf[pos++]!;
    if (tag >= 128) {
      tag = varint(buf, from, end, message, 0);
      pos = at;
    }
    if (tag < 8 || tag > 0xffffffff) fail('tag', message, 0, `field number ${Math.floor(tag / 8)}`, from);
    let action = tag < TAGS ? ACTIONS[actions + tag]! : UNKNOWN;
    if (action === UNKNOWN) action = actionOfUnknown(message, tag, from);
    switch (action) {
      case VARINT:
        if (pos < end && buf[pos]! < 128) pos++;
        else {
          varint(buf, pos, end, message, tag);
          pos = at;
        }
        break;
      case FIXED64:
        pos += 8;
        if (pos > end) fail('truncated', message, tag, 'cut off', from);
        break;
      case FIXED32:
        pos += 4;
        if (pos > end) fail('truncated', message, tag, 'cut off', from);
        break;
      case BYTES:
        pos = length(buf, pos, end, message, tag);
        if (message === SPAN) {
          if (tag === 10) {
            traceFrom = pos;
            traceTo = at;
          } else if (tag === 18) {
            idFrom = pos;
            idTo = at;
          }
        }
        pos = at;
        break;
      default: {
        if (action < CHILD) fail('wire_type', message, tag, `wire type ${tag % 8}`, from);
        pos = length(buf, pos, end, message, tag);
        const next = at;
        const child = action - CHILD;
        if (child === KEY_VALUE) {
          if (depth === MAX_VALUE_DEPTH || !isPlainKeyValue(buf, pos, next)) walk(buf, pos, next, child, depth);
        } else if (child === ANY_VALUE) {
          if (depth === MAX_VALUE_DEPTH)
            fail('depth', message, tag, `nested deeper than ${MAX_VALUE_DEPTH} values`, pos);
          walk(buf, pos, next, child, depth + 1);
        } else if (child === SPAN) {
          traceFrom = traceTo = idFrom = idTo = 0;
          walk(buf, pos, next, child, 0);
          countSpan(buf);
        } else walk(buf, pos, next, child, depth);
        pos = next;
      }
    }
  }
}

/** Unknown fields are skipped by their wire type. Groups (3, 4) are refused: nothing that speaks OTLP sends them. */
function actionOfUnknown(message: number, tag: number, position: number): number {
  switch (tag % 8) {
    case 0:
      return VARINT;
    case 1:
      return FIXED64;
    case 2:
      return BYTES;
    case 5:
      return FIXED32;
    default:
      return fail('wire_type', message, tag, `wire type ${tag % 8}`, position);
  }
}

function countSpan(buf: Uint8Array): void {
  const odd =
    traceTo - traceFrom !== 16 || idTo - idFrom !== 8 || isZero(buf, traceFrom, traceTo) || isZero(buf, idFrom, idTo);
  if (odd) oddIds++;
  if (partitions > 1) {
    const partition = fnv1a(hashOfTenant, buf, traceFrom, traceTo) % partitions;
    if (spans === 0) firstPartition = partition;
    else if (partition !== firstPartition) mixed = true;
    if (spans === partitionOfSpan.length) {
      const wider = new Int32Array(spans * 2);
      wider.set(partitionOfSpan);
      partitionOfSpan = wider;
    }
    partitionOfSpan[spans] = partition;
  }
  spans++;
}

/**
 * Is the KeyValue a key and a lone string, bool, int or double, lengths in one byte, nothing else? Most are, in one of the two
 * orders that encoders write, and are known to be good then: without this shortcut the walk takes almost twice as long. False
 * says nothing.
 */
function isPlainKeyValue(buf: Uint8Array, pos: number, end: number): boolean {
  if (end - pos < 4) return false;
  const first = buf[pos]!;
  if (first !== 10 && first !== 18) return false;
  const body = pos + 2;
  const bodyEnd = body + buf[pos + 1]!;
  if (buf[pos + 1]! > 127 || bodyEnd + 2 > end) return false;
  if (buf[bodyEnd] !== 28 - first || buf[bodyEnd + 1]! > 127 || bodyEnd + 2 + buf[bodyEnd + 1]! !== end) return false;
  return first === 10 ? isPlainValue(buf, bodyEnd + 2, end) : isPlainValue(buf, body, bodyEnd);
}

function isPlainValue(buf: Uint8Array, pos: number, end: number): boolean {
  if (end - pos < 2) return end === pos;
  switch (buf[pos]) {
    case 10:
      return pos + 2 + buf[pos + 1]! === end;
    case 16:
    case 24:
      return end - pos === 2 && buf[pos + 1]! < 128;
    case 33:
      return end - pos === 9;
    default:
      return false;
  }
}

/** Reads a length; returns where the body begins and leaves its end, inside `end`, in `at`. */
function length(buf: Uint8Array, pos: number, end: number, message: number, tag: number): number {
  let size: number;
  let body: number;
  if (pos < end && buf[pos]! < 128) {
    size = buf[pos]!;
    body = pos + 1;
  } else {
    size = varint(buf, pos, end, message, tag);
    body = at;
  }
  if (size > end - body) fail('truncated', message, tag, `${size} bytes cut off`, pos);
  at = body + size;
  return body;
}

/** Exact up to 2^53, the nearest double above; leaves the position after it in `at`. */
function varint(buf: Uint8Array, pos: number, end: number, message: number, tag: number): number {
  let value = 0;
  let factor = 1;
  for (let i = 0; i < 10; i++) {
    if (pos + i >= end) fail('truncated', message, tag, 'varint cut off', pos);
    const byte = buf[pos + i]!;
    value += (byte & 127) * factor;
    if (byte < 128) {
      at = pos + i + 1;
      return value;
    }
    factor *= 128;
  }
  return fail('varint', message, tag, 'varint longer than 10 bytes', pos);
}

function isZero(buf: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (buf[i] !== 0) return false;
  return true;
}

function fail(reason: OtlpDecodeReason, message: number, tag: number, what: string, position: number): never {
  throw new OtlpDecodeError(reason, fieldName(message, Math.floor(tag / 8)), what, position);
}
