// What the spans of one place in the code have in common: name, kind, attributes and the outcomes they can have, all encoded once.
// A span then only adds ids, times and a few digits.
import { type Attributes, type Block, encodeAttributes, NO_BLOCK } from './attributes.ts';
import { ProtoWriter } from './proto-writer.ts';

export const INTERNAL = 1;
export const SERVER = 2;
export const CLIENT = 3;
export const PRODUCER = 4;
export const CONSUMER = 5;

export const STATUS_UNSET = 0;
export const STATUS_OK = 1;
export const STATUS_ERROR = 2;

/** Positions in a shape's outcomes. Server-side spans end in the first four, client-side ones in any. */
export const FINE = 0;
/** The caller's fault: 404, NOT_FOUND. A server's span stays UNSET, a client's is an error. */
export const REFUSED = 1;
export const FAULT = 2;
/** Something further down failed. */
export const UPSTREAM = 3;
export const TIMED_OUT = 4;
/** No connection: the other side never saw the call. */
export const UNREACHABLE = 5;

export interface Outcome {
  status: number;
  /** Attributes added to the shape's. */
  block: Block;
  /** The whole field 15, or nothing for UNSET. */
  statusField: Uint8Array;
  /** The whole field 11 with a hole for the time, or nothing. */
  event: Uint8Array;
}

/** Position of the time in `Outcome.event`. */
export const eventTimeAt = (event: Uint8Array): number => (event[1]! < 0x80 ? 3 : 4);

/** One of several encoded attributes, chosen by the trace (so that its spans agree) or by the span. */
export interface Choice {
  ofTrace: boolean;
  variants: readonly Block[];
}

export interface Shape {
  index: number;
  /** Position in the list of services. */
  service: number;
  /** Position in `SCOPES`. */
  scope: number;
  name: string;
  kind: number;
  /** The other side's name where this side alone tells it: a store's, or an uninstrumented peer's. */
  database: string;
  peer: string;
  /** Fields 5 and 6. */
  head: Uint8Array;
  block: Block;
  choices: readonly Choice[];
  outcomes: readonly Outcome[];
}

export interface OutcomeSpec {
  status: number;
  attributes?: Attributes;
  message?: string;
  exception?: { type: string; message: string; stacktrace: string };
}

export interface ShapeSpec {
  service: number;
  scope: number;
  name: string;
  kind: number;
  database?: string;
  peer?: string;
  attributes: Attributes;
  choices?: readonly { ofTrace?: boolean; key: string; values: readonly (string | number)[] }[];
  outcomes: readonly OutcomeSpec[];
}

const text = new TextEncoder();
const ATTRIBUTE = 0x4a;

export function makeShape(index: number, spec: ShapeSpec): Shape {
  const head = new ProtoWriter(128);
  head.field(0x2a, text.encode(spec.name));
  head.byte(0x30);
  head.byte(spec.kind);
  return {
    index,
    service: spec.service,
    scope: spec.scope,
    name: spec.name,
    kind: spec.kind,
    database: spec.database ?? '',
    peer: spec.peer ?? '',
    head: head.copy(),
    block: encodeAttributes(ATTRIBUTE, spec.attributes),
    choices: (spec.choices ?? []).map(({ ofTrace = false, key, values }) => ({
      ofTrace,
      variants: values.map((value) => encodeAttributes(ATTRIBUTE, [[key, value]])),
    })),
    outcomes: spec.outcomes.map(makeOutcome),
  };
}

function makeOutcome(spec: OutcomeSpec): Outcome {
  const { exception } = spec;
  return {
    status: spec.status,
    block: spec.attributes === undefined ? NO_BLOCK : encodeAttributes(ATTRIBUTE, spec.attributes),
    statusField: encodeStatus(spec.status, spec.message ?? ''),
    event:
      exception === undefined
        ? NO_BLOCK.bytes
        : encodeEvent('exception', [
            ['exception.type', exception.type],
            ['exception.message', exception.message],
            ['exception.stacktrace', exception.stacktrace],
          ]),
  };
}

/** trace.v1.Status: 2 message, 3 code. */
function encodeStatus(code: number, message: string): Uint8Array {
  const writer = new ProtoWriter(128);
  if (code !== STATUS_UNSET) {
    const status = writer.open(0x7a);
    if (message !== '') writer.field(0x12, text.encode(message));
    writer.byte(0x18);
    writer.byte(code);
    writer.close(status);
  }
  return writer.copy();
}

/** trace.v1.Span.Event: 1 time (eight zero bytes here), 2 name, 3 attributes. */
function encodeEvent(name: string, attributes: Attributes): Uint8Array {
  const writer = new ProtoWriter(512);
  const event = writer.open(0x5a);
  writer.byte(0x09);
  writer.raw(new Uint8Array(8));
  writer.field(0x12, text.encode(name));
  writer.raw(encodeAttributes(0x1a, attributes).bytes);
  writer.close(event);
  return writer.copy();
}
