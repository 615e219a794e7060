// Tells how a record is encoded from its structure alone, for topics whose records say nothing about it. It looks at the outline of a
// record, never at all of it, and must not throw whatever the bytes are. FORMAT.md says which are ambiguous.

import * as wire from '../wire.ts';
import type { RecordEncoding } from './errors.ts';
import { detectJson } from './json-outline.ts';

/**
 * Undefined if it is none of them. A record of no bytes is `otlp`: every encoding makes nothing of it. The answer is a guess that the
 * transcoder has yet to confirm.
 */
export function detectEncoding(bytes: Uint8Array): RecordEncoding | undefined {
  if (bytes.length === 0) return 'otlp';
  // Protobuf first: a newline before a `{` could be the tag of field 1 and a length of 123, and no other way round.
  return detectProto(bytes) ?? detectJson(bytes);
}

/** The wire types of a message's fields by their numbers; index 0 is no field. */
type Outline = readonly (0 | 1 | 2 | 5 | undefined)[];

const LIST: Outline = [undefined, 2];
const RESOURCE_SPANS: Outline = [undefined, 2, 2, 2];
const SCOPE_SPANS: Outline = [undefined, 2, 2, 2];
const PUSH_BYTES: Outline = [undefined, undefined, 2, 2, undefined, 0];
const JAEGER_SPAN: Outline = [undefined, 2, 2, 2, 2, 0, 2, 2, 2, 2, 2, 2, 2];
const ZIPKIN_SPAN: Outline = [undefined, 2, 2, 2, 0, 2, 1, 0, 2, 2, 2, 2, 0, 0];

interface Range {
  start: number;
  end: number;
}

function detectProto(bytes: Uint8Array): RecordEncoding | undefined {
  const all = { start: 0, end: bytes.length };
  if (fits(bytes, all, LIST)) {
    const element = firstField(bytes, all, 1, true);
    if (element === undefined) return 'otlp'; // ResourceSpans without anything; a Zipkin span has ids
    if (isZipkinSpan(bytes, element)) return 'zipkin_proto';
    return isResourceSpans(bytes, element) ? 'otlp' : undefined;
  }
  if (fits(bytes, all, PUSH_BYTES)) {
    const trace = firstField(bytes, all, 2, true);
    if (trace === undefined) return firstField(bytes, all, 2, false) === undefined ? undefined : 'push-bytes';
    return fits(bytes, trace, LIST) ? 'push-bytes' : undefined;
  }
  return isJaegerSpan(bytes, all) ? 'jaeger_proto' : undefined;
}

function isZipkinSpan(bytes: Uint8Array, span: Range): boolean {
  return (
    fits(bytes, span, ZIPKIN_SPAN) &&
    hasId(bytes, span, 1, 16, 8) &&
    hasId(bytes, span, 3, 8) &&
    (firstField(bytes, span, 2, true) === undefined || hasId(bytes, span, 2, 8))
  );
}

function isResourceSpans(bytes: Uint8Array, element: Range): boolean {
  if (!fits(bytes, element, RESOURCE_SPANS)) return false;
  const scope = firstField(bytes, element, 2, true);
  return scope === undefined || fits(bytes, scope, SCOPE_SPANS);
}

function isJaegerSpan(bytes: Uint8Array, span: Range): boolean {
  return fits(bytes, span, JAEGER_SPAN) && hasId(bytes, span, 1, 16, 8) && hasId(bytes, span, 2, 8);
}

function hasId(bytes: Uint8Array, message: Range, field: number, ...sizes: number[]): boolean {
  const id = firstField(bytes, message, field, false);
  return id !== undefined && sizes.includes(id.end - id.start);
}

/** Is the range a message with no fields but these, each of its wire type? What is inside of them is not looked at. */
function fits(bytes: Uint8Array, { start, end }: Range, outline: Outline): boolean {
  try {
    let pos = start;
    while (pos < end) {
      const tag = wire.tagAt(bytes, pos, end);
      if (outline[Math.floor(tag / 8)] !== tag % 8) return false;
      pos = wire.skip(bytes, tag, wire.at, end);
    }
    return true;
  } catch (error) {
    if (error instanceof wire.DecodeError) return false;
    throw error;
  }
}

/** The content of the first length-delimited `field`; the range is known to be a message. */
function firstField(bytes: Uint8Array, { start, end }: Range, field: number, notEmpty: boolean): Range | undefined {
  let pos = start;
  while (pos < end) {
    const tag = wire.tagAt(bytes, pos, end);
    const from = wire.at;
    pos = wire.skip(bytes, tag, from, end);
    if (tag !== field * 8 + 2) continue;
    const size = wire.length(bytes, from, end);
    if (size > 0 || !notEmpty) return { start: wire.at, end: wire.at + size };
  }
  return undefined;
}
