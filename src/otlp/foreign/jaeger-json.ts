// The collector's `jaeger_json` records: the span of `jaeger_proto` in protobuf's JSON mapping (ProtoJSON format). Ids and bytes are
// base64, times RFC 3339, durations seconds with an `s`, 64-bit integers strings, enums names or numbers.

import {
  type JaegerLog,
  type JaegerProcess,
  type JaegerReference,
  type JaegerSpan,
  type JaegerTag,
  nanosOf,
  REF_TYPE,
  tagValue,
  VALUE_TYPE,
} from './jaeger-model.ts';
import { type JsonObject, JsonReader } from './json-reader.ts';
import { padId, SPAN_ID_BYTES, TRACE_ID_BYTES } from './model.ts';

/** @throws RecordDecodeError */
export function readJaegerJson(bytes: Uint8Array): JaegerSpan {
  const json = new JsonReader('jaeger_json');
  const span = json.object(json.parse(bytes));
  const references: JaegerReference[] = [];
  json.list(span, 'references', (element) => references.push(readReference(json, json.object(element))));
  const logs: JaegerLog[] = [];
  json.list(span, 'logs', (element) => {
    const log = json.object(element);
    logs.push({ unixNano: readTimestamp(json, log, 'timestamp'), fields: readTags(json, log, 'fields') });
  });
  return {
    traceId: readId(json, span, 'traceId', TRACE_ID_BYTES),
    spanId: readId(json, span, 'spanId', SPAN_ID_BYTES),
    operationName: json.text(span, 'operationName'),
    references,
    flags: Number(BigInt.asUintN(32, json.integer(span, 'flags'))),
    startUnixNano: readTimestamp(json, span, 'startTime'),
    durationNano: readDuration(json, span, 'duration'),
    tags: readTags(json, span, 'tags'),
    logs,
    process: json.child(span, 'process', (process): JaegerProcess => {
      return { serviceName: json.text(process, 'serviceName'), tags: readTags(json, process, 'tags') };
    }),
  };
}

function readId(json: JsonReader, object: JsonObject, name: string, size: number): Uint8Array {
  const id = json.base64(object, name);
  if (id.length !== 0 && id.length !== size && id.length !== SPAN_ID_BYTES) {
    json.failAt(name, 'id', `an id of ${id.length} bytes, not ${size}`);
  }
  return padId(id, size);
}

function readReference(json: JsonReader, reference: JsonObject): JaegerReference {
  return {
    traceId: readId(json, reference, 'traceId', TRACE_ID_BYTES),
    spanId: readId(json, reference, 'spanId', SPAN_ID_BYTES),
    refType: json.enumeration(reference, 'refType', REF_TYPES),
  };
}

function readTags(json: JsonReader, object: JsonObject, name: string): JaegerTag[] {
  const tags: JaegerTag[] = [];
  json.list(object, name, (element) => {
    const tag = json.object(element);
    const value = {
      vType: json.enumeration(tag, 'vType', VALUE_TYPES),
      vStr: json.text(tag, 'vStr'),
      vBool: json.flag(tag, 'vBool'),
      vInt64: BigInt.asIntN(64, json.integer(tag, 'vInt64')),
      vFloat64: json.double(tag, 'vFloat64'),
      vBinary: json.base64(tag, 'vBinary'),
    };
    tags.push({ key: json.text(tag, 'key'), value: tagValue(value) });
  });
  return tags;
}

const REF_TYPES: ReadonlyMap<string, number> = new Map([
  ['CHILD_OF', REF_TYPE.childOf],
  ['FOLLOWS_FROM', REF_TYPE.followsFrom],
]);
const VALUE_TYPES: ReadonlyMap<string, number> = new Map([
  ['STRING', VALUE_TYPE.string],
  ['BOOL', VALUE_TYPE.bool],
  ['INT64', VALUE_TYPE.int64],
  ['FLOAT64', VALUE_TYPE.float64],
  ['BINARY', VALUE_TYPE.binary],
]);

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const SECONDS = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;

function readTimestamp(json: JsonReader, object: JsonObject, name: string): bigint {
  const text = json.text(object, name);
  if (text === '') return 0n;
  const match = RFC_3339.exec(text);
  if (match === null) return json.failAt(name, 'time', 'not an RFC 3339 time');
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHours, offsetMinutes] = match;
  // Time zero of Go is in the year 1: what a span without a start looks like.
  if (+year! === 1) return 0n;
  if (+year! < 1678) return json.failAt(name, 'range', 'out of range');
  // Out of range, such as the 31st of a month of 30 days, it would carry over into the next.
  if (+month! < 1 || +month! > 12 || +day! < 1 || +day! > 31 || +hour! > 23 || +minute! > 59 || +second! > 59) {
    return json.failAt(name, 'time', 'not an RFC 3339 time');
  }
  const localMs = Date.UTC(+year!, +month! - 1, +day!, +hour!, +minute!, +second!);
  const offsetMinutesTotal = sign === undefined ? 0 : Number(`${sign}1`) * (+offsetHours! * 60 + +offsetMinutes!);
  const seconds = BigInt(localMs / 1000 - offsetMinutesTotal * 60);
  return nanosOf(seconds, nanosOfFraction(fraction)) ?? json.failAt(name, 'range', 'out of range');
}

function readDuration(json: JsonReader, object: JsonObject, name: string): bigint {
  const text = json.text(object, name);
  if (text === '') return 0n;
  const match = SECONDS.exec(text);
  if (match === null) return json.failAt(name, 'time', 'not a number of seconds with an s');
  const magnitude = nanosOf(BigInt(match[2]!), nanosOfFraction(match[3]));
  if (magnitude === undefined) return json.failAt(name, 'range', 'out of range');
  return match[1] === '-' ? -magnitude : magnitude;
}

function nanosOfFraction(digits: string | undefined): number {
  return digits === undefined ? 0 : Number(digits.padEnd(9, '0'));
}
