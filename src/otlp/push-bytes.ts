// Tempo's Kafka record value: one or more serialized traces, their ids, and a flag that asks for no metrics. Each trace is a
// request of its own.

import { at, fail, length, skip, tagAt, varint } from './wire.ts';

export interface PushBytes {
  /** Ranges of the traces in the record. */
  traces: { start: number; end: number }[];
  skipMetrics: boolean;
}

/** Fields: 2 traces, 3 trace ids (not read), 5 skip flag. @throws DecodeError */
export function readPushBytes(bytes: Uint8Array): PushBytes {
  const traces: { start: number; end: number }[] = [];
  let skipMetrics = false;
  let pos = 0;
  while (pos < bytes.length) {
    const tag = tagAt(bytes, pos, bytes.length);
    pos = at;
    if (tag === 18) {
      const n = length(bytes, pos, bytes.length);
      traces.push({ start: at, end: at + n });
      pos = at + n;
    } else if (tag === 40) {
      skipMetrics = varint(bytes, pos, bytes.length) !== 0;
      pos = at;
    } else {
      if (tag < 48 && (tag >> 3 === 2 || tag >> 3 === 5))
        fail('wire_type', `record field ${tag >> 3} of a wrong wire type`, pos);
      pos = skip(bytes, tag, pos, bytes.length);
    }
  }
  return { traces, skipMetrics };
}
