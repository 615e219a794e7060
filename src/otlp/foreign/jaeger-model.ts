// A span of jaeger.api_v2 (jaeger-idl, model.proto), read from either of its forms. Data only.

import type { AttributeValue } from './model.ts';

export interface JaegerSpan {
  traceId: Uint8Array;
  spanId: Uint8Array;
  operationName: string;
  references: JaegerReference[];
  flags: number;
  /** ns since 1970, and ns. */
  startUnixNano: bigint;
  durationNano: bigint;
  tags: JaegerTag[];
  logs: JaegerLog[];
  process: JaegerProcess | undefined;
}

export interface JaegerReference {
  traceId: Uint8Array;
  spanId: Uint8Array;
  refType: number;
}

export interface JaegerTag {
  key: string;
  value: AttributeValue;
}

export interface JaegerLog {
  unixNano: bigint;
  fields: JaegerTag[];
}

export interface JaegerProcess {
  serviceName: string;
  tags: JaegerTag[];
}

export const REF_TYPE = { childOf: 0, followsFrom: 1 } as const;
export const VALUE_TYPE = { string: 0, bool: 1, int64: 2, float64: 3, binary: 4 } as const;

/** The members of a KeyValue, of which `vType` names the one that counts. */
export interface JaegerValue {
  vType: number;
  vStr: string;
  vBool: boolean;
  vInt64: bigint;
  vFloat64: number;
  vBinary: Uint8Array;
}

export function tagValue(value: JaegerValue): AttributeValue {
  switch (value.vType) {
    case VALUE_TYPE.string:
      return value.vStr;
    case VALUE_TYPE.bool:
      return value.vBool;
    case VALUE_TYPE.int64:
      return value.vInt64;
    case VALUE_TYPE.float64:
      return value.vFloat64;
    case VALUE_TYPE.binary:
      return value.vBinary;
    default:
      return `<Unknown Jaeger TagType "${value.vType}">`;
  }
}

const NANO = 1_000_000_000;
/** Beyond this the nanoseconds do not fit 63 bits: the years 1678 to 2262, and as long a time. */
const MAX_SECONDS = 9_223_372_036n;

/** google.protobuf.Timestamp and Duration as ns; undefined if they are out of range. */
export function nanosOf(seconds: bigint, nanos: number): bigint | undefined {
  if (seconds > MAX_SECONDS || seconds < -MAX_SECONDS || nanos >= NANO || nanos <= -NANO) return undefined;
  return seconds * BigInt(NANO) + BigInt(nanos);
}
